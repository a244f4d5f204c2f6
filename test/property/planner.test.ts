// What holds for every plan, whatever the loop sees.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Observation } from '../../src/domain/observation.ts';
import type { Plan } from '../../src/domain/plan.ts';
import { breaches } from '../../src/planner/check.ts';
import { planTick } from '../../src/planner/plan.ts';
import { anyObservation } from '../support/any-observation.ts';
import { applyPlan } from '../support/apply-plan.ts';
import { counter, lease, NOON, SITE } from '../support/builders.ts';

const RUNS = { numRuns: 250 };

/** Machines that serve or will serve after the plan: unmarked ones, with what is launched and without what it ends. */
function serving(seen: Observation, plan: Plan): number {
  const ended = new Set(
    plan.actions.flatMap((action) =>
      action.kind === 'retire' || action.kind === 'drain' || action.kind === 'bury' ? [action.machine] : [],
    ),
  );
  const stay = seen.machines.filter(
    ({ id, phase, ending }) => phase !== 'terminating' && ending === null && !ended.has(id),
  ).length;
  return plan.actions.reduce(
    (sum, action) => (action.kind === 'launch' ? sum + action.machines.length : sum),
    stay,
  );
}

describe('every plan', () => {
  test('breaks no rule of the checker', () => {
    fc.assert(
      fc.property(anyObservation, (seen) => {
        expect(breaches(seen, planTick(seen, counter()))).toEqual([]);
      }),
      RUNS,
    );
  });

  test('is followed by an empty one until an answer comes', () => {
    fc.assert(
      fc.property(anyObservation, (seen) => {
        const after = applyPlan(seen, planTick(seen, counter()));
        expect(planTick(after, counter('next')).actions).toEqual([]);
      }),
      RUNS,
    );
  });

  test('does not depend on the order of what was seen', () => {
    const shuffled = anyObservation.chain((seen) =>
      fc
        .record({
          pools: fc.shuffledSubarray([...seen.pools], { minLength: seen.pools.length }),
          machines: fc.shuffledSubarray([...seen.machines], { minLength: seen.machines.length }),
          leases: fc.shuffledSubarray([...seen.leases], { minLength: seen.leases.length }),
          launches: fc.shuffledSubarray([...seen.launches], { minLength: seen.launches.length }),
          rests: fc.shuffledSubarray([...seen.rests], { minLength: seen.rests.length }),
        })
        .map((other) => ({ seen, other: { ...seen, ...other } })),
    );
    fc.assert(
      fc.property(shuffled, ({ seen, other }) => {
        expect(planTick(other, counter())).toEqual(planTick(seen, counter()));
      }),
      RUNS,
    );
  });

  test('ends nothing and adopts nothing while EC2 cannot be listed', () => {
    const ends = new Set(['retire', 'terminate', 'bury', 'end-orphan', 'adopt', 'match']);
    fc.assert(
      fc.property(anyObservation, (seen) => {
        const blind: Observation = { ...seen, instances: new Map([[SITE, { kind: 'failed', why: 'down' }]]) };
        const plan = planTick(blind, counter());
        expect(plan.actions.filter(({ kind }) => ends.has(kind))).toEqual([]);
      }),
      RUNS,
    );
  });

  test('leaves no fewer machines to serve when one more create waits', () => {
    fc.assert(
      fc.property(anyObservation, fc.constantFrom('a', 'b', 'c'), (drawn, pool) => {
        // What pools share may go to the pool of the new create: call tokens, `concurrent`.
        const budgets = new Map([[SITE, { launches: 100, instances: 1000 }]]);
        const seen = { ...drawn, budgets, concurrent: 1000 };
        const more = { ...seen, leases: [...seen.leases, lease({ name: 'zz-one-more', pool, since: NOON })] };
        const before = serving(seen, planTick(seen, counter()));
        expect(serving(more, planTick(more, counter()))).toBeGreaterThanOrEqual(before);
      }),
      RUNS,
    );
  });

  test('wakes again after now and within a minute', () => {
    fc.assert(
      fc.property(anyObservation, (seen) => {
        const { wakeAt } = planTick(seen, counter());
        expect(wakeAt).toBeGreaterThan(seen.now);
        expect(wakeAt).toBeLessThanOrEqual(seen.now + 60_000);
      }),
      RUNS,
    );
  });
});
