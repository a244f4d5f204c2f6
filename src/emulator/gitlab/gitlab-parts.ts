// What all answers of the emulated GitLab are made from: the world's GitLab, who asks, and what is hidden.
// Must not hold answers itself.
import type { Gitlab } from '../../sim/gitlab/gitlab.ts';
import type { Job } from '../../sim/gitlab/job.ts';
import type { Timeline } from '../../sim/timeline.ts';

export type GitlabSettings = {
  /** `19.4.1`; answers differ by its first number. */
  version: string;
  major: number;
  /** The only token that is let in; null = any that is not empty. */
  token: string | null;
  /** The token may see all jobs of the instance. */
  isAdmin: boolean;
  /** The token may read runners (manage_runner). */
  readsRunners: boolean;
  /** Calls a minute to the jobs of projects, above which GitLab answers 429; 0 = no limit. */
  jobsPerMinute: number;
  /** Calls a minute in all, told in RateLimit headers; 0 (GitLab's default on premises) = no limit and no headers. */
  callsPerMinute: number;
};

export type GitlabParts = {
  gitlab: Gitlab;
  timeline: Timeline;
  settings: GitlabSettings;
  /** `http://127.0.0.1:PORT` */
  url(): string;
  jobsOf(project: number): Iterable<Job>;
  /** What runners over HTTP have sent of their jobs' logs, by job. */
  traces: Map<number, Buffer>;
  /** The token does not see that project. */
  isHidden(project: number): boolean;
  hide(project: number, hidden: boolean): void;
};

/** Jobs by project, kept as they come, so that a thousand projects are not searched for each. */
export function createJobIndex(gitlab: Gitlab): (project: number) => Iterable<Job> {
  const index = new Map<number, Map<number, Job>>();
  const keep = (job: Job): void => {
    const jobs = index.get(job.project) ?? new Map<number, Job>();
    index.set(job.project, jobs);
    jobs.set(job.id, job);
  };
  for (const job of gitlab.jobs()) keep(job);
  gitlab.on(({ job, from }) => {
    if (from === null) keep(job);
  });
  return (project) => index.get(project)?.values() ?? [];
}
