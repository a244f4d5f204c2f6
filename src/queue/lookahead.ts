// Jobs that are about to become pending: those of the next stage of pipelines whose running stage should end soon. Pure.
// Traps: GitLab's lists have no order of stages, but ids rise from stage to stage; a stage with a job whose usual length is
// not known, or that is late already, says nothing. Jobs that start by `needs` are simply seen when they are pending.
import type { ComingStage, QueuedJob } from '../domain/queue.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';
import type { UsualLength } from './job-lengths.ts';

/** States in which a job holds up the next stage and will end by itself. */
const OPEN = new Set(['pending', 'running']);

/** A stage that is about to begin, as a look at its project shows it. */
export type NextStage = {
  /** Created jobs that become pending together. */
  jobs: readonly QueuedJob[];
  /** Jobs that hold it up: their machines are free when it begins. */
  open: readonly QueuedJob[];
  /** When the last of these should have ended. */
  expectedAt: EpochMs;
};

function expectedEnd(job: QueuedJob, usual: UsualLength, now: EpochMs): EpochMs | null {
  const length = usual(job);
  if (length === null) return null;
  if (job.status === 'pending') return now + length.ms;
  const startedAt = job.startedAt ?? now;
  // Twice as long as it ever was: nobody can say when it ends.
  return startedAt + 2 * length.longestMs < now ? null : Math.max(startedAt + length.ms, now);
}

function nextStage(jobs: readonly QueuedJob[]): readonly QueuedJob[] {
  const created = jobs.filter(({ status }) => status === 'created').toSorted((a, b) => a.id - b.id);
  const [first] = created;
  return first === undefined ? [] : created.filter(({ stage }) => stage === first.stage);
}

/** The next stages of pipelines with the moment when the stage before should have ended. */
export function nextStages(jobs: readonly QueuedJob[], usual: UsualLength, now: EpochMs): NextStage[] {
  // Most looks, most of the time.
  if (!jobs.some(({ status }) => status === 'created')) return [];
  const pipelines = Map.groupBy(
    jobs.filter(({ pipeline }) => pipeline !== null),
    ({ project, pipeline }) => `${project.id} ${pipeline}`,
  );
  return [...pipelines.values()].flatMap((all) => {
    const open = all.filter(({ status }) => OPEN.has(status));
    const waiting = open.length === 0 ? [] : nextStage(all);
    if (waiting.length === 0) return [];
    const ends = open.map((job) => expectedEnd(job, usual, now));
    if (ends.includes(null)) return [];
    return [{ jobs: waiting, open, expectedAt: Math.max(...ends.map((end) => end ?? now)) }];
  });
}

/**
 * Machines to have ready for stages that begin until `until`, beside those that the ending jobs leave. `claims`: when the
 * runner took jobs that no look shows as pending; as many of a stage have begun since it was seen.
 */
export function machinesFor(
  stages: readonly ComingStage[],
  at: { until: EpochMs; claims: readonly EpochMs[]; reuses: boolean },
): number {
  const claims = at.claims.toSorted((a, b) => a - b);
  const due = stages.filter(({ expectedAt }) => expectedAt <= at.until);
  let machines = 0;
  for (const { jobs, leaving, observedAt } of due.toSorted((a, b) => a.expectedAt - b.expectedAt)) {
    const since = claims.findIndex((claim) => claim > observedAt);
    const begun = since < 0 ? 0 : claims.splice(since, jobs).length;
    // What has begun took the machines that were left, if there were any.
    machines += Math.max(0, jobs - Math.max(begun, at.reuses ? leaving : 0));
  }
  return machines;
}

/** How far ahead of a stage its machines are asked for: a boot, and a moment to make them ready. */
export const AHEAD_MARGIN_MS: DurationMs = 15_000;
