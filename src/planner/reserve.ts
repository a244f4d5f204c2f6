// The reserve of a runner that holds idle machines (R > 0) while no queue can be seen: it asks for R machines at a time,
// so a burst would take a boot for each R jobs. When what it was handed turns busy at once, the reserve doubles; at rest
// it halves again (design §5).
// Trap: one wave must double once, and a steady stream of jobs never. What counts after a doubling is a machine that the
// doubling itself brought.
import type { Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { type Draft, type PoolDraft, wakeBy } from './draft.ts';

/** From hand-over to the runner's `url`: a machine that stays idle for longer was not needed at once (design §5). */
export const AT_ONCE_MS: DurationMs = 10 * SECOND_MS;

/** Quiet time before the reserve halves: longer than usual gaps between the stages of a pipeline. */
export const RESERVE_REST_MS: DurationMs = 5 * MINUTE_MS;

function turnedBusyAtOnce({ heldAt, urlAt }: Lease): boolean {
  return heldAt !== null && urlAt !== null && urlAt >= heldAt && urlAt - heldAt <= AT_ONCE_MS;
}

/** Hand-overs that call for more: after the last change, on a machine it brought or a full boot later. */
function isNews(pool: PoolDraft, heldAt: EpochMs, machine: Machine): boolean {
  const since = pool.memory.reserveAt;
  return heldAt > since && (machine.createdAt >= since || heldAt >= since + pool.bootP90Ms);
}

function mostIdle(draft: Draft, pool: PoolDraft): number {
  const bounds = [pool.spec.limit, draft.seen.maxMachines, draft.seen.concurrent].filter(
    (bound) => bound > 0,
  );
  return Math.min(...bounds, Number.MAX_SAFE_INTEGER);
}

/**
 * Doubles or halves the reserve in the draft's memory. `own` and `runner`: I and R without any reserve; `standing`: idle
 * machines now, held by the runner or ready for it. While more than half of what is meant to stand does, jobs come slower
 * than machines, and one that turns busy at once is no burst: runners that hold idle machines take each job so.
 */
export function updateReserve(
  draft: Draft,
  pool: PoolDraft,
  idle: { own: number; runner: number; standing: number },
): void {
  const { memory } = pool;
  let lastAt = memory.reserveAt;
  let news = false;
  for (const { lease, machine } of pool.slots) {
    if (lease === null || lease.heldAt === null || !turnedBusyAtOnce(lease)) continue;
    lastAt = Math.max(lastAt, lease.heldAt);
    news ||= isNews(pool, lease.heldAt, machine);
  }
  const isThin = 2 * idle.standing <= Math.max(idle.own + memory.reserve, idle.runner);
  if (news && isThin && idle.runner > 0 && !memory.paused && !memory.draining) {
    const base = Math.max(idle.own + memory.reserve, idle.runner);
    const reserve = Math.min(2 * base, mostIdle(draft, pool)) - idle.own;
    if (reserve > memory.reserve) pool.memory = { ...memory, reserve, reserveAt: draft.now };
  } else if (memory.reserve > 0 && pool.waiting.length === 0) {
    const due = lastAt + RESERVE_REST_MS;
    wakeBy(draft, due);
    if (due <= draft.now)
      pool.memory = { ...memory, reserve: Math.floor(memory.reserve / 2), reserveAt: draft.now };
  }
}
