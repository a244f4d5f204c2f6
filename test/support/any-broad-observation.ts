// Arbitrary observations with what a pool may have beside the runner's policy: several places and markets, rules for on demand,
// each way to launch, a job queue in any state with announced stages and a forecast. Built on any-observation.ts.
import fc from 'fast-check';
import type { OnDemandRule } from '../../src/domain/config.ts';
import type { Market } from '../../src/domain/instance.ts';
import type { Observation, PoolView } from '../../src/domain/observation.ts';
import type { LaunchWay, Place } from '../../src/domain/offering.ts';
import type { ComingStage, ForecastSlot, JobGroup, PoolQueue, QueueView } from '../../src/domain/queue.ts';
import { MINUTE_MS, SECOND_MS } from '../../src/domain/units.ts';
import { anyObservation } from './any-observation.ts';
import { NOON } from './builders.ts';

export const poolIds = ['a', 'b', 'c'] as const;
const types = ['m5.large', 'm6i.large'];
const zones = ['eu-central-1a', 'eu-central-1b'];

const placesIn = (markets: readonly Market[], count: number): Place[] =>
  markets.flatMap((market) =>
    types
      .flatMap((type) => zones.map((zone) => ({ type, zone, market, subnetId: null, vcpus: 2 })))
      .slice(0, count),
  );

const rule = fc.constantFrom<OnDemandRule[]>(
  { kind: 'never' },
  { kind: 'when-short' },
  { kind: 'share', percent: 30 },
  { kind: 'base', count: 2 },
);

/** The pool with its places, or null where they are not looked up yet. */
function broad(view: PoolView): fc.Arbitrary<{ view: PoolView; places: Place[] | null }> {
  return fc
    .record({
      markets: fc.constantFrom<Market[][]>(['spot'], ['on-demand'], ['spot', 'on-demand']),
      way: fc.constantFrom<(LaunchWay | 'auto')[]>('auto', 'auto', 'fleet', 'run-instances', 'spot-request'),
      rebalance: fc.constantFrom('ignore' as const, 'drain' as const, 'replace' as const),
      count: fc.integer({ min: 1, max: 4 }),
      isKnown: fc.constantFrom(true, true, true, false),
      onDemand: rule,
    })
    .map(({ markets, way, rebalance, count, isKnown, onDemand }) => {
      const [market = 'spot'] = markets;
      const isMixed = markets.length > 1;
      const launch = { ...view.spec.launch, market, markets, way };
      const spec = {
        ...view.spec,
        rebalance,
        launch,
        onDemand: isMixed ? onDemand : ({ kind: 'never' } as const),
      };
      return { view: { ...view, spec }, places: isKnown ? placesIn(markets, count) : null };
    });
}

export const anyGroup: fc.Arbitrary<JobGroup> = fc
  .record({
    names: fc.subarray([...poolIds], { minLength: 1 }),
    age: fc.integer({ min: 0, max: 120 }),
    held: fc.constantFrom(false, false, true),
    jobs: fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 25 }),
  })
  .map(({ names, age, held, jobs }) => {
    const observedAt = NOON - age * SECOND_MS;
    const queuedAt = jobs.toSorted((one, other) => other - one).map((past) => observedAt - past * SECOND_MS);
    return { pools: names, observedAt, held, queuedAt };
  });

const anyStage: fc.Arbitrary<ComingStage> = fc
  .record({
    jobs: fc.integer({ min: 1, max: 20 }),
    leaving: fc.integer({ min: 0, max: 5 }),
    inS: fc.integer({ min: -60, max: 300 }),
    age: fc.integer({ min: 0, max: 30 }),
  })
  .map(({ jobs, leaving, inS, age }) => ({
    jobs,
    leaving,
    expectedAt: NOON + inS * SECOND_MS,
    observedAt: NOON - age * SECOND_MS,
  }));

const anyForecast: fc.Arbitrary<ForecastSlot[]> = fc
  .array(fc.integer({ min: 0, max: 20 }), { maxLength: 3 })
  .map((counts) => counts.map((jobs, index) => ({ from: NOON + (index - 1) * 15 * MINUTE_MS, jobs })));

/** A queue in which each pool is seen or not. */
export const anyQueue: fc.Arbitrary<QueueView> = fc
  .record({
    states: fc.array(fc.constantFrom('fresh' as const, 'fresh' as const, 'stale' as const), {
      minLength: 3,
      maxLength: 3,
    }),
    groups: fc.array(anyGroup, { maxLength: 3 }),
    coming: fc.array(fc.array(anyStage, { maxLength: 2 }), { minLength: 3, maxLength: 3 }),
    forecast: fc.array(anyForecast, { minLength: 3, maxLength: 3 }),
    otherJobs: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ states, groups, coming, forecast, otherJobs }) => {
    const each = poolIds.map((pool, index): [string, PoolQueue] => [
      pool,
      { pool, source: 'rest', state: states[index] ?? 'fresh', at: NOON, why: 'asked for', exact: true },
    ]);
    return {
      pools: new Map(each),
      groups,
      otherJobs,
      coming: new Map(poolIds.map((pool, index) => [pool, coming[index] ?? []])),
      forecast: new Map(poolIds.map((pool, index) => [pool, forecast[index] ?? []])),
    };
  });

/** Any observation at noon, with some of all that. */
export const anyBroadObservation: fc.Arbitrary<Observation> = anyObservation.chain((seen) =>
  fc
    .record({
      pools: fc.tuple(...seen.pools.map(broad)),
      onDemand: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      queue: fc.option(anyQueue, { nil: undefined }),
    })
    .map(({ pools, onDemand, queue }) => ({
      ...seen,
      pools: pools.map(({ view }) => view),
      places: new Map(pools.map(({ view, places }) => [view.spec.id, places])),
      // Some of the machines came on demand.
      machines: seen.machines.map((each, index) =>
        onDemand[index % onDemand.length] === true
          ? { ...each, offering: { ...each.offering, market: 'on-demand' as const } }
          : each,
      ),
      ...(queue === undefined ? {} : { queue }),
    })),
);
