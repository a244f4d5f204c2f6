// Pending jobs of the queue in the plan: within what the runner may claim, each once, held but not asked for when old.
import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/domain/observation.ts';
import type { JobGroup, PoolQueue, QueueView } from '../../../src/domain/queue.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { offeringOf } from '../../../src/planner/draft.ts';
import { planTick } from '../../../src/planner/plan.ts';
import { restKeyOf } from '../../../src/planner/rest.ts';
import {
  counter,
  creates,
  dropIn,
  lease,
  leased,
  machine,
  memory,
  NOON,
  observation,
  poolSpec,
  poolView,
  SITE,
} from '../../support/builders.ts';

const SEEN = NOON - 5 * SECOND_MS;

function jobs(count: number, over: Partial<JobGroup> = {}): JobGroup {
  const queuedAt = Array.from({ length: count }, (_, index) => SEEN - MINUTE_MS + index);
  return { pools: ['linux'], observedAt: SEEN, held: false, queuedAt, ...over };
}

function queue(
  groups: readonly JobGroup[],
  over: Partial<PoolQueue> & { otherJobs?: number } = {},
): QueueView {
  const { otherJobs = 0, ...state } = over;
  const ids = new Set(['linux', ...groups.flatMap(({ pools }) => pools)]);
  const pools = [...ids].map((pool): [string, PoolQueue] => [
    pool,
    { pool, source: 'rest', state: 'fresh', at: SEEN, why: 'asked for', exact: true, ...state },
  ]);
  return { pools: new Map(pools), groups, otherJobs };
}

function planOf(seen: Observation) {
  const plan = planTick(seen, counter());
  const launched = (pool: string) =>
    plan.actions.reduce(
      (sum, action) => sum + (action.kind === 'launch' && action.pool === pool ? action.machines.length : 0),
      0,
    );
  const sizeOf = (pool: string) => plan.pools.find((size) => size.pool === pool);
  const codes = (pool: string) => (sizeOf(pool)?.reasons ?? []).map(({ code }) => code);
  return { plan, launched, sizeOf, codes };
}

describe('200 pending jobs and no create yet', () => {
  test('get 200 machines in one tick when concurrent and limit are 200', () => {
    const seen = observation({
      concurrent: 200,
      pools: [poolSpec({ limit: 200 })],
      queue: queue([jobs(200)]),
    });
    const { plan, launched, sizeOf } = planOf(seen);
    expect(launched('linux')).toBe(200);
    expect(sizeOf('linux')).toMatchObject({ pending: 200, demand: 200, wanted: 200, missing: 200 });
    expect(plan.actions.every((action) => action.kind !== 'launch' || action.for === 'demand')).toBe(true);
  });

  test('get 20 and no more when concurrent is 20, and it is said why', () => {
    const seen = observation({
      concurrent: 20,
      pools: [poolSpec({ limit: 200 })],
      queue: queue([jobs(200)]),
    });
    const { launched, codes, sizeOf } = planOf(seen);
    expect(launched('linux')).toBe(20);
    expect(codes('linux')).toContain('concurrent');
    expect(sizeOf('linux')?.pending).toBe(200);
  });

  test('get what the runner itself may claim where that is less than its file says, and it is said why', () => {
    const seen = (bounds: QueueView['bounds']) =>
      planOf(
        observation({
          concurrent: 200,
          pools: [poolSpec({ limit: 100 })],
          queue: { ...queue([jobs(200)]), ...(bounds && { bounds }) },
        }),
      );
    const none = new Map<string, number>();
    expect(seen({ concurrent: 30, limits: none }).launched('linux')).toBe(30);
    const reasons = seen({ concurrent: 30, limits: none }).sizeOf('linux')?.reasons ?? [];
    expect(reasons.find(({ code }) => code === 'concurrent')?.detail).toMatchObject({ concurrent: 30 });
    expect(seen({ concurrent: null, limits: new Map([['linux', 7]]) }).launched('linux')).toBe(7);
    expect(seen({ concurrent: 900, limits: new Map([['linux', 900]]) }).launched('linux')).toBe(100);
    expect(seen({ concurrent: null, limits: none }).launched('linux')).toBe(100);
  });

  test('get 30 when limit is 30, and it is said why', () => {
    const seen = observation({ pools: [poolSpec({ limit: 30 })], queue: queue([jobs(200)]) });
    const { launched, codes } = planOf(seen);
    expect(launched('linux')).toBe(30);
    expect(codes('linux')).toContain('limit');
    expect(codes('linux')).not.toContain('concurrent');
  });

  test('stay 200 while the runner claims them one by one', () => {
    for (const claimed of [1, 50, 199, 200]) {
      const leases = creates(claimed).map((each, index) => ({ ...each, since: SEEN + 1 + index }));
      const seen = observation({
        concurrent: 200,
        pools: [poolSpec({ limit: 200 })],
        leases,
        queue: queue([jobs(200)]),
      });
      expect(planOf(seen).sizeOf('linux')).toMatchObject({ demand: 200, pending: 200 - claimed });
    }
  });

  test('count beside creates that are older than the look: those are other jobs', () => {
    const leases = creates(5).map((each) => ({ ...each, since: SEEN - MINUTE_MS }));
    const { sizeOf } = planOf(observation({ leases, queue: queue([jobs(10)]) }));
    expect(sizeOf('linux')).toMatchObject({ demand: 15, pending: 10 });
  });

  test('are what comes for them once they come: no second launch', () => {
    const machines = Array.from({ length: 200 }, (_, index) =>
      machine({ id: `m-${index}`, phase: 'booting' }),
    );
    const { launched, sizeOf } = planOf(observation({ machines, queue: queue([jobs(200)]) }));
    expect(launched('linux')).toBe(0);
    expect(sizeOf('linux')).toMatchObject({ wanted: 200, missing: 0, beyond: 0 });
  });
});

describe('what concurrent leaves', () => {
  test('is what jobs do not use, those of other sections included', () => {
    const busy = Array.from({ length: 4 }, (_, index) => leased(`m-${index}`, { job: true }));
    const seen = observation({
      concurrent: 20,
      machines: busy.map((each) => each.machine),
      leases: busy.map((each) => each.lease),
      queue: queue([jobs(50)], { otherJobs: 6 }),
    });
    expect(planOf(seen).sizeOf('linux')).toMatchObject({ busy: 4, demand: 10 });
  });

  test('is shared by all pools of the file', () => {
    const pools = [poolSpec({ id: 'a' }), poolSpec({ id: 'b' })];
    const groups = [jobs(30, { pools: ['a'] }), jobs(30, { pools: ['b'] })];
    const { launched } = planOf(observation({ concurrent: 40, pools, queue: queue(groups) }));
    expect(launched('a') + launched('b')).toBe(40);
    expect(launched('a')).toBeGreaterThanOrEqual(10);
  });

  test('goes past paused and draining pools', () => {
    const pools = [
      poolView(poolSpec({ id: 'a' }), { memory: memory({ pool: 'a', paused: true }) }),
      poolView(poolSpec({ id: 'b' })),
    ];
    const seen = observation({ concurrent: 10, pools, queue: queue([jobs(10, { pools: ['a', 'b'] })]) });
    expect(planOf(seen).launched('b')).toBe(10);
  });
});

describe('a job that several pools may take', () => {
  test('counts once, where machines stand already, then where there is most room', () => {
    const pools = [poolSpec({ id: 'a', limit: 3 }), poolSpec({ id: 'b' })];
    const machines = [machine({ id: 'm-1', pool: 'a' })];
    const both = jobs(5, { pools: ['a', 'b'] });
    const { launched, sizeOf } = planOf(observation({ pools, machines, queue: queue([both]) }));
    expect(launched('a')).toBe(0);
    expect(launched('b')).toBe(4);
    expect([sizeOf('a')?.pending, sizeOf('b')?.pending]).toEqual([5, 5]);
    expect([sizeOf('a')?.demand, sizeOf('b')?.demand]).toEqual([1, 4]);
  });

  test('that one of them claimed is gone for the other', () => {
    const pools = [poolSpec({ id: 'a' }), poolSpec({ id: 'b' })];
    const leases = creates(3, { pool: 'a' }).map((each) => ({ ...each, since: SEEN + 10 }));
    const { launched } = planOf(
      observation({ pools, leases, queue: queue([jobs(3, { pools: ['a', 'b'] })]) }),
    );
    expect(launched('a')).toBe(3);
    expect(launched('b')).toBe(0);
  });
});

describe('a share', () => {
  const settings = (share: number) =>
    ({ queue: { share } }) as unknown as Partial<Parameters<typeof poolSpec>[0]>;

  test('is taken of the matching jobs, rounded up', () => {
    const of = (share: number, count: number) => {
      const pools = [poolSpec({ ...settings(share) })];
      return planOf(observation({ pools, queue: queue([jobs(count)]) })).launched('linux');
    };
    expect([of(0.5, 10), of(0.5, 1), of(0.3, 10), of(1, 10), of(0.01, 10)]).toEqual([5, 1, 3, 10, 1]);
  });

  test('is used up by our own claims', () => {
    const pools = [poolSpec({ ...settings(0.5) })];
    const leases = creates(3).map((each) => ({ ...each, since: SEEN + 10 }));
    const { sizeOf } = planOf(observation({ pools, leases, queue: queue([jobs(10)]) }));
    expect(sizeOf('linux')?.demand).toBe(5);
  });
});

describe('a runner that holds idle machines', () => {
  const spec = dropIn({ idleCount: 2 }, { limit: 50 });
  const held = [leased('m-1'), leased('m-2')];

  test('gets machines for pending jobs beside its idle ones', () => {
    const seen = observation({
      pools: [spec],
      machines: held.map((each) => each.machine),
      leases: held.map((each) => each.lease),
      queue: queue([jobs(10)]),
    });
    expect(planOf(seen).sizeOf('linux')).toMatchObject({ demand: 10, wanted: 12, missing: 10 });
  });

  test('claims by using what it holds, not by its creates', () => {
    const [first, second] = held;
    const used = { ...(first?.lease ?? lease()), urlAt: SEEN + 100 };
    const seen = observation({
      pools: [spec],
      machines: held.map((each) => each.machine),
      leases: [used, second?.lease ?? lease(), ...creates(1).map((each) => ({ ...each, since: SEEN + 200 }))],
      queue: queue([jobs(10)]),
    });
    expect(planOf(seen).sizeOf('linux')).toMatchObject({ busy: 1, fill: 1, pending: 9, demand: 9 });
  });

  test('needs no doubled reserve while its queue is seen', () => {
    const quick = leased('m-3', {
      lease: { heldAt: NOON - 4_000, urlAt: NOON - 3_000, since: NOON - 9_000 },
    });
    const seen = (view?: QueueView) =>
      observation({
        pools: [spec],
        machines: [quick.machine],
        leases: [quick.lease],
        ...(view !== undefined && { queue: view }),
      });
    const reserveOf = (view?: QueueView) => planTick(seen(view), counter()).memories[0]?.reserve;
    expect(reserveOf()).toBeGreaterThan(0);
    expect(reserveOf(queue([]))).toBe(0);
    expect(reserveOf(queue([], { exact: false }))).toBeGreaterThan(0);
    expect(reserveOf(queue([], { state: 'stale' }))).toBeGreaterThan(0);
  });
});

describe('a queue that was not seen lately', () => {
  const idle = Array.from({ length: 10 }, (_, index) =>
    machine({ id: `m-${index}`, since: NOON - 90 * MINUTE_MS, idleSince: NOON - 90 * MINUTE_MS }),
  );
  const old = (count: number) => queue([jobs(count, { held: true })], { state: 'stale', why: 'no answer' });

  test('keeps what stands for its jobs, long past IdleTime, and says so', () => {
    const { plan, codes } = planOf(observation({ machines: idle, queue: old(10) }));
    expect(plan.actions).toEqual([]);
    expect(codes('linux')).toContain('queue-stale');
  });

  test('launches nothing', () => {
    const { plan, sizeOf } = planOf(observation({ machines: idle, queue: old(50) }));
    expect(plan.actions).toEqual([]);
    expect(sizeOf('linux')).toMatchObject({ wanted: 10, missing: 0, beyond: 0 });
  });

  test('lets go what its jobs never called for', () => {
    const { plan } = planOf(observation({ machines: idle, queue: old(4) }));
    expect(plan.actions.filter(({ kind }) => kind === 'retire')).toHaveLength(6);
  });

  test('lets go what was claimed meanwhile', () => {
    const used = Array.from({ length: 4 }, (_, index) =>
      leased(`u-${index}`, { job: true, lease: { since: SEEN + 10, heldAt: SEEN + 20, urlAt: SEEN + 30 } }),
    );
    const seen = observation({
      machines: [...idle, ...used.map((each) => each.machine)],
      leases: used.map((each) => each.lease),
      queue: old(10),
    });
    expect(planOf(seen).plan.actions.filter(({ kind }) => kind === 'retire')).toHaveLength(4);
  });

  test('does not stand in the way of jobs of projects that are seen', () => {
    const view = queue([jobs(12), jobs(3, { held: true })], { state: 'fresh' });
    const { launched } = planOf(observation({ machines: idle, queue: view }));
    expect(launched('linux')).toBe(2);
  });
});

test('without a queue everything is as before', () => {
  const seen = observation({ leases: creates(3) });
  const size = planOf(seen).sizeOf('linux');
  expect(size).toMatchObject({ pending: 0, demand: 3, wanted: 3 });
  expect(planOf(seen).codes('linux')).not.toContain('queue-stale');
});

describe('a job that two pools may take', () => {
  const shared = (count: number) => queue([jobs(count, { pools: ['idle', 'used'] })]);

  test('goes where a machine stands that nobody wants idle, so that none is ended here and launched there', () => {
    const policy = { idleCount: 5, idleTimeMs: 30 * MINUTE_MS };
    const seen = observation({
      pools: [
        dropIn(policy, { id: 'idle' }),
        dropIn({ idleCount: 0, idleTimeMs: 0 }, { id: 'used', limit: 9 }),
      ],
      machines: [
        ...Array.from({ length: 5 }, (_, index) => machine({ id: `m-${index}`, pool: 'idle' })),
        machine({ id: 'm-used', pool: 'used', idleSince: NOON - 10 * MINUTE_MS }),
      ],
      queue: shared(1),
    });
    const { plan, sizeOf } = planOf(seen);
    expect([sizeOf('used')?.demand, sizeOf('idle')?.demand]).toEqual([1, 0]);
    expect(plan.actions.filter(({ kind }) => kind === 'retire' || kind === 'launch')).toEqual([]);
  });

  test('does not wait for the pool that may launch nothing now', () => {
    const specs = [poolSpec({ id: 'idle' }), poolSpec({ id: 'used', limit: 9 })];
    const [closed] = specs;
    if (closed === undefined) throw new Error('no pool');
    const outcome = { kind: 'denied', scope: 'pool', code: 'denied', message: 'no' } as const;
    const key = restKeyOf(SITE, closed.id, offeringOf(closed), outcome);
    const rest = { key, outcome, failures: 2, since: NOON - MINUTE_MS, until: NOON + 10 * MINUTE_MS };
    const { launched } = planOf(observation({ pools: specs, rests: [rest], queue: shared(4) }));
    expect([launched('idle'), launched('used')]).toEqual([0, 4]);
  });
});
