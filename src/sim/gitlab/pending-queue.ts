// GitLab's queue: pending jobs in the order of their ids, and which of them a runner is given next. Project and group
// runners take the oldest; instance runners the oldest of the project that has fewest jobs on instance runners.
// Trap: most looks find nothing. A runner that found nothing is not searched for again until the queue or its runners
// change.
import type { GitlabRunner, Job, Project } from './job.ts';
import { mayTake } from './may-take.ts';

export type PendingQueue = {
  add(job: Job): void;
  remove(job: Job): void;
  /** The job that this runner would be given now. */
  next(runner: GitlabRunner): Job | null;
  /** Oldest first. */
  all(): readonly Job[];
  /** How many it could be given now: GitLab's `queue_size` for that runner. */
  sizeFor(runner: GitlabRunner): number;
  /** A runner or a project has changed: look again. */
  changed(): void;
};

export function createPendingQueue(parts: {
  project(id: number): Project;
  /** Jobs of a project that run on instance runners. */
  onInstanceRunners(project: number): number;
}): PendingQueue {
  const jobs: Job[] = [];
  let version = 0;
  const missedAt = new Map<number, number>();

  /** Index of the first job whose id is not below `id`. */
  const placeOf = (id: number): number => {
    let low = 0;
    let high = jobs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((jobs[middle]?.id ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const fits = (runner: GitlabRunner, job: Job): boolean => mayTake(runner, job, parts.project(job.project));

  const fairest = (runner: GitlabRunner): Job | null => {
    let best: Job | null = null;
    let fewest = Number.POSITIVE_INFINITY;
    const seen = new Set<number>();
    for (const job of jobs) {
      if (seen.has(job.project) || !fits(runner, job)) continue;
      seen.add(job.project);
      const running = parts.onInstanceRunners(job.project);
      if (running >= fewest) continue;
      best = job;
      fewest = running;
      if (running === 0) break;
    }
    return best;
  };

  return {
    add(job) {
      jobs.splice(placeOf(job.id), 0, job);
      version += 1;
    },
    remove(job) {
      const place = placeOf(job.id);
      if (jobs[place] === job) jobs.splice(place, 1);
    },
    next(runner) {
      if (missedAt.get(runner.id) === version) return null;
      const found =
        runner.scope.kind === 'instance' ? fairest(runner) : (jobs.find((job) => fits(runner, job)) ?? null);
      if (found === null) missedAt.set(runner.id, version);
      return found;
    },
    all: () => jobs,
    sizeFor: (runner) => jobs.filter((job) => fits(runner, job)).length,
    changed() {
      version += 1;
    },
  };
}
