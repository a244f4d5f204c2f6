// How many machines each pool wants: the formula of design §5 and nothing else. Launching and retiring follow from it.
// Trap: `concurrent` bounds jobs over all pools of the file (busy and demand), never idle machines.
import type { Lease } from '../domain/lease.ts';
import type { Allotment } from '../queue/allot-jobs.ts';
import { idleAhead } from './ahead.ts';
import { type Counts, countPool } from './count-pool.ts';
import { byAge, type Draft, type PoolDraft } from './draft.ts';
import { type IdleView, idleView } from './idle-policy.ts';
import { type Need, type PendingInput, seesQueue, sharePending } from './pending-jobs.ts';
import { updateReserve } from './reserve.ts';

export type Sizing = {
  pool: PoolDraft;
  counts: Counts;
  idle: IdleView;
  /** I with the reserve. */
  wantIdle: number;
  waiting: number;
  /** P: pending jobs of the queue that it may take and that no runner has claimed; 0 without a queue. */
  pending: number;
  /** Pending jobs of a look that is too old to launch for: what stands for them is kept. */
  heldJobs: number;
  /** Creates by which the runner fills its own idle. */
  fill: number;
  demand: number;
  /** Creates and pending jobs behind the demand, each oldest first. */
  demandBy: readonly Need[];
  /** Creates and pending jobs beyond what `concurrent` lets run. */
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

/** Moves the reserve of every pool; once a tick, before the sizes. Who sees the queue needs no guess at bursts. */
export function updateReserves(draft: Draft): void {
  for (const pool of draft.pools) {
    const { busy, held, ready } = countPool(pool);
    const { own, runner } = idleView(draft, pool, busy);
    updateReserve(draft, pool, { own, runner: seesQueue(draft, pool) ? 0 : runner, standing: held + ready });
  }
}

/** What is known of a pool before the pending jobs are shared. */
type Half = Omit<PendingInput, 'runnerIdle' | 'idleWants'> & {
  idle: IdleView;
  waiting: number;
  fill: number;
  /** Creates beyond what `concurrent` lets run. */
  cut: number;
};

/** I with the reserve. `loose`: claims of jobs that no look shows. */
function wantIdleOf(draft: Draft, { pool, idle }: Half, room: number, loose: Allotment['loose']): number {
  // Nobody can use more reserve than jobs may still start.
  const reserve = idle.runner > 0 ? Math.min(pool.memory.reserve, Math.max(0, room - idle.own)) : 0;
  return idleAhead(draft, pool, idle, loose) + reserve;
}

function finish(draft: Draft, half: Half, { room, jobs }: { room: number; jobs: Allotment }): Sizing {
  const { pool, counts, idle, waiting, fill, demandBy: creates } = half;
  const { limit } = pool.spec;
  const fresh = jobs.fresh.map((since): Need => ({ since, name: '' }));
  const pending = fresh.length;
  const demand = demandOf({ waiting: creates.length + fill, fill, pending, headroom: room });
  const wantIdle = wantIdleOf(draft, half, room, jobs.loose);
  const { busy, held, supply } = counts;
  const sum = { busy, held, demand, wantIdle, fill };
  const isFull = limit > 0 && busy + demand + jobs.held >= limit;
  const unbounded = wantedOf({ ...sum, limit: 0 }) + (isFull ? jobs.cut : 0);
  const due = pool.memory.draining ? busy : wantedOf({ ...sum, limit });
  // What an old look of the queue called for is kept while it stands, and never asked for again.
  const keep = pool.memory.draining ? 0 : Math.min(supply, due + jobs.held, limit > 0 ? limit : Infinity);
  const wanted = Math.max(due, keep);
  return {
    pool,
    counts,
    idle,
    wantIdle,
    waiting,
    pending: jobs.matching,
    heldJobs: jobs.held,
    fill,
    demand,
    demandBy: [...creates, ...fresh],
    cut: half.cut + (isFull ? 0 : jobs.cut),
    unbounded,
    wanted,
    missing: Math.max(0, wanted - supply),
    beyond: Math.max(0, supply - wanted),
  };
}

/**
 * The pool's counts for the formula. A machine just granted to a runner that holds idle ones fills its idle until a job is
 * known: taken for a job, each one would call for another while its door writes the folder.
 */
function countForSize(draft: Draft, pool: PoolDraft): Counts {
  const counts = countPool(pool);
  if (idleView(draft, pool, 0).runner === 0) return counts;
  const granted = pool.slots.filter(({ busy, lease }) => busy && lease?.state === 'granted').length;
  return { ...counts, busy: counts.busy - granted, held: counts.held + granted };
}

/** Sizes all pools as they stand after the steps so far, in the draft's order. */
export function sizePools(draft: Draft): Sizing[] {
  const counted = draft.pools.map((pool) => ({ pool, counts: countForSize(draft, pool) }));
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
  const halves = claims.map(({ leases, ...claim }): Half => {
    const demandBy = shares.get(claim.pool) ?? [];
    return { ...claim, demandBy, cut: leases.length - demandBy.length };
  });
  const creates = halves.reduce((sum, { demandBy }) => sum + demandBy.length, 0);
  const inputs = halves.map((half) => ({
    ...half,
    runnerIdle: half.idle.runner,
    idleWants: () => Math.max(wantIdleOf(draft, half, room, []), half.counts.held + half.fill),
  }));
  const jobsOf = sharePending(draft, inputs, room - creates);
  return halves.map((half) => finish(draft, half, { room, jobs: jobsOf(half.pool) }));
}
