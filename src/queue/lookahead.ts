// Jobs that are about to become pending: those of the next stage of pipelines whose running stage should end soon. Pure.
// Traps: GitLab's lists have no order of stages, but ids rise from stage to stage; a stage with a job whose usual length is
// not known, or that is late already, says nothing. Jobs that start by `needs` are simply seen when they are pending.
import type { ComingJob, QueuedJob } from '../domain/queue.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';

/** How long a job of that name usually runs; null = not seen often enough. */
export type UsualLength = (project: number, name: string) => DurationMs | null;

/** States in which a job holds up the next stage and will end by itself. */
const OPEN = new Set(['pending', 'running']);

function expectedEnd(job: QueuedJob, usual: UsualLength, now: EpochMs): EpochMs | null {
  const length = usual(job.project.id, job.name);
  if (length === null) return null;
  if (job.status === 'pending') return now + length;
  const end = (job.startedAt ?? now) + length;
  // Twice as long as usual: nobody can say when it ends.
  return end + length < now ? null : Math.max(end, now);
}

function nextStage(jobs: readonly QueuedJob[]): readonly QueuedJob[] {
  const created = jobs.filter(({ status }) => status === 'created').toSorted((a, b) => a.id - b.id);
  const [first] = created;
  return first === undefined ? [] : created.filter(({ stage }) => stage === first.stage);
}

/** The jobs of next stages with the moment when the stage before should have ended. */
export function comingJobs(jobs: readonly QueuedJob[], usual: UsualLength, now: EpochMs): ComingJob[] {
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
    const expectedAt = Math.max(...ends.map((end) => end ?? now));
    return waiting.map((job) => ({ job, expectedAt }));
  });
}

/** Lengths of a name that are kept; of more the median would follow a change too late. */
const KEPT_LENGTHS = 5;
/** Names that are remembered, those seen last. */
const MOST_NAMES = 5_000;

export type Lengths = {
  learn(project: number, name: string, ms: DurationMs): void;
  usual: UsualLength;
};

/** Learns how long jobs run: the median of the last five of a name. */
export function createLengths(): Lengths {
  const known = new Map<string, readonly DurationMs[]>();
  return {
    learn(project, name, ms) {
      const key = `${project} ${name}`;
      const lengths = [...(known.get(key) ?? []), ms].slice(-KEPT_LENGTHS);
      known.delete(key);
      known.set(key, lengths);
      const [oldest] = known.keys();
      if (known.size > MOST_NAMES && oldest !== undefined) known.delete(oldest);
    },
    usual(project, name) {
      const lengths = known.get(`${project} ${name}`)?.toSorted((a, b) => a - b);
      return lengths?.[Math.floor(lengths.length / 2)] ?? null;
    },
  };
}
