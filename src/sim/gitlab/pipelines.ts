// Pipelines: a stage begins when all jobs of the one before have succeeded; after a failure what has not begun is
// skipped. A job that was made anew counts by its newest try only.
import type { Seeded } from '../seeded.ts';
import { isEnded, type Job, type Pipeline, type PipelineStatus } from './job.ts';

/** GitLab's ids are not dense: they are shared with everybody else on the instance. */
const ID_GAP_AT_MOST = 7;

/** Ids that rise with gaps, from the seed. */
export function createIds(random: Seeded, first: number): () => number {
  let last = first;
  return () => {
    last += 1 + Math.floor(random.float() * ID_GAP_AT_MOST);
    return last;
  };
}

/** The newest tries of a pipeline's jobs. */
function current(pipeline: Pipeline): Job[] {
  const repeated = new Set(pipeline.jobs.map((job) => job.retryOf));
  return pipeline.jobs.filter((job) => !repeated.has(job.id));
}

function statusOf(jobs: readonly Job[]): PipelineStatus {
  const open = jobs.filter((job) => !isEnded(job));
  if (open.some((job) => job.status === 'running' || job.status === 'canceling')) return 'running';
  const begun = jobs.some((job) => job.startedAt !== null);
  if (open.length > 0) {
    if (begun) return 'running';
    return open.some((job) => job.status === 'pending') ? 'pending' : 'created';
  }
  if (jobs.some((job) => job.status === 'failed')) return 'failed';
  return jobs.some((job) => job.status === 'canceled') ? 'canceled' : 'success';
}

export type Steps = { begin(job: Job): void; skip(job: Job): void };

/** Moves a pipeline on after one of its jobs changed: begins the next stage, or skips what cannot begin any more. */
export function movePipeline(pipeline: Pipeline, steps: Steps): void {
  const jobs = current(pipeline);
  const stages = [...new Set(jobs.map((job) => job.stage))].toSorted((a, b) => a - b);
  let broken = false;
  for (const stage of stages) {
    const some = jobs.filter((job) => job.stage === stage);
    const waiting = some.filter((job) => job.status === 'created');
    if (broken) for (const job of waiting) steps.skip(job);
    else for (const job of waiting) steps.begin(job);
    if (some.some((job) => job.status === 'failed' || job.status === 'canceled')) broken = true;
    else if (!broken && !some.every((job) => job.status === 'success' || job.status === 'skipped')) break;
  }
  pipeline.status = statusOf(jobs);
}
