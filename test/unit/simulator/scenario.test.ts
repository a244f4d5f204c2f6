// What the seeds of the big run are made of: a fault in a way to launch is found only where many seeds go that way.
import { expect, test } from 'vitest';
import { scenarioOf } from '../../../src/simulator/run/scenario.ts';

const SEEDS = 300;
/** Seeds that meet a thing, at least: a tenth. */
const OFTEN = 30;

/** What a seed's pools meet: ways to launch, rules for on demand, breadth. */
function metBy(seed: number): Set<string> {
  const { pools, clouds, way, queue, looksAhead } = scenarioOf(seed);
  const met = new Set<string>([`runner ${way}`, `queue ${queue}`]);
  if (looksAhead) met.add('look-ahead');
  for (const [index, { market }] of pools.entries()) {
    const { types = [], zones = [], launch, onDemand, rebalance } = clouds[index] ?? {};
    const offerings = types.length * zones.length;
    const usual = offerings > 1 ? 'fleet' : 'run-instances';
    met.add(`${market} by ${launch === 'auto' ? usual : launch}`);
    met.add(`${market} at ${offerings > 1 ? 'several offerings' : 'one offering'}`);
    if (market === 'spot') met.add(`on_demand ${onDemand}`).add(`rebalance ${rebalance}`);
  }
  return met;
}

test('each way to launch, each rule for on demand and each way of a runner is met by a tenth of the seeds', () => {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= SEEDS; seed += 1)
    for (const thing of metBy(seed)) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  const things = [
    ...['run-instances', 'fleet', 'spot-request'].map((launch) => `spot by ${launch}`),
    ...['run-instances', 'fleet'].map((launch) => `on-demand by ${launch}`),
    ...['spot', 'on-demand'].flatMap((market) => [
      `${market} at several offerings`,
      `${market} at one offering`,
    ]),
    ...['never', 'when-short', '30%', '2'].map((rule) => `on_demand ${rule}`),
    ...['ignore', 'drain', 'replace'].map((rule) => `rebalance ${rule}`),
    ...['on-demand', 'drop-in', 'standing'].map((way) => `runner ${way}`),
    ...['off', 'on', 'webhook'].map((queue) => `queue ${queue}`),
    'look-ahead',
  ];
  const rare = things.flatMap((thing) => {
    const count = counts.get(thing) ?? 0;
    return count < OFTEN ? [`${thing}: ${count}`] : [];
  });
  expect(rare).toEqual([]);
});
