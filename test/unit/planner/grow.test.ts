import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/domain/observation.ts';
import type { Rest } from '../../../src/domain/outcome.ts';
import type { Action, Plan } from '../../../src/domain/plan.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  creates,
  dropIn,
  launchSpec,
  machine,
  memory,
  NOON,
  observation,
  poolSpec,
  poolView,
  SITE,
  schedule,
} from '../../support/builders.ts';

type Launch = Extract<Action, { kind: 'launch' }>;

function plan(seen: Observation): Plan & { launches: Launch[] } {
  const made = planTick(seen, counter());
  return { ...made, launches: made.actions.filter((action) => action.kind === 'launch') };
}

function counts(seen: Observation): [string, number, string][] {
  return plan(seen).launches.map((launch) => [launch.pool, launch.machines.length, launch.for]);
}

function codes(seen: Observation, pool = 'linux'): string[] {
  return (
    plan(seen)
      .pools.find((size) => size.pool === pool)
      ?.reasons.map(({ code }) => code) ?? []
  );
}

function budget(launches: number, instances = 1000) {
  return new Map([[SITE, { launches, instances }]]);
}

const idle = (count: number, id = 'linux') => poolSpec({ id, ownSchedule: schedule({ idleCount: count }) });

describe('launches', () => {
  test('are one call for all equal machines, jobs and idle together', () => {
    const seen = observation({ pools: [idle(3)], leases: creates(27) });
    const [only, ...more] = plan(seen).launches;
    expect(more).toEqual([]);
    expect(only).toMatchObject({
      for: 'demand',
      reason: { code: 'demand', detail: { demand: 27, idle: 3 } },
    });
    expect(new Set(only?.machines).size).toBe(30);
  });

  test('split into calls of a hundred, demand first', () => {
    const seen = observation({ pools: [idle(60)], leases: creates(130) });
    expect(counts(seen)).toEqual([
      ['linux', 100, 'demand'],
      ['linux', 90, 'demand'],
    ]);
  });

  test('shrink to the remembered batch after a batch that was too big', () => {
    const outcome = {
      kind: 'batch-too-big',
      scope: 'offering',
      code: 'ResourceCountExceeded',
      message: '',
    } as const;
    const key = `${SITE}/offering:m5.large:eu-central-1a:spot`;
    const rests: Rest[] = [{ key, outcome, failures: 3, since: NOON, until: NOON + MINUTE_MS }];
    expect(counts(observation({ leases: creates(30), rests })).map(([, size]) => size)).toEqual([12, 12, 6]);
  });

  test('are placed for the pool whose create waits longest first', () => {
    const seen = observation({
      pools: [poolSpec({ id: 'a' }), poolSpec({ id: 'b' })],
      leases: [
        ...creates(2, { pool: 'a', since: NOON - SECOND_MS }),
        ...creates(2, { pool: 'b', since: NOON - MINUTE_MS }),
      ],
    });
    expect(counts(seen).map(([pool]) => pool)).toEqual(['b', 'a']);
  });

  test('never come for machines that are ready or coming already', () => {
    const coming = [1, 2, 3].map((index) => machine({ id: `c${index}`, phase: 'booting' }));
    expect(counts(observation({ machines: coming, leases: creates(3) }))).toEqual([]);
    expect(counts(observation({ machines: coming, leases: creates(5) }))).toEqual([['linux', 2, 'demand']]);
  });
});

describe('growth is held back, and says so,', () => {
  test('by the limit, with terminations counted until EC2 accepted them', () => {
    const spec = poolSpec({ limit: 4 });
    const ending = { phase: 'terminating', endAskedAt: NOON } as const;
    const asked = [machine({ id: 'e1', ...ending }), machine({ id: 'e2', ...ending })];
    const accepted = asked.map((each) => ({ ...each, endAccepted: true }));
    expect(counts(observation({ pools: [spec], machines: asked, leases: creates(9) }))).toEqual([
      ['linux', 2, 'demand'],
    ]);
    expect(counts(observation({ pools: [spec], machines: accepted, leases: creates(9) }))).toEqual([
      ['linux', 4, 'demand'],
    ]);
    expect(codes(observation({ pools: [spec], machines: asked, leases: creates(9) }))).toContain('limit');
  });

  test('by max_machines over all pools, jobs before idle', () => {
    const seen = observation({
      pools: [idle(5, 'a'), poolSpec({ id: 'b' })],
      maxMachines: 4,
      leases: creates(3, { pool: 'b' }),
    });
    expect(counts(seen)).toEqual([
      ['b', 3, 'demand'],
      ['a', 1, 'idle'],
    ]);
    expect(codes(seen, 'a')).toContain('max-machines');
  });

  test('by max_coming', () => {
    const seen = observation({
      pools: [poolSpec({ maxComing: 3 })],
      machines: [machine({ id: 'c1', phase: 'provisioning' })],
      leases: creates(9),
    });
    expect(counts(seen)).toEqual([['linux', 2, 'demand']]);
    expect(codes(seen)).toContain('max-coming');
  });

  test('by the call budget: idle machines leave the last two calls to jobs', () => {
    const pools = [idle(3, 'a'), poolSpec({ id: 'b' })];
    expect(counts(observation({ pools, budgets: budget(2) }))).toEqual([]);
    expect(codes(observation({ pools, budgets: budget(2) }), 'a')).toContain('ec2-budget');
    const leases = creates(1, { pool: 'b' });
    expect(counts(observation({ pools, budgets: budget(2), leases }))).toEqual([['b', 1, 'demand']]);
    expect(counts(observation({ pools, budgets: budget(3) }))).toEqual([['a', 3, 'idle']]);
    expect(counts(observation({ pools, budgets: budget(0), leases }))).toEqual([]);
  });

  test('by the instance budget, shared by all pools of the site', () => {
    const pools = [poolSpec({ id: 'a' }), poolSpec({ id: 'b' })];
    const leases = [...creates(3, { pool: 'a' }), ...creates(3, { pool: 'b', since: NOON })];
    const seen = observation({ pools, budgets: budget(5, 4), leases });
    expect(counts(seen)).toEqual([
      ['a', 3, 'demand'],
      ['b', 1, 'demand'],
    ]);
    expect(plan(seen).wakeAt).toBe(NOON + SECOND_MS);
  });

  test('by a site that has no budget at all', () => {
    expect(counts(observation({ budgets: new Map(), leases: creates(1) }))).toEqual([]);
  });

  test.each([
    ['paused', { paused: true }],
    ['draining-pool', { draining: true }],
  ])('by a person: %s', (code, state) => {
    const seen = observation({ pools: [poolView(idle(2), { memory: memory(state) })], leases: creates(2) });
    expect(counts(seen)).toEqual([]);
    expect(codes(seen)).toContain(code);
  });

  test('by a rest of its offering, until the rest ends', () => {
    const outcome = { kind: 'insufficient-capacity', scope: 'offering', code: 'ICE', message: '' } as const;
    const until = NOON + 20 * SECOND_MS;
    const rests: Rest[] = [
      { key: `${SITE}/offering:m5.large:eu-central-1a:spot`, outcome, failures: 2, since: NOON, until },
    ];
    const zoneB = poolSpec({ id: 'b', launch: launchSpec({ zone: 'eu-central-1b' }) });
    const seen = observation({
      pools: [poolSpec(), zoneB],
      rests,
      leases: [...creates(2), ...creates(1, { pool: 'b' })],
    });
    expect(counts(seen)).toEqual([['b', 1, 'demand']]);
    expect(codes(seen)).toContain('offering-closed');
    expect(plan(seen).wakeAt).toBe(until);
    expect(counts({ ...seen, now: until })).toHaveLength(2);
  });
});

describe('idle launches', () => {
  test('are shared fairly when there is room for some only', () => {
    const seen = observation({ pools: [idle(50, 'a'), idle(3, 'b')], maxMachines: 6 });
    expect(counts(seen)).toEqual([
      ['a', 3, 'idle'],
      ['b', 3, 'idle'],
    ]);
  });

  test('go on against the store while EC2 cannot be listed', () => {
    const seen = observation({
      pools: [dropIn({ idleCount: 3 })],
      machines: [machine({ id: 'r1' })],
      instances: new Map([[SITE, { kind: 'failed', why: 'down' }]]),
    });
    expect(counts(seen)).toEqual([['linux', 2, 'idle']]);
    expect(codes(seen)).toContain('stale-instances');
  });

  test('wait for the first list when the store knows nothing: its machines may stand without a record', () => {
    const blind = { instances: new Map([[SITE, { kind: 'failed', why: 'down' } as const]]) };
    const seen = observation({ pools: [dropIn({ idleCount: 3 })], leases: creates(2), ...blind });
    expect(counts(seen)).toEqual([]);
    expect(codes(seen)).toContain('stale-instances');
  });

  test('by spot request wait until the requests of a state before were seen, and leave room for those that are open', () => {
    const asking = dropIn(
      { idleCount: 3 },
      { limit: 4, launch: launchSpec({ way: 'spot-request', markets: ['spot'] }) },
    );
    const after = (strays: ReadonlyMap<string, number> | null) =>
      observation({ pools: [asking], strayRequests: new Map([[SITE, strays]]) });
    expect(counts(after(null))).toEqual([]);
    expect(codes(after(null))).toContain('requests-unseen');
    expect(counts(after(new Map([['linux', 2]])))).toEqual([['linux', 2, 'idle']]);
    expect(counts(after(new Map()))).toEqual([['linux', 3, 'idle']]);
  });

  test('by other ways do not wait for requests', () => {
    const seen = observation({ pools: [dropIn({ idleCount: 3 })], strayRequests: new Map([[SITE, null]]) });
    expect(counts(seen)).toEqual([['linux', 3, 'idle']]);
  });
});

describe('max_cost_per_hour', () => {
  const prices = new Map([[`${SITE}/m5.large:eu-central-1a:spot`, 0.04]]);
  const priced = (leftUsdPerHour: number, unpriced = 0, known = prices) =>
    observation({
      pools: [idle(0)],
      leases: creates(10),
      costs: { leftUsdPerHour, unpriced, prices: new Map<string, number | null>(known) },
    });

  test('lets as many machines grow as it pays for, and says what holds the rest', () => {
    expect(counts(priced(0.13))).toEqual([['linux', 3, 'demand']]);
    expect(codes(priced(0.13))).toContain('max-cost');
    expect(counts(priced(1))).toEqual([['linux', 10, 'demand']]);
    expect(codes(priced(1))).not.toContain('max-cost');
  });

  test('holds growth when a price is not known: here, or of what stands', () => {
    expect(counts(priced(1, 0, new Map()))).toEqual([]);
    expect(counts(priced(1, 1))).toEqual([]);
    expect(codes(priced(1, 1))).toContain('max-cost');
  });
});
