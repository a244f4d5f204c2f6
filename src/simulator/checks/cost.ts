// The bound on what a run may cost, pool by pool and market by market, each machine at the price of the market it really runs in.
// An oracle that knows all jobs needs their time, a boot and the idle time for each, and the idle machines that the file wants,
// at the highest price of its places; on demand it pays only for what the pool's rule asks for or a short spot market explains.
// Faults cost what they cost: each adds an allowance.
// Must stay generous: it is there to find a leak, a storm or the wrong market, not to grade a policy.
import { type DurationMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import { instanceType } from '../../sim/instance-types.ts';
import { type FaultName, faults } from '../faults/fault-names.ts';
import type { CloudWish } from '../run/cloud-wish.ts';
import type { CostSum } from '../run/cost-book.ts';
import type { Scenario } from '../run/scenario.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';

/** How much worse than the oracle is still no leak. */
const FACTOR = 1.25;
/** Machine time that one fault may waste: its host until its time limits, and the one that replaces it. */
const A_FAULT_MS: DurationMs = 40 * MINUTE_MS;
/** The same of what hits a share of all calls, boots and doors: a machine that nobody asked for, until it is found and ended. */
const A_SHARE_MS: DurationMs = 15 * MINUTE_MS;
/** Idle machines that a standing runner holds whatever its file says, and what stands while one takes another's place. */
const STANDING = 5;
const CHANGING = 2;
/** After these spot may be short, so that jobs go on demand. */
const shortening: readonly FaultName[] = [
  'capacity-drought',
  'zone-outage',
  'spot-prices',
  'spot-quota',
  'spot-reclaim',
  'ec2-failed',
  'ec2-throttled',
];

export type CostInput = {
  stage: Stage;
  scenario: Scenario;
  book: BreachBook;
  sum: CostSum;
  elapsedMs: DurationMs;
  fired: Readonly<Record<string, number>>;
};

type Bound = { machineMs: DurationMs; onDemandMs: DurationMs; usd: number };

/** Time that the jobs of a pool had a host; all of them where there is one pool only. */
function neededBy({ stage, scenario }: CostInput, pool: string): DurationMs {
  let ms = 0;
  for (const { hostAt, endedAt, createdAt, tags } of stage.gitlab.jobs()) {
    if (scenario.pools.length > 1 && !tags.includes(pool)) continue;
    ms += Math.max(0, (endedAt ?? createdAt) - (hostAt ?? endedAt ?? createdAt));
  }
  return ms;
}

/** The highest price of a pool's places, USD an hour. Prices that moved went up to the one on demand. */
function pricesOf({ stage, fired }: CostInput, { types, zones }: CloudWish) {
  let [spot, onDemand] = [0, 0];
  for (const name of types) {
    const type = instanceType(name);
    if (type === null) continue;
    onDemand = Math.max(onDemand, type.hourlyUsd);
    for (const zone of zones) spot = Math.max(spot, stage.world.prices.of(type, `eu-central-1${zone}`));
  }
  return { onDemand, spot: (fired['spot-prices'] ?? 0) > 0 ? Math.max(spot, onDemand) : spot };
}

/** Machine time on demand that the pool's rule explains, of `machineMs` in all. */
function onDemandOf(input: CostInput, index: number, machineMs: DurationMs): DurationMs {
  const { scenario, elapsedMs, fired } = input;
  if (scenario.pools[index]?.market !== 'spot') return machineMs;
  const rule = scenario.clouds[index]?.onDemand ?? 'never';
  if (rule === 'never') return 0;
  if (rule === 'when-short') return shortening.some((name) => (fired[name] ?? 0) > 0) ? machineMs : 0;
  // A share is rounded up, and kept while spot machines come and go beside it.
  if (rule === '30%') return FACTOR * (0.3 * machineMs + elapsedMs);
  return FACTOR * 2 * elapsedMs;
}

function wastedBy(fired: CostInput['fired']): DurationMs {
  let ms = 0;
  for (const [name, count] of Object.entries(fired)) {
    const isOfMany = Object.hasOwn(faults, name) && 'rate' in faults[name as FaultName];
    ms += count * (isOfMany ? A_SHARE_MS : A_FAULT_MS);
  }
  return ms;
}

function boundOf(input: CostInput, index: number, id: string): Bound | null {
  const { scenario, elapsedMs, fired } = input;
  const pool = scenario.pools[index];
  const cloud = scenario.clouds[index];
  if (pool === undefined || cloud === undefined) return null;
  const jobs = scenario.jobs.filter((job) => job.pool === index).length;
  const overheadMs = jobs * (scenario.bootMs + pool.idleTimeS * 1000 + 2 * MINUTE_MS);
  const idle = Math.max(pool.idleCount, scenario.way === 'standing' ? STANDING : 0) + CHANGING;
  const machineMs = FACTOR * (neededBy(input, id) + overheadMs + idle * elapsedMs) + wastedBy(fired);
  const onDemandMs = Math.min(machineMs, onDemandOf(input, index, machineMs));
  const price = pricesOf(input, cloud);
  const usd = (onDemandMs * price.onDemand + (machineMs - onDemandMs) * price.spot) / HOUR_MS;
  return { machineMs, onDemandMs, usd };
}

const hours = (ms: DurationMs) => (ms / HOUR_MS).toFixed(1);

/** Compares what ran with what an oracle would have run and paid. */
export function checkCost(input: CostInput): void {
  const { stage, book, sum } = input;
  for (const [index, { id }] of stage.config().pools.entries()) {
    const bound = boundOf(input, index, id);
    if (bound === null) continue;
    const mine = sum.shares.filter(({ pool }) => pool === id);
    const total = (of: 'machineMs' | 'costUsd') => mine.reduce((all, share) => all + share[of], 0);
    const onDemandMs = mine.find(({ market }) => market === 'on-demand')?.machineMs ?? 0;
    if (total('machineMs') > bound.machineMs)
      book.add(
        'cost',
        `${id}: ${hours(total('machineMs'))} machine-hours, ${hours(bound.machineMs)} explained`,
      );
    if (onDemandMs > bound.onDemandMs)
      book.add('cost', `${id}: ${hours(onDemandMs)} hours on demand, ${hours(bound.onDemandMs)} explained`);
    if (total('costUsd') > bound.usd)
      book.add('cost', `${id}: ${total('costUsd').toFixed(2)} USD, ${bound.usd.toFixed(2)} explained`);
  }
  const nobodys = sum.shares.find(({ pool }) => pool === null);
  if (nobodys !== undefined && nobodys.machineMs > HOUR_MS)
    book.add('cost', `${hours(nobodys.machineMs)} machine-hours belong to no pool`);
}
