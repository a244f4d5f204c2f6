// What holds for every plan also where pools choose among places and markets, and where the job queue is seen, announced or
// foretold.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Observation } from '../../src/domain/observation.ts';
import type { Plan } from '../../src/domain/plan.ts';
import { MINUTE_MS } from '../../src/domain/units.ts';
import { breaches } from '../../src/planner/check.ts';
import { planTick } from '../../src/planner/plan.ts';
import { anyBroadObservation, anyQueue } from '../support/any-broad-observation.ts';
import { applyPlan } from '../support/apply-plan.ts';
import { counter, lease, NOON, SITE } from '../support/builders.ts';

const RUNS = { numRuns: 250 };

const launchesOf = (plan: Plan) =>
  plan.actions.flatMap((action) => (action.kind === 'launch' ? [action] : []));

const shuffled = <T>(list: readonly T[]) => fc.shuffledSubarray([...list], { minLength: list.length });

describe('every plan with places, markets and a queue', () => {
  test('breaks no rule of the checker', () => {
    fc.assert(
      fc.property(anyBroadObservation, (seen) => {
        expect(breaches(seen, planTick(seen, counter()))).toEqual([]);
      }),
      RUNS,
    );
  });

  // A job that several pools may take can move to another one when what stands has changed; it counts once all the same.
  test('is followed by an empty one until an answer comes, where each job fits one pool', () => {
    const each = anyBroadObservation.map((seen): Observation => {
      if (seen.queue === undefined) return seen;
      const groups = seen.queue.groups.map((group) => ({ ...group, pools: group.pools.slice(0, 1) }));
      return { ...seen, queue: { ...seen.queue, groups } };
    });
    fc.assert(
      fc.property(each, (seen) => {
        const after = applyPlan(seen, planTick(seen, counter()));
        expect(planTick(after, counter('next')).actions).toEqual([]);
      }),
      RUNS,
    );
  });

  test('does not depend on the order of what was seen, in the queue and in listings too', () => {
    const both = anyBroadObservation.chain((seen) => {
      const source = seen.instances.get(SITE);
      const { queue } = seen;
      return fc
        .record({
          pools: shuffled(seen.pools),
          machines: shuffled(seen.machines),
          leases: shuffled(seen.leases),
          listed: shuffled(source === undefined || source.kind === 'failed' ? [] : source.value),
          groups: shuffled(queue?.groups ?? []),
        })
        .map(({ listed, groups, ...other }): { seen: Observation; other: Observation } => ({
          seen,
          other: {
            ...seen,
            ...other,
            ...(source === undefined || source.kind === 'failed'
              ? {}
              : { instances: new Map([[SITE, { ...source, value: listed }]]) }),
            ...(queue === undefined ? {} : { queue: { ...queue, groups } }),
          },
        }));
    });
    fc.assert(
      fc.property(both, ({ seen, other }) => {
        expect(planTick(other, counter())).toEqual(planTick(seen, counter()));
      }),
      RUNS,
    );
  });

  test('launches at places and in markets of the pool only, and within its limit', () => {
    fc.assert(
      fc.property(anyBroadObservation, (seen) => {
        const plan = planTick(seen, counter());
        const buried = new Set(
          plan.actions.flatMap((action) => (action.kind === 'bury' ? [action.machine] : [])),
        );
        for (const { pool, offering, places, machines } of launchesOf(plan)) {
          const known = seen.places?.get(pool) ?? null;
          const spec = seen.pools.find((view) => view.spec.id === pool)?.spec;
          expect(spec?.launch.markets).toContain(offering.market);
          for (const place of places ?? []) {
            expect(place.market).toBe(offering.market);
            expect(known).toContainEqual(place);
          }
          const standing = seen.machines.filter(
            (each) =>
              each.pool === pool &&
              !buried.has(each.id) &&
              !(each.phase === 'terminating' && each.endAccepted) &&
              !plan.actions.some(
                (action) =>
                  action.kind === 'forget-launch' && action.token === each.launch && each.instance === null,
              ),
          ).length;
          if ((spec?.limit ?? 0) > 0)
            expect(standing + machines.length).toBeLessThanOrEqual(spec?.limit ?? 0);
        }
      }),
      RUNS,
    );
  });

  test('ends nothing while EC2 cannot be listed', () => {
    const ends = new Set(['retire', 'terminate', 'bury', 'end-orphan', 'adopt', 'match']);
    fc.assert(
      fc.property(anyBroadObservation, fc.boolean(), (seen, isOld) => {
        const source = seen.instances.get(SITE);
        const value = source === undefined || source.kind === 'failed' ? [] : source.value;
        const lost = isOld
          ? { kind: 'stale' as const, value, at: NOON - 5 * MINUTE_MS, why: 'down' }
          : { kind: 'failed' as const, why: 'down' };
        const plan = planTick({ ...seen, instances: new Map([[SITE, lost]]) }, counter());
        expect(plan.actions.filter(({ kind }) => ends.has(kind))).toEqual([]);
      }),
      RUNS,
    );
  });

  test('keeps for jobs that went out of sight what it kept while they were seen', () => {
    fc.assert(
      fc.property(anyBroadObservation, anyQueue, (drawn, queue) => {
        const as = (state: 'fresh' | 'stale'): Observation => {
          const pools = [...queue.pools].map(([id, each]) => [id, { ...each, state }] as const);
          const groups = queue.groups.map((group) => ({ ...group, held: state === 'stale' }));
          return { ...drawn, queue: { ...queue, pools: new Map(pools), groups } };
        };
        const ended = (seen: Observation) =>
          planTick(seen, counter()).actions.filter(
            (action) => action.kind === 'retire' && action.reason.code === 'idle-time',
          ).length;
        expect(ended(as('stale'))).toBeLessThanOrEqual(ended(as('fresh')));
      }),
      RUNS,
    );
  });

  test('with one more create leaves no fewer machines to serve, without a queue', () => {
    fc.assert(
      fc.property(anyBroadObservation, fc.constantFrom('a', 'b', 'c'), (drawn, pool) => {
        const { queue: _queue, ...unseen } = drawn;
        const budgets = new Map([[SITE, { launches: 100, instances: 1_000 }]]);
        const seen = { ...unseen, budgets, concurrent: 1_000, maxMachines: 0 };
        const more = { ...seen, leases: [...seen.leases, lease({ name: 'zz-one-more', pool, since: NOON })] };
        const serving = (from: Observation) => {
          const plan = planTick(from, counter());
          const ended = new Set(
            plan.actions.flatMap((action) =>
              action.kind === 'retire' || action.kind === 'drain' || action.kind === 'bury'
                ? [action.machine]
                : [],
            ),
          );
          const stay = from.machines.filter(
            ({ id, phase, ending }) => phase !== 'terminating' && ending === null && !ended.has(id),
          );
          return stay.length + launchesOf(plan).reduce((sum, { machines }) => sum + machines.length, 0);
        };
        expect(serving(more)).toBeGreaterThanOrEqual(serving(seen));
      }),
      RUNS,
    );
  });
});
