// Which launches go out: demand before idle, the oldest job first over all pools, within every limit. One action is one
// launch call for equal machines of one market.
// Trap: what is held back must say by what; a pool that wants machines and gets none never stays silent.
import type { CostBound } from '../domain/cost.ts';
import { offeringKey } from '../domain/instance.ts';
import type { CallBudget } from '../domain/observation.ts';
import type { Reason, ReasonCode } from '../domain/reason.ts';
import { type EpochMs, SECOND_MS } from '../domain/units.ts';
import { isCounted } from './count-pool.ts';
import { byAge, type Draft, note, type PoolDraft, wakeBy } from './draft.ts';
import {
  bucketIn,
  claimProbe,
  type GateBook,
  type Lane,
  laneOf,
  MAX_OPEN_REQUESTS,
  openGates,
  openRequests,
  triesLeft,
} from './lanes.ts';
import { fallbackAt, type Mix, marketsFor, mixOf, whyLane } from './market-choice.ts';
import type { Need } from './pending-jobs.ts';
import type { Sizing } from './size.ts';

/** Ids and tokens come in from outside: the planner makes nothing up. */
export type Make = { machineId(): string; token(): string };

/** RunInstances calls that idle machines may not use, so that a job never waits for a token (design §5). */
export const CALLS_KEPT_FOR_DEMAND = 2;

type Kind = 'demand' | 'idle';

/** What one pool gets in this tick. */
type Order = {
  sizing: Sizing;
  site: CallBudget;
  lanes: readonly Lane[];
  mix: Mix;
  /** Machines that the pool's own limits still let in, and which of them ends first. */
  room: number;
  roomEnds: ReasonCode;
  /** Launch calls that may still go out before `failed_launches_per_minute` could be passed, and when there are more. */
  tries: { left: number; nextAt: EpochMs };
  demand: number;
  idle: number;
};

type Fleet = {
  room: number;
  /** Spot requests that may still be opened. */
  requests: number;
  /** USD an hour that `max_cost_per_hour` leaves; Infinity = no bound. */
  usd: number;
  costs: CostBound | null;
  /** False: another pool has sent the probe that this lane would be. */
  claim(lane: Lane): boolean;
};

/**
 * Nothing is on record at this site and EC2 has not shown it yet. The database may be lost: its machines would stand beside
 * those that are launched now.
 */
function isBlind(draft: Draft, site: string): boolean {
  return (
    draft.seen.instances.get(site)?.kind === 'failed' &&
    !draft.slots.some(({ machine }) => machine.site === site)
  );
}

/** Requests of a state that was lost may be open, and filled beside those of now. */
function isUnseen(draft: Draft, { launch }: PoolDraft['spec']): boolean {
  return launch.way === 'spot-request' && draft.seen.strayRequests?.get(launch.site.key) === null;
}

function roomOf(draft: Draft, { pool, counts }: Sizing): { room: number; ends: ReasonCode } {
  if (pool.memory.paused) return { room: 0, ends: 'paused' };
  if (pool.memory.draining) return { room: 0, ends: 'draining-pool' };
  const { limit, maxComing, launch } = pool.spec;
  if (isBlind(draft, launch.site.key)) return { room: 0, ends: 'stale-instances' };
  if (isUnseen(draft, pool.spec)) return { room: 0, ends: 'requests-unseen' };
  const byLimit = limit > 0 ? limit - counts.counted : Infinity;
  const byComing = maxComing > 0 ? maxComing - counts.coming : Infinity;
  return byComing < byLimit ? { room: byComing, ends: 'max-coming' } : { room: byLimit, ends: 'limit' };
}

/** Says what closes the pool's markets and when it is tried again. */
function noteClosed(draft: Draft, { pool, missing }: Sizing, lanes: readonly Lane[]): void {
  for (const { gate, market } of lanes) {
    if (gate.kind === 'free' || missing === 0) continue;
    const { code, kind } = gate.rest.outcome;
    if (gate.kind === 'closed') wakeBy(draft, gate.until);
    else if (missing > 1) note(pool, 'offering-closed', { code, kind, market, probe: true });
    if (gate.kind === 'probe' || pool.notes.has('offering-closed')) continue;
    note(pool, 'offering-closed', {
      code,
      kind,
      market,
      failures: gate.rest.failures,
      next_try_in_s: Math.max(0, Math.ceil((gate.until - draft.now) / SECOND_MS)),
    });
  }
}

function toOrder(draft: Draft, sizing: Sizing, book: GateBook): Order {
  const { pool, waiting, demand } = sizing;
  const { launch } = pool.spec;
  const { room, ends } = roomOf(draft, sizing);
  const lanes = launch.markets.flatMap(
    (market) => laneOf(draft, pool, market, { book, jobsWait: waiting + demand > 0 }) ?? [],
  );
  noteClosed(draft, sizing, lanes);
  return {
    sizing,
    site: draft.budgets.get(launch.site.key) ?? { launches: 0, instances: 0 },
    lanes,
    mix: mixOf(pool.slots),
    room,
    roomEnds: ends,
    tries: triesLeft(draft, pool),
    demand: 0,
    idle: 0,
  };
}

/** With an unpriced machine standing nobody knows what is left: a bound that might be broken is kept. */
function usdLeft(costs: CostBound | null): number {
  if (costs === null) return Infinity;
  return costs.unpriced > 0 ? Number.NEGATIVE_INFINITY : costs.leftUsdPerHour;
}

/** USD an hour of the lane's dearest place, since EC2 chooses; Infinity where a price is not known. 0 without a bound. */
function dearest(costs: CostBound | null, pool: PoolDraft, lane: Lane): number {
  if (costs === null) return 0;
  const site = pool.spec.launch.site.key;
  const places = lane.places ?? [lane.offering];
  return Math.max(...places.map((one) => costs.prices.get(`${site}/${offeringKey(one)}`) ?? Infinity));
}

/** Puts one machine on a lane, or says what is in the way. */
function placeOn(order: Order, lane: Lane, fleet: Fleet, kind: Kind): ReasonCode | null {
  const size = lane.demand + lane.idle;
  if (lane.gate.kind === 'closed' || size >= lane.most) return 'offering-closed';
  const usd = dearest(fleet.costs, order.sizing.pool, lane);
  if (usd > fleet.usd) return 'max-cost';
  if (lane.way === 'spot-request' && fleet.requests <= 0) return 'open-requests';
  if (size >= lane.calls * lane.batch) {
    const kept = kind === 'idle' ? CALLS_KEPT_FOR_DEMAND : 0;
    const bucket = bucketIn(order.site, lane.way);
    const left = order.site[bucket] ?? 0;
    if (left <= kept) return 'ec2-budget';
    if (order.tries.left <= 0) return 'failed-launches';
    if (!fleet.claim(lane)) return 'offering-closed';
    order.site[bucket] = left - 1;
    order.tries.left -= 1;
    lane.calls += 1;
  }
  order.site.instances -= 1;
  fleet.room -= 1;
  fleet.usd -= usd;
  if (lane.way === 'spot-request') fleet.requests -= 1;
  if (lane.market === 'spot') order.mix.spot += 1;
  else order.mix.onDemand += 1;
  lane[kind] += 1;
  order[kind] += 1;
  return null;
}

/** Places one machine by the pool's limits and its rule of markets; `fallback`: on demand will do as well. */
function place(order: Order, fleet: Fleet, kind: Kind, fallback = false): ReasonCode | null {
  if (order.demand + order.idle >= order.room) return order.roomEnds;
  if (fleet.room <= 0) return 'max-machines';
  if (order.site.instances < 1) return 'ec2-budget';
  const wanted = marketsFor(order.sizing.pool, order.mix);
  const first = order.lanes.find(({ market }) => wanted.includes(market));
  const obstacle = first === undefined ? 'offering-closed' : placeOn(order, first, fleet, kind);
  const second = order.lanes.find((lane) => lane !== first && lane.market === 'on-demand');
  const isShort = obstacle === 'offering-closed' || obstacle === 'open-requests';
  return isShort && fallback && second !== undefined ? placeOn(order, second, fleet, kind) : obstacle;
}

/** Whether this need has waited for spot long enough; else the time when it has is a time to look again. */
function mayFallBack(draft: Draft, pool: PoolDraft, need: Need): boolean {
  const at = fallbackAt(pool, need.since);
  if (at === null) return false;
  wakeBy(draft, at);
  return at <= draft.now;
}

/** The creates and pending jobs that need a machine of their own: creates and the oldest get what is ready or coming. */
function unserved({ counts, demandBy, demand, missing }: Sizing): readonly Need[] {
  const short = Math.min(missing, Math.max(0, demand - counts.ready - counts.coming));
  return demandBy.slice(demandBy.length - Math.min(short, demandBy.length));
}

function orderDemand(draft: Draft, orders: readonly Order[], fleet: Fleet): void {
  const queue = orders.flatMap((order) => unserved(order.sizing).map((need) => ({ order, need })));
  queue.sort((a, b) => byAge(a.need, b.need));
  for (const { order, need } of queue) {
    const fallback = mayFallBack(draft, order.sizing.pool, need);
    holdBack(draft, order, place(order, fleet, 'demand', fallback), 1);
  }
}

/** One machine a pool and round, so that a big pool does not starve a small one. */
function orderIdle(draft: Draft, orders: readonly Order[], fleet: Fleet): void {
  let open = orders.map((order) => ({ order, left: order.sizing.missing - unserved(order.sizing).length }));
  while (open.length > 0) {
    const next: typeof open = [];
    for (const { order, left } of open) {
      if (left <= 0) continue;
      const obstacle = place(order, fleet, 'idle');
      if (obstacle === null) next.push({ order, left: left - 1 });
      else holdBack(draft, order, obstacle, left);
    }
    open = next;
  }
}

function holdBack(
  draft: Draft,
  { sizing, tries }: Order,
  obstacle: ReasonCode | null,
  machines: number,
): void {
  if (obstacle === null) return;
  const { costs } = draft.seen;
  const money =
    obstacle === 'max-cost' && costs !== undefined
      ? { left_usd_per_hour: Math.round(costs.leftUsdPerHour * 1e4) / 1e4, unpriced_machines: costs.unpriced }
      : {};
  note(sizing.pool, obstacle, { held_back: machines, ...money });
  // EC2's bucket fills by 2 calls a second.
  if (obstacle === 'ec2-budget') wakeBy(draft, draft.now + SECOND_MS);
  if (obstacle === 'failed-launches') wakeBy(draft, tries.nextAt);
}

function idleReason({ idle, wantIdle }: Sizing): ReasonCode {
  if (wantIdle > idle.own) return 'reserve-doubled';
  return idle.own > idle.ownNow ? 'idle-ahead' : 'idle-wanted';
}

function send(draft: Draft, order: Order, make: Make): void {
  const { pool } = order.sizing;
  const idleCode = idleReason(order.sizing);
  if (order.demand > 0) note(pool, 'demand', { launched: order.demand });
  if (order.idle > 0) note(pool, idleCode, { launched: order.idle });
  for (const lane of order.lanes) {
    let [demand, idle] = [lane.demand, lane.idle];
    while (demand + idle > 0) {
      const size = Math.min(lane.batch, demand + idle);
      const forDemand = Math.min(demand, size);
      demand -= forDemand;
      idle -= size - forDemand;
      const reason: Reason = {
        code: forDemand > 0 ? 'demand' : idleCode,
        pool: pool.spec.id,
        detail: { demand: forDemand, idle: size - forDemand, why: whyLane(pool, lane) },
      };
      draft.actions.push({
        kind: 'launch',
        pool: pool.spec.id,
        offering: lane.offering,
        way: lane.way,
        ...(lane.places !== null && { places: lane.places }),
        machines: Array.from({ length: size }, () => make.machineId()),
        token: make.token(),
        for: forDemand > 0 ? 'demand' : 'idle',
        reason,
      });
    }
  }
}

/** Orders what is missing; launches for the pool whose job waits longest come first. */
export function growPools(draft: Draft, sizings: readonly Sizing[], make: Make): void {
  const max = draft.seen.maxMachines;
  const unrecorded = draft.pools.reduce((sum, pool) => sum + pool.unrecorded, 0);
  const standing = draft.slots.reduce((sum, slot) => sum + Number(isCounted(slot)), unrecorded);
  const book = openGates(draft);
  const fleet: Fleet = {
    claim: (lane) => claimProbe(book, lane, draft.now),
    room: max > 0 ? max - standing : Infinity,
    requests: MAX_OPEN_REQUESTS - openRequests(draft.seen),
    usd: usdLeft(draft.seen.costs ?? null),
    costs: draft.seen.costs ?? null,
  };
  const short = sizings.filter(({ missing }) => missing > 0);
  if (short.length === 0) return;
  const orders = short.map((sizing) => toOrder(draft, sizing, book));
  orderDemand(draft, orders, fleet);
  orderIdle(draft, orders, fleet);
  const oldest = ({ sizing, demand }: Order) => (demand > 0 ? (unserved(sizing)[0]?.since ?? 0) : Infinity);
  const sorted = orders.toSorted((a, b) => {
    const [left, right] = [oldest(a), oldest(b)];
    return left === right ? 0 : left - right;
  });
  for (const order of sorted) send(draft, order, make);
}
