// Idle machines ahead of time: for jobs whose stage is about to begin, and for what is usual at this hour of the week.
// Both move the idle count and nothing else: never above IdleCount, never below IdleCountMin, never a job's machine.
// Trap: a forecast counts all jobs at a time, so those that run or wait already are taken off it.
import type { DurationMs } from '../domain/units.ts';
import { SECOND_MS } from '../domain/units.ts';
import { type Draft, note, type PoolDraft } from './draft.ts';
import type { IdleView } from './idle-policy.ts';

/** A stage that ends a moment after the boot still finds its machines being made ready. */
const MARGIN_MS: DurationMs = 15 * SECOND_MS;

/** I with what is foretold; `inUse`: jobs that run or wait for a machine. */
export function idleAhead(draft: Draft, pool: PoolDraft, idle: IdleView, inUse: number): number {
  const { queue } = draft.seen;
  const { id } = pool.spec;
  const until = draft.now + pool.bootP90Ms + MARGIN_MS;
  const slots = (queue?.forecast?.get(id) ?? []).filter(({ from }) => from <= until);
  let wanted = idle.own;
  if (slots.length > 0) {
    const usual = Math.max(...slots.map(({ jobs }) => jobs));
    wanted = Math.min(idle.most, Math.max(idle.least, usual - inUse));
    if (wanted !== idle.own) note(pool, 'forecast', { usual_jobs: usual, idle: wanted, else: idle.own });
  }
  const coming = (queue?.coming?.get(id) ?? []).filter((at) => at <= until).length;
  const forStage = Math.min(idle.most, coming);
  if (forStage <= wanted) return wanted;
  note(pool, 'lookahead', { jobs: coming, idle: forStage });
  return forStage;
}
