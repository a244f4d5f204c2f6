// The queue's part of a pool's size: which pending jobs it should have machines for, beside the creates that wait.
// Trap: a job that was claimed since the queue was seen is in the look and in our leases, too; it must count once.
import type { Lease } from '../domain/lease.ts';
import type { EpochMs } from '../domain/units.ts';
import { type Allotment, allotJobs, type PoolRoom } from '../queue/allot-jobs.ts';
import type { Counts } from './count-pool.ts';
import type { Draft, PoolDraft } from './draft.ts';
import { isShut, openGates } from './lanes.ts';
import { AT_ONCE_MS } from './reserve.ts';

/** A job that needs a machine: a create, or a pending job of the queue. */
export type Need = { since: EpochMs; name: string };

/** What a pool brings to the sharing of the queue. */
export type PendingInput = {
  pool: PoolDraft;
  counts: Counts;
  /** R. */
  runnerIdle: number;
  /** Creates that are for jobs: waiting ones beyond the fill. */
  demandBy: readonly Lease[];
  /** What the pool holds idle without regard to the jobs that are to be shared: `max(I, H + fill)`. */
  idleWants(): number;
};

const none: Allotment = { matching: 0, fresh: [], held: 0, cut: 0, loose: [] };

/**
 * When the runner took the job behind a lease; null = it holds the machine without a job. On demand (R = 0) the job came
 * before its create; a machine that was held idle shows its job by the runner's `url`.
 */
function claimedAt(lease: Lease, onDemand: boolean): EpochMs | null {
  const { since, heldAt, urlAt } = lease;
  if (lease.state !== 'held' || urlAt === null) return onDemand ? since : null;
  return onDemand && heldAt !== null && urlAt - heldAt <= AT_ONCE_MS ? since : urlAt;
}

/** Claims of a pool after `since`: older ones cannot be in any look. */
function claimsOf({ pool, runnerIdle, demandBy }: PendingInput, since: EpochMs): EpochMs[] {
  const times: (EpochMs | null)[] = demandBy.map((lease) => lease.since);
  for (const { lease } of pool.slots) if (lease !== null) times.push(claimedAt(lease, runnerIdle === 0));
  return times.filter((at): at is EpochMs => at !== null && at > since);
}

/** Whether the queue shows each job of this pool now: then no guess at bursts is needed. */
export function seesQueue(draft: Draft, pool: PoolDraft): boolean {
  const queue = draft.seen.queue?.pools.get(pool.spec.id);
  return queue?.state === 'fresh' && queue.exact;
}

/** Jobs at once that the runner may claim: by its file, or by its own word where that is less. */
export function concurrentNow({ seen }: Draft): number {
  return Math.min(seen.concurrent, seen.queue?.bounds?.concurrent ?? Infinity);
}

function roomOf({ seen }: Draft, { pool, counts, demandBy }: PendingInput): number {
  if (pool.memory.paused || pool.memory.draining) return 0;
  const { id, limit } = pool.spec;
  const most = Math.min(limit > 0 ? limit : Infinity, seen.queue?.bounds?.limits.get(id) ?? Infinity);
  return Math.max(0, most - counts.busy - demandBy.length);
}

/** Shares the queue's pending jobs among the pools; `headroom`: jobs that `concurrent` still lets start. */
export function sharePending(
  draft: Draft,
  inputs: readonly PendingInput[],
  headroom: number,
): (pool: PoolDraft) => Allotment {
  const queue = draft.seen.queue;
  const stages = [...(queue?.coming?.values() ?? [])].flat();
  if (queue === undefined || queue.groups.length + stages.length === 0) return () => none;
  const since = Math.min(...[...queue.groups, ...stages].map(({ observedAt }) => observedAt));
  // Where nothing was refused lately nothing can be shut.
  const at = draft.seen.rests.length === 0 ? null : { book: openGates(draft), jobsWait: true };
  const rooms = inputs.map((input): PoolRoom => {
    const { counts, demandBy, pool } = input;
    const spare = counts.ready + counts.coming + counts.held - demandBy.length;
    return {
      pool: pool.spec.id,
      share: pool.spec.queue?.share ?? 1,
      room: roomOf(draft, input),
      spare,
      surplus: spare - input.idleWants(),
      isShut: at !== null && isShut(draft, pool, at),
      claims: claimsOf(input, since),
    };
  });
  const lacking = draft.seen.concurrent - concurrentNow(draft);
  const allotted = allotJobs(queue.groups, rooms, Math.max(0, headroom - queue.otherJobs - lacking));
  return (pool) => allotted.get(pool.spec.id) ?? none;
}
