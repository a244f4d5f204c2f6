// How many machines each pool wants: the formula of design §5 and nothing else. Launching and retiring follow from it.
// Trap: `concurrent` bounds jobs over all pools of the file (busy and demand), never idle machines.
import type { Lease } from '../domain/lease.ts';
import { type Counts, countPool } from './count-pool.ts';
import { byAge, type Draft, type PoolDraft } from './draft.ts';
import { type IdleView, idleView } from './idle-policy.ts';
import { updateReserve } from './reserve.ts';

export type Sizing = {
  pool: PoolDraft;
  counts: Counts;
  idle: IdleView;
  /** I with the reserve. */
  wantIdle: number;
  waiting: number;
  /** P: pending jobs that no runner has claimed; 0 until there is a queue source. */
  pending: number;
  /** Creates by which the runner fills its own idle. */
  fill: number;
  demand: number;
  /** The creates behind the demand, oldest first. */
  demandBy: readonly Lease[];
  /** Creates beyond what `concurrent` lets run. */
  cut: number;
  /** What would be wanted without `limit`. */
  unbounded: number;
  /** Bounded by `limit`. */
  wanted: number;
  missing: number;
  beyond: number;
};

/** Creates that only fill the runner's idle: `fill = clamp(R − H, 0, W)`. */
export function fillOf(runnerIdle: number, held: number, waiting: number): number {
  return Math.max(0, Math.min(runnerIdle - held, waiting));
}

/** `demand = (W − fill) + min(P, headroom)`. */
export function demandOf(input: {
  waiting: number;
  fill: number;
  pending: number;
  headroom: number;
}): number {
  return input.waiting - input.fill + Math.max(0, Math.min(input.pending, input.headroom));
}

/** `wanted = B + demand + max(I, H + fill)`, at most `limit` (0 = none). */
export function wantedOf(input: {
  busy: number;
  demand: number;
  wantIdle: number;
  held: number;
  fill: number;
  limit: number;
}): number {
  const wanted = input.busy + input.demand + Math.max(input.wantIdle, input.held + input.fill);
  return input.limit > 0 ? Math.min(wanted, input.limit) : wanted;
}

type Claim = { pool: PoolDraft; leases: readonly Lease[] };

/** Paused and draining pools launch nothing: their creates come last, so that they hold up no other pool's. */
function isStill({ memory }: PoolDraft): boolean {
  return memory.paused || memory.draining;
}

/** The creates that `concurrent` still lets become jobs, oldest first over all pools. */
function shareConcurrent(claims: readonly Claim[], room: number): Map<PoolDraft, readonly Lease[]> {
  const total = claims.reduce((sum, { leases }) => sum + leases.length, 0);
  if (total <= room) return new Map(claims.map(({ pool, leases }) => [pool, leases]));
  const kept = new Map<PoolDraft, Lease[]>(claims.map(({ pool }) => [pool, []]));
  const queue = claims.flatMap(({ pool, leases }) => leases.map((lease) => ({ pool, lease })));
  queue.sort((a, b) => Number(isStill(a.pool)) - Number(isStill(b.pool)) || byAge(a.lease, b.lease));
  for (const { pool, lease } of queue.slice(0, room)) kept.get(pool)?.push(lease);
  return kept;
}

/** Moves the reserve of every pool; once a tick, before the sizes. */
export function updateReserves(draft: Draft): void {
  for (const pool of draft.pools) updateReserve(draft, pool, idleView(draft, pool, countPool(pool).busy));
}

/** Sizes all pools as they stand after the steps so far, in the draft's order. */
export function sizePools(draft: Draft): Sizing[] {
  const counted = draft.pools.map((pool) => ({ pool, counts: countPool(pool) }));
  const busyInAll = counted.reduce((sum, { counts }) => sum + counts.busy, 0);
  const room = Math.max(0, draft.seen.concurrent - busyInAll);
  const claims = counted.map(({ pool, counts }) => {
    const idle = idleView(draft, pool, counts.busy);
    const waiting = pool.waiting.length;
    const fill = fillOf(idle.runner, counts.held, waiting);
    const { limit } = pool.spec;
    const most = limit > 0 ? Math.max(0, limit - counts.busy) : Infinity;
    // The oldest creates are the jobs, the newest fill the runner's idle: who waits longest is served as demand.
    const leases = pool.waiting.slice(0, Math.min(waiting - fill, most));
    return { pool, counts, idle, waiting, fill, leases };
  });
  const shares = shareConcurrent(claims, room);
  return claims.map(({ leases, ...claim }): Sizing => {
    const { pool, counts, idle, fill } = claim;
    const demandBy = shares.get(pool) ?? [];
    const pending = 0;
    const demand = demandOf({ waiting: demandBy.length + fill, fill, pending, headroom: room });
    // Nobody can use more reserve than jobs may still start.
    const reserve = idle.runner > 0 ? Math.min(pool.memory.reserve, Math.max(0, room - idle.own)) : 0;
    const wantIdle = idle.own + reserve;
    const { busy, held, supply } = counts;
    const sum = { busy, held, demand, wantIdle, fill };
    const unbounded = wantedOf({ ...sum, limit: 0 });
    const wanted = pool.memory.draining ? busy : wantedOf({ ...sum, limit: pool.spec.limit });
    const missing = Math.max(0, wanted - supply);
    const beyond = Math.max(0, supply - wanted);
    const cut = leases.length - demandBy.length;
    return { ...claim, wantIdle, pending, demand, demandBy, cut, unbounded, wanted, missing, beyond };
  });
}
