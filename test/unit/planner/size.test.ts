import { describe, expect, test } from 'vitest';
import type { PoolSpec } from '../../../src/domain/config.ts';
import type { Observation } from '../../../src/domain/observation.ts';
import type { PoolSize } from '../../../src/domain/plan.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { idleWanted } from '../../../src/planner/idle-policy.ts';
import { planTick } from '../../../src/planner/plan.ts';
import { demandOf, fillOf, wantedOf } from '../../../src/planner/size.ts';
import {
  counter,
  creates,
  dropIn,
  idlePolicy,
  leased,
  machine,
  NOON,
  observation,
  period,
  poolSpec,
  poolView,
  schedule,
} from '../../support/builders.ts';

function sizeOf(seen: Observation, pool = 'linux'): PoolSize | undefined {
  return planTick(seen, counter()).pools.find((size) => size.pool === pool);
}

function many(count: number, prefix: string, job: boolean) {
  return Array.from({ length: count }, (_, index) => leased(`${prefix}${index}`, { job }));
}

describe('idle machines wanted by the runner’s rule', () => {
  test.each([
    [{ idleCount: 10 }, 0, 10],
    [{ idleCount: 10 }, 50, 10],
    [{ idleCount: 10, idleCountMin: 2, idleScaleFactor: 0.5 }, 0, 2],
    [{ idleCount: 10, idleCountMin: 0, idleScaleFactor: 0.5 }, 0, 1],
    [{ idleCount: 10, idleCountMin: 2, idleScaleFactor: 0.5 }, 7, 3],
    [{ idleCount: 10, idleCountMin: 2, idleScaleFactor: 0.5 }, 100, 10],
    [{ idleCount: 0, idleCountMin: 2, idleScaleFactor: 0.5 }, 100, 0],
  ])('%j with %i jobs: %i', (policy, inUse, wanted) => {
    expect(idleWanted(idlePolicy(policy), inUse)).toBe(wanted);
  });
});

describe('the formula', () => {
  test.each([
    [0, 0, 5, 0],
    [3, 0, 5, 3],
    [3, 2, 5, 1],
    [3, 5, 5, 0],
    [9, 0, 5, 5],
  ])('fill with R %i, H %i, W %i is %i', (runnerIdle, held, waiting, fill) => {
    expect(fillOf(runnerIdle, held, waiting)).toBe(fill);
  });

  test.each([
    [{ waiting: 5, fill: 2, pending: 0, headroom: 9 }, 3],
    [{ waiting: 5, fill: 2, pending: 7, headroom: 4 }, 7],
    [{ waiting: 0, fill: 0, pending: 7, headroom: -1 }, 0],
  ])('demand of %j is %i', (input, demand) => {
    expect(demandOf(input)).toBe(demand);
  });

  test.each([
    [{ busy: 3, demand: 27, wantIdle: 3, held: 0, fill: 0, limit: 0 }, 33],
    [{ busy: 3, demand: 27, wantIdle: 3, held: 0, fill: 0, limit: 20 }, 20],
    [{ busy: 3, demand: 0, wantIdle: 3, held: 4, fill: 1, limit: 0 }, 8],
    [{ busy: 0, demand: 0, wantIdle: 0, held: 0, fill: 0, limit: 5 }, 0],
  ])('wanted of %j is %i', (input, wanted) => {
    expect(wantedOf(input)).toBe(wanted);
  });
});

describe('the size of a pool', () => {
  test('counts each machine once, by what can be done with it', () => {
    const jobs = many(2, 'job', true);
    const holds = many(3, 'hold', false);
    const size = sizeOf(
      observation({
        machines: [
          ...[...jobs, ...holds].map((each) => each.machine),
          machine({ id: 'r1' }),
          machine({ id: 'r2', cleaning: true, phase: 'leased' }),
          machine({ id: 'c1', phase: 'provisioning' }),
          machine({ id: 'l1', phase: 'terminating', endAskedAt: NOON }),
        ],
        leases: [...[...jobs, ...holds].map((each) => each.lease), ...creates(1)],
      }),
    );
    expect(size).toMatchObject({ busy: 2, held: 3, ready: 2, coming: 1, leaving: 1, waiting: 1 });
  });

  test('treats a hold whose lease is unknown as a job', () => {
    const seen = observation({ machines: [machine({ phase: 'leased', lease: 'lost' })] });
    expect(sizeOf(seen)).toMatchObject({ busy: 1, held: 0 });
  });

  test('wants a machine for each create of a runner on demand', () => {
    const seen = observation({ pools: [poolSpec()], leases: creates(7) });
    expect(sizeOf(seen)).toMatchObject({ fill: 0, demand: 7, wanted: 7, missing: 7 });
  });

  test('takes creates that fill the runner’s idle for idle, not for jobs', () => {
    const seen = observation({ pools: [dropIn({ idleCount: 5 })], leases: creates(5) });
    expect(sizeOf(seen)).toMatchObject({ fill: 5, demand: 0, wanted: 5 });
  });

  test('takes a machine just granted for one that the runner holds idle, where it does; on demand for a job', () => {
    const holds = many(2, 'hold', false);
    const grants = many(2, 'grant', false).map(({ machine: made, lease: given }) => ({
      machine: made,
      lease: { ...given, state: 'granted' as const, heldAt: null },
    }));
    const all = [...holds, ...grants];
    const seen = (pool: PoolSpec) =>
      observation({
        pools: [pool],
        machines: all.map((each) => each.machine),
        leases: all.map((each) => each.lease),
      });
    expect(sizeOf(seen(dropIn({ idleCount: 4 })))).toMatchObject({ busy: 0, held: 4, wanted: 4, missing: 0 });
    expect(sizeOf(seen(poolSpec()))).toMatchObject({ busy: 2, held: 2, wanted: 4, missing: 0 });
  });

  test('keeps its own idle beside what the runner holds only as far as it is larger', () => {
    const holds = many(4, 'hold', false);
    const spec = poolSpec({ ownSchedule: schedule({ idleCount: 6 }) });
    const seen = observation({
      pools: [spec],
      machines: holds.map((each) => each.machine),
      leases: holds.map((each) => each.lease),
    });
    expect(sizeOf(seen)).toMatchObject({ held: 4, wantIdle: 6, wanted: 6, missing: 2 });
  });

  test('bounds jobs by concurrent over all pools, the oldest creates first, and idle machines never', () => {
    const jobs = many(3, 'job', true);
    const seen = observation({
      pools: [poolSpec({ id: 'linux', ownSchedule: schedule({ idleCount: 5 }) }), poolSpec({ id: 'arm' })],
      concurrent: 8,
      machines: jobs.map((each) => each.machine),
      leases: [
        ...jobs.map((each) => each.lease),
        ...creates(4, { pool: 'arm', since: NOON - MINUTE_MS }),
        ...creates(4, { pool: 'linux', since: NOON - SECOND_MS }),
      ],
    });
    expect(sizeOf(seen, 'arm')).toMatchObject({ demand: 4, wanted: 4 });
    const size = sizeOf(seen);
    expect(size).toMatchObject({ busy: 3, demand: 1, wantIdle: 5, wanted: 9 });
    expect(size?.reasons.find(({ code }) => code === 'concurrent')?.detail).toMatchObject({ held_back: 3 });
  });

  test('says limit, not enough, when the limit alone keeps it small', () => {
    const seen = observation({
      pools: [dropIn({ idleCount: 3 }, { limit: 1 })],
      machines: [machine({ id: 'r1' })],
    });
    expect(sizeOf(seen)?.reasons.map(({ code }) => code)).toEqual(['limit']);
  });

  test('names the period in force and when wants change next', () => {
    const own = schedule({ idleCount: 1 }, [period('* * 9-17 * * mon-fri *', { idleCount: 4 })]);
    const size = sizeOf(observation({ pools: [poolSpec({ ownSchedule: own })] }));
    expect(size).toMatchObject({ period: 0, wantIdle: 4, nextChangeAt: Date.UTC(2026, 10, 23, 18) });
  });

  test('wants what a period within one boot will want', () => {
    const own = schedule({ idleCount: 1 }, [period('* * 13-17 * * * *', { idleCount: 4 })]);
    const spec = poolSpec({ ownSchedule: own });
    const at = (before: number) =>
      sizeOf(
        observation({
          pools: [poolView(spec, { bootP90Ms: 40 * SECOND_MS })],
          now: Date.UTC(2026, 10, 23, 13) - before,
        }),
      );
    expect(at(41 * SECOND_MS)?.wantIdle).toBe(1);
    expect(at(40 * SECOND_MS)?.wantIdle).toBe(4);
    expect(at(40 * SECOND_MS)?.reasons.map(({ code }) => code)).toContain('idle-ahead');
  });
});
