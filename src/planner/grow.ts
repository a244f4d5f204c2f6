// Which launches go out: demand before idle, the oldest job first over all pools, within every limit. One action is one
// RunInstances call for equal machines.
// Trap: what is held back must say by what; a pool that wants machines and gets none never stays silent.
import type { CallBudget } from '../domain/observation.ts';
import type { Reason, ReasonCode } from '../domain/reason.ts';
import { SECOND_MS } from '../domain/units.ts';
import { isCounted } from './count-pool.ts';
import { byAge, type Draft, note, wakeBy } from './draft.ts';
import type { Need } from './pending-jobs.ts';
import { batchBound, closingRest, restKeysFor } from './rest.ts';
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
  /** Machines that the pool's own limits still let in, and which of them ends first. */
  room: number;
  roomEnds: ReasonCode;
  batch: number;
  calls: number;
  demand: number;
  idle: number;
};

type Fleet = { room: number };

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

function roomOf(
  draft: Draft,
  { pool, counts, missing, waiting, demand }: Sizing,
): { room: number; ends: ReasonCode } {
  if (pool.memory.paused) return { room: 0, ends: 'paused' };
  if (pool.memory.draining) return { room: 0, ends: 'draining-pool' };
  const { limit, maxComing, launch } = pool.spec;
  if (isBlind(draft, launch.site.key)) return { room: 0, ends: 'stale-instances' };
  const keys = restKeysFor(launch.site.key, pool.spec.id, pool.offering);
  const closed = closingRest(draft.seen.rests, keys, draft.now, waiting + demand > 0);
  if (closed !== null && missing > 0) {
    wakeBy(draft, closed.until);
    note(pool, 'offering-closed', {
      code: closed.rest.outcome.code,
      kind: closed.rest.outcome.kind,
      failures: closed.rest.failures,
      next_try_in_s: Math.ceil((closed.until - draft.now) / SECOND_MS),
    });
  }
  if (closed !== null) return { room: 0, ends: 'offering-closed' };
  const byLimit = limit > 0 ? limit - counts.counted : Infinity;
  const byComing = maxComing > 0 ? maxComing - counts.coming : Infinity;
  return byComing < byLimit ? { room: byComing, ends: 'max-coming' } : { room: byLimit, ends: 'limit' };
}

function toOrder(draft: Draft, sizing: Sizing): Order {
  const { spec, offering } = sizing.pool;
  const site = spec.launch.site.key;
  const { room, ends } = roomOf(draft, sizing);
  return {
    sizing,
    site: draft.budgets.get(site) ?? { launches: 0, instances: 0 },
    room,
    roomEnds: ends,
    batch: batchBound(draft.seen.rests, restKeysFor(site, spec.id, offering), draft.now),
    calls: 0,
    demand: 0,
    idle: 0,
  };
}

/** Puts one machine on the order, or says what is in the way. */
function place(order: Order, fleet: Fleet, kind: Kind): ReasonCode | null {
  const size = order.demand + order.idle;
  if (size >= order.room) return order.roomEnds;
  if (fleet.room <= 0) return 'max-machines';
  if (order.site.instances < 1) return 'ec2-budget';
  if (size >= order.calls * order.batch) {
    const kept = kind === 'idle' ? CALLS_KEPT_FOR_DEMAND : 0;
    if (order.site.launches <= kept) return 'ec2-budget';
    order.site.launches -= 1;
    order.calls += 1;
  }
  order.site.instances -= 1;
  fleet.room -= 1;
  order[kind] += 1;
  return null;
}

/** The creates and pending jobs that need a machine of their own: creates and the oldest get what is ready or coming. */
function unserved({ counts, demandBy, demand, missing }: Sizing): readonly Need[] {
  const short = Math.min(missing, Math.max(0, demand - counts.ready - counts.coming));
  return demandBy.slice(demandBy.length - Math.min(short, demandBy.length));
}

function orderDemand(draft: Draft, orders: readonly Order[], fleet: Fleet): void {
  const queue = orders.flatMap((order) => unserved(order.sizing).map((need) => ({ order, need })));
  queue.sort((a, b) => byAge(a.need, b.need));
  for (const { order } of queue) holdBack(draft, order, place(order, fleet, 'demand'), 1);
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

function holdBack(draft: Draft, { sizing }: Order, obstacle: ReasonCode | null, machines: number): void {
  if (obstacle === null) return;
  note(sizing.pool, obstacle, { held_back: machines });
  // EC2's bucket fills by 2 calls a second.
  if (obstacle === 'ec2-budget') wakeBy(draft, draft.now + SECOND_MS);
}

function idleReason({ idle, wantIdle }: Sizing): ReasonCode {
  if (wantIdle > idle.own) return 'reserve-doubled';
  return idle.own > idle.ownNow ? 'idle-ahead' : 'idle-wanted';
}

function send(draft: Draft, order: Order, make: Make): void {
  const { pool } = order.sizing;
  let [demand, idle] = [order.demand, order.idle];
  const idleCode = idleReason(order.sizing);
  if (demand > 0) note(pool, 'demand', { launched: demand });
  if (idle > 0) note(pool, idleCode, { launched: idle });
  while (demand + idle > 0) {
    const size = Math.min(order.batch, demand + idle);
    const forDemand = Math.min(demand, size);
    demand -= forDemand;
    idle -= size - forDemand;
    const reason: Reason = {
      code: forDemand > 0 ? 'demand' : idleCode,
      pool: pool.spec.id,
      detail: { demand: forDemand, idle: size - forDemand },
    };
    draft.actions.push({
      kind: 'launch',
      pool: pool.spec.id,
      offering: pool.offering,
      machines: Array.from({ length: size }, () => make.machineId()),
      token: make.token(),
      for: forDemand > 0 ? 'demand' : 'idle',
      reason,
    });
  }
}

/** Orders what is missing; launches for the pool whose job waits longest come first. */
export function growPools(draft: Draft, sizings: readonly Sizing[], make: Make): void {
  const max = draft.seen.maxMachines;
  const unrecorded = draft.pools.reduce((sum, pool) => sum + pool.unrecorded, 0);
  const standing = draft.slots.reduce((sum, slot) => sum + Number(isCounted(slot)), unrecorded);
  const fleet: Fleet = { room: max > 0 ? max - standing : Infinity };
  const orders = sizings.filter(({ missing }) => missing > 0).map((sizing) => toOrder(draft, sizing));
  orderDemand(draft, orders, fleet);
  orderIdle(draft, orders, fleet);
  const oldest = ({ sizing, demand }: Order) => (demand > 0 ? (unserved(sizing)[0]?.since ?? 0) : Infinity);
  const sorted = orders.toSorted((a, b) => {
    const [left, right] = [oldest(a), oldest(b)];
    return left === right ? 0 : left - right;
  });
  for (const order of sorted) send(draft, order, make);
}
