// Idle machines ahead of time: for jobs whose stage is about to begin, and for what usually comes unannounced at this hour.
// Both move the idle count and nothing else: never above IdleCount, never below IdleCountMin, never a job's machine.
// Trap: a stage finds the machines that the ending jobs of the one before leave; only what is missing then is launched.
import type { EpochMs } from '../domain/units.ts';
import { AHEAD_MARGIN_MS, machinesFor } from '../queue/lookahead.ts';
import { type Draft, note, type PoolDraft } from './draft.ts';
import type { IdleView } from './idle-policy.ts';

/** I with what is foretold. `loose`: when the runner claimed jobs that no look shows. */
export function idleAhead(draft: Draft, pool: PoolDraft, idle: IdleView, loose: readonly EpochMs[]): number {
  const { queue } = draft.seen;
  const { id, maxBuilds } = pool.spec;
  const until = draft.now + pool.bootP90Ms + AHEAD_MARGIN_MS;
  const slots = (queue?.forecast?.get(id) ?? []).filter(({ from }) => from <= until);
  let wanted = idle.own;
  if (slots.length > 0) {
    const usual = Math.max(...slots.map(({ jobs }) => jobs));
    wanted = Math.min(idle.most, Math.max(idle.least, usual));
    if (wanted !== idle.own) note(pool, 'forecast', { usual_rush: usual, idle: wanted, else: idle.own });
  }
  const stages = queue?.coming?.get(id) ?? [];
  const machines = machinesFor(stages, { until, claims: loose, reuses: maxBuilds !== 1 });
  const withStages = Math.min(Math.max(idle.most, wanted), wanted + machines);
  if (withStages > wanted) note(pool, 'lookahead', { machines, idle: withStages, else: wanted });
  return withStages;
}
