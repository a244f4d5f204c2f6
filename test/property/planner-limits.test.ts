// Bounds that hold for every plan, counted here from what was seen and not by the planner's own checker; and that more to
// do, in creates or in pending jobs, never brings fewer machines.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isComing, type Machine } from '../../src/domain/machine.ts';
import type { Observation } from '../../src/domain/observation.ts';
import type { Plan } from '../../src/domain/plan.ts';
import type { JobGroup, PoolQueue, QueueView } from '../../src/domain/queue.ts';
import { SECOND_MS } from '../../src/domain/units.ts';
import { planTick } from '../../src/planner/plan.ts';
import { anyGroup, poolIds } from '../support/any-broad-observation.ts';
import { anyObservation } from '../support/any-observation.ts';
import { counter, lease, NOON, SITE } from '../support/builders.ts';

const RUNS = { numRuns: 250 };

function viewOf(groups: readonly JobGroup[]): QueueView {
  const each = poolIds.map((pool): [string, PoolQueue] => [
    pool,
    { pool, source: 'rest', state: 'fresh', at: NOON, why: 'asked for', exact: true },
  ]);
  return { pools: new Map(each), groups, otherJobs: 0 };
}

/** Any observation, mostly with a queue. */
const anySeen = fc
  .tuple(anyObservation, fc.option(fc.array(anyGroup, { maxLength: 3 })))
  .map(([seen, groups]): Observation => (groups === null ? seen : { ...seen, queue: viewOf(groups) }));

type Launch = Extract<Plan['actions'][number], { kind: 'launch' }>;

const launchesOf = (plan: Plan): Launch[] =>
  plan.actions.flatMap((action) => (action.kind === 'launch' ? [action] : []));
const countOf = (launches: readonly Launch[]): number =>
  launches.reduce((sum, { machines }) => sum + machines.length, 0);
/** Stands against limits: all but what EC2 has agreed to end. */
const stands = ({ phase, endAccepted }: Machine): boolean => !(phase === 'terminating' && endAccepted);

/** What was seen without what the plan finds gone; `isComingStill`: nor ended on its way up. */
function left(seen: Observation, plan: Plan) {
  const gone = new Set<string>();
  const ended = new Set<string>();
  for (const action of plan.actions) {
    if (action.kind === 'bury') gone.add(action.machine);
    if (action.kind === 'retire' || action.kind === 'drain') ended.add(action.machine);
    if (action.kind === 'forget-launch')
      for (const { id, launch, instance } of seen.machines)
        if (launch === action.token && instance === null) gone.add(id);
  }
  return {
    machines: seen.machines.filter(({ id }) => !gone.has(id)),
    isComingStill: (each: Machine) => isComing(each) && each.ending === null && !ended.has(each.id),
  };
}

/** Machines that serve or will: neither ended by the plan nor before it. */
function serving(seen: Observation, plan: Plan): number {
  const ended = new Set(
    plan.actions.flatMap((action) =>
      action.kind === 'retire' || action.kind === 'drain' || action.kind === 'bury' ? [action.machine] : [],
    ),
  );
  const stay = seen.machines.filter(
    ({ id, phase, ending }) => phase !== 'terminating' && ending === null && !ended.has(id),
  );
  return stay.length + countOf(launchesOf(plan));
}

describe('no plan', () => {
  test('launches beyond a limit of the pool, of all pools, or of EC2', () => {
    fc.assert(
      fc.property(anySeen, (seen) => {
        const plan = planTick(seen, counter());
        const launches = launchesOf(plan);
        const { machines, isComingStill } = left(seen, plan);
        for (const { spec } of seen.pools) {
          const own = launches.filter(({ pool }) => pool === spec.id);
          const [launched, mine] = [countOf(own), machines.filter(({ pool }) => pool === spec.id)];
          if (launched === 0) continue;
          if (spec.limit > 0) expect(mine.filter(stands).length + launched).toBeLessThanOrEqual(spec.limit);
          const coming = mine.filter(isComingStill).length;
          if (spec.maxComing > 0) expect(coming + launched).toBeLessThanOrEqual(spec.maxComing);
        }
        const all = countOf(launches);
        if (seen.maxMachines > 0 && all > 0)
          expect(machines.filter(stands).length + all).toBeLessThanOrEqual(seen.maxMachines);
        const budget = seen.budgets.get(SITE) ?? { launches: 0, instances: 0 };
        expect(launches.length).toBeLessThanOrEqual(budget.launches);
        expect(all).toBeLessThanOrEqual(budget.instances);
      }),
      RUNS,
    );
  });

  test('launches for a pool that a person paused or drains, nor while nothing can be stored', () => {
    fc.assert(
      fc.property(anySeen, fc.boolean(), (drawn, isFull) => {
        const seen = isFull ? { ...drawn, stateTrouble: 'no space is left' } : drawn;
        const launched = new Set(launchesOf(planTick(seen, counter())).map(({ pool }) => pool));
        for (const { spec, memory } of seen.pools)
          if (memory.paused || memory.draining || isFull) expect(launched).not.toContain(spec.id);
      }),
      RUNS,
    );
  });

  test('ends a machine that somebody holds, or asks EC2 to end one that is not on its way out', () => {
    fc.assert(
      fc.property(anySeen, (seen) => {
        const { actions } = planTick(seen, counter());
        const byId = new Map(seen.machines.map((each) => [each.id, each]));
        const retired = new Set(actions.flatMap((each) => (each.kind === 'retire' ? [each.machine] : [])));
        for (const id of retired) expect(byId.get(id)?.lease ?? null).toBeNull();
        for (const action of actions) {
          if (action.kind !== 'terminate') continue;
          for (const id of action.machines)
            expect(retired.has(id) || byId.get(id)?.phase === 'terminating').toBe(true);
        }
      }),
      RUNS,
    );
  });

  test('names a machine in two launches, or one that there is', () => {
    fc.assert(
      fc.property(anySeen, (seen) => {
        const made = launchesOf(planTick(seen, counter())).flatMap(({ machines }) => machines);
        expect(new Set(made).size).toBe(made.length);
        const known = new Set(seen.machines.map(({ id }) => id));
        expect(made.filter((id) => known.has(id))).toEqual([]);
      }),
      RUNS,
    );
  });
});

describe('more to do', () => {
  /** What pools share may go to another pool: call tokens and `concurrent` are there for all. */
  const roomy = anyObservation.map((seen) => ({
    ...seen,
    budgets: new Map([[SITE, { launches: 100, instances: 1_000 }]]),
    concurrent: 1_000,
    maxMachines: 0,
  }));

  // Without a queue: there a create that came after the look may be one of its jobs, whichever pool that would have gone to.
  test('in creates, of any pools, never brings fewer machines', () => {
    const added = fc.array(fc.tuple(fc.constantFrom(...poolIds), fc.integer({ min: 0, max: 300 })), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(roomy, added, (seen, more) => {
        const waits = more.map(([pool, age], index) =>
          lease({ name: `zz-${index}`, pool, since: NOON - age * SECOND_MS }),
        );
        const after = { ...seen, leases: [...seen.leases, ...waits] };
        expect(serving(after, planTick(after, counter()))).toBeGreaterThanOrEqual(
          serving(seen, planTick(seen, counter())),
        );
      }),
      RUNS,
    );
  });

  test('in pending jobs never brings fewer machines', () => {
    fc.assert(
      fc.property(roomy, fc.array(anyGroup, { maxLength: 2 }), anyGroup, (drawn, groups, more) => {
        const seen = { ...drawn, queue: viewOf(groups) };
        const after = { ...drawn, queue: viewOf([...groups, more]) };
        expect(serving(after, planTick(after, counter()))).toBeGreaterThanOrEqual(
          serving(seen, planTick(seen, counter())),
        );
      }),
      RUNS,
    );
  });
});
