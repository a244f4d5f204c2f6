// Which jobs of a workload may begin when, as GitLab moves pipelines: a stage after the one before has succeeded, nothing
// after a failure. For the quick estimate; the simulator has GitLab itself.
import type { Arrival } from '../../sim/workload.ts';
import { createMoments } from './moments.ts';

type Open = { stages: readonly (readonly Arrival[])[]; at: number; left: number; lastEnd: number };

export type StageBook = {
  /** Jobs that come by themselves: single ones and first stages, oldest first. */
  firsts: readonly Arrival[];
  /** A job has begun and will end at that moment: its stage may be over then. */
  begins(job: Arrival, endsAt: number): void;
  /** When the next stage begins; Infinity for none. */
  nextAt(): number;
  /** Jobs whose stage has begun since the last time. */
  due(now: number): QueuedJob[];
};

/** Times are milliseconds after the workload's begin. */
export type QueuedJob = { job: Arrival; queuedMs: number };

/** Sorts the arrivals by pipelines. */
export function createStageBook(arrivals: readonly Arrival[]): StageBook {
  const pipelines = Map.groupBy(
    arrivals.filter(({ place }) => place !== undefined),
    ({ place }) => place?.pipeline ?? '',
  );
  const open = new Map<string, Open>();
  for (const [pipeline, jobs] of pipelines) {
    const byStage = Map.groupBy(jobs, ({ place }) => place?.stage ?? 0);
    const stages = [...byStage].toSorted(([a], [b]) => a - b).map(([, some]) => some);
    open.set(pipeline, { stages, at: 0, left: stages[0]?.length ?? 0, lastEnd: 0 });
  }
  const isFirst = (job: Arrival): boolean =>
    job.place === undefined || open.get(job.place.pipeline)?.stages[0]?.[0]?.place?.stage === job.place.stage;
  const moments = createMoments();
  const begun = new Map<number, QueuedJob[]>();
  return {
    firsts: arrivals.filter(isFirst),
    begins({ place }, endsAt) {
      const pipeline = place === undefined ? undefined : open.get(place.pipeline);
      if (pipeline === undefined) return;
      pipeline.left -= 1;
      pipeline.lastEnd = Math.max(pipeline.lastEnd, endsAt);
      if (pipeline.left > 0) return;
      const failed = pipeline.stages[pipeline.at]?.some(({ fails }) => fails === true) ?? false;
      pipeline.at += 1;
      const jobs = failed ? [] : (pipeline.stages[pipeline.at] ?? []);
      pipeline.left = jobs.length;
      const queuedMs = pipeline.lastEnd;
      if (!begun.has(queuedMs)) moments.add(queuedMs);
      const queued = jobs.map((job) => ({ job, queuedMs }));
      begun.set(queuedMs, [...(begun.get(queuedMs) ?? []), ...queued]);
    },
    nextAt: () => moments.first(),
    due(now) {
      const jobs: QueuedJob[] = [];
      while (moments.first() <= now) {
        const at = moments.take();
        jobs.push(...(begun.get(at) ?? []));
        begun.delete(at);
      }
      return jobs;
    },
  };
}
