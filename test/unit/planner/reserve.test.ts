import { describe, expect, test } from 'vitest';
import type { Observation, PoolMemory } from '../../../src/domain/observation.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  creates,
  dropIn,
  leased,
  machine,
  memory,
  NOON,
  observation,
  poolSpec,
  poolView,
  schedule,
} from '../../support/builders.ts';

/** A machine handed over that long ago, used by a job `busyAfter` later. */
function handed(id: string, ago: number, busyAfter: number, createdAgo = ago + MINUTE_MS) {
  const heldAt = NOON - ago;
  return leased(id, {
    job: true,
    machine: { createdAt: NOON - createdAgo },
    lease: { heldAt, urlAt: heldAt + busyAfter },
  });
}

function seenWith(
  held: readonly ReturnType<typeof leased>[],
  state: Partial<PoolMemory> = {},
  spec = dropIn({ idleCount: 10 }),
): Observation {
  return observation({
    pools: [poolView(spec, { memory: memory(state) })],
    machines: held.map((each) => each.machine),
    leases: held.map((each) => each.lease),
  });
}

function reserveAfter(seen: Observation): number | undefined {
  return planTick(seen, counter()).memories[0]?.reserve;
}

describe('the reserve of a runner that holds idle machines', () => {
  test('doubles the idle machines when one that was handed over turned busy within 10 s', () => {
    expect(reserveAfter(seenWith([handed('m-1', 20_000, 10 * SECOND_MS)]))).toBe(10);
    expect(reserveAfter(seenWith([handed('m-1', 20_000, 10 * SECOND_MS + 1)]))).toBe(0);
  });

  test('stays as it is while more than half of the idle machines still stand', () => {
    const ready = (count: number) =>
      Array.from({ length: count }, (_, index) => machine({ id: `r-${index}` }));
    const seen = seenWith([handed('m-1', 20_000, SECOND_MS)]);
    const standing = (count: number) => ({ ...seen, machines: [...seen.machines, ...ready(count)] });
    expect(reserveAfter(standing(6))).toBe(0);
    expect(reserveAfter(standing(5))).toBe(10);
  });

  test('counts what the runner holds idle as standing, what boots not', () => {
    const held = Array.from({ length: 6 }, (_, index) => leased(`h-${index}`));
    const busy = handed('m-1', 20_000, SECOND_MS);
    expect(reserveAfter(seenWith([busy, ...held]))).toBe(0);
    const coming = held.map((_, index) => machine({ id: `c-${index}`, phase: 'booting' }));
    const seen = seenWith([busy]);
    expect(reserveAfter({ ...seen, machines: [...seen.machines, ...coming] })).toBe(10);
  });

  test('doubles again only for machines that the last doubling brought', () => {
    const state = { reserve: 10, reserveAt: NOON - 30 * SECOND_MS };
    const before = handed('m-1', 5 * SECOND_MS, 0, 40 * SECOND_MS);
    const brought = handed('m-2', 5 * SECOND_MS, 0, 30 * SECOND_MS);
    expect(reserveAfter(seenWith([before], state))).toBe(10);
    expect(reserveAfter(seenWith([before, brought], state))).toBe(30);
  });

  test('doubles for older machines too once a whole boot has passed', () => {
    const held = handed('m-1', 5 * SECOND_MS, 0, 60 * MINUTE_MS);
    expect(reserveAfter(seenWith([held], { reserve: 5, reserveAt: NOON - MINUTE_MS }))).toBe(20);
  });

  test('does not double twice for one hand-over', () => {
    const seen = seenWith([handed('m-1', 0, 0)]);
    const [after] = planTick(seen, counter()).memories;
    expect(after).toMatchObject({ reserve: 10, reserveAt: NOON });
    expect(reserveAfter(seenWith([handed('m-1', 0, 0)], after))).toBe(10);
  });

  test('never exceeds what limit, max_machines or concurrent allow', () => {
    const held = [handed('m-1', 0, 0)];
    expect(reserveAfter(seenWith(held, {}, dropIn({ idleCount: 10 }, { limit: 14 })))).toBe(4);
    expect(reserveAfter({ ...seenWith(held), maxMachines: 12 })).toBe(2);
    expect(reserveAfter({ ...seenWith(held), concurrent: 11 })).toBe(1);
  });

  test('is not wanted beyond the jobs that may still start', () => {
    const seen = { ...seenWith([], { reserve: 100, reserveAt: NOON }), concurrent: 30 };
    expect(planTick(seen, counter()).pools).toMatchObject([{ wantIdle: 30 }]);
  });

  test('halves after five quiet minutes, down to nothing', () => {
    const quiet = (reserve: number, ago: number) =>
      reserveAfter(seenWith([], { reserve, reserveAt: NOON - ago }));
    expect(quiet(10, 5 * MINUTE_MS - 1)).toBe(10);
    expect(quiet(10, 5 * MINUTE_MS)).toBe(5);
    expect(quiet(1, 5 * MINUTE_MS)).toBe(0);
  });

  test('does not halve while creates wait', () => {
    const seen = seenWith([], { reserve: 10, reserveAt: NOON - 60 * MINUTE_MS });
    expect(reserveAfter({ ...seen, leases: creates(1) })).toBe(10);
  });

  test('stays at nothing for a runner on demand', () => {
    const onDemand = poolSpec({ ownSchedule: schedule({ idleCount: 3 }) });
    expect(reserveAfter(seenWith([handed('m-1', 0, 0)], {}, onDemand))).toBe(0);
  });

  test('is named as the reason of the machines it launches', () => {
    const launches = planTick(seenWith([handed('m-1', 0, 0)]), counter()).actions.filter(
      ({ kind }) => kind === 'launch',
    );
    expect(launches).toMatchObject([{ reason: { code: 'reserve-doubled' } }]);
  });
});
