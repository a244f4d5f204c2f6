// GitLab's record of its runners, and how many jobs of a project run on instance runners: the fairness between projects.
import { hexOf } from '../seeded.ts';
import type { GitlabRunner, Job, JobStatus } from './job.ts';

export type RunnerBook = {
  add(wish?: Partial<Omit<GitlabRunner, 'id'>>): GitlabRunner;
  all(): readonly GitlabRunner[];
  /** Throws a RangeError for an unknown id. */
  find(id: number): GitlabRunner;
  /** Counts a move of a job. */
  moved(job: Job, from: JobStatus | null): void;
  onInstanceRunners(project: number): number;
};

/** Whether a runner has that job in its hands. */
export const isActive = (status: JobStatus | null): boolean => status === 'running' || status === 'canceling';

export function createRunnerBook(): RunnerBook {
  const runners = new Map<number, GitlabRunner>();
  const counts = new Map<number, number>();

  const find = (id: number): GitlabRunner => {
    const found = runners.get(id);
    if (found === undefined) throw new RangeError(`no runner ${id}`);
    return found;
  };

  return {
    add(wish = {}) {
      const id = runners.size + 1;
      const runner: GitlabRunner = {
        id,
        token: `glrt-${hexOf(`runner ${id}`, 20)}`,
        description: `runner ${id}`,
        tags: [],
        runUntagged: true,
        accessLevel: 'not_protected',
        locked: false,
        paused: false,
        scope: { kind: 'instance' },
        contactedAt: null,
        ...wish,
      };
      runners.set(id, runner);
      return runner;
    },
    all: () => [...runners.values()],
    find,
    moved(job, from) {
      if (job.runner === null || isActive(from) === isActive(job.status)) return;
      if (find(job.runner).scope.kind !== 'instance') return;
      counts.set(job.project, (counts.get(job.project) ?? 0) + (isActive(job.status) ? 1 : -1));
    },
    onInstanceRunners: (project) => counts.get(project) ?? 0,
  };
}
