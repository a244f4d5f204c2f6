// GitLab as its runners and the readers of its APIs see it: projects, pipelines, the queue of pending jobs, and jobs that
// run, end, are cancelled and time out. The simulator asks it directly, an emulator puts HTTP in front.
// It must not know machines. Trap: a job that runs is only known to live by its runner's calls; after an hour without
// one GitLab fails it.
import { createSeeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';
import { createGitlabWeather, type GitlabWeather } from './gitlab-weather.ts';
import type { GitlabRunner, Job, JobFailure, JobSpec, JobStatus, Pipeline, Project } from './job.ts';
import { isEnded } from './job.ts';
import { createJobBook, type JobBook, type PipelineWish } from './job-book.ts';
import { createJobLimits, type JobLimits } from './job-limits.ts';
import { createPendingQueue, type PendingQueue } from './pending-queue.ts';
import { createProjectBook } from './project-book.ts';
import { createRunnerBook, isActive, type RunnerBook } from './runner-book.ts';

/** A job went from one status to another; `from` null: it is new. */
export type JobEvent = { job: Job; from: JobStatus | null };

export type JobResult = { ok: true } | { ok: false; failure: JobFailure };

export type Gitlab = {
  addProject(wish?: Partial<Omit<Project, 'id'>>): Project;
  /** Default: an instance runner without tags that takes untagged jobs of all refs. */
  addRunner(wish?: Partial<Omit<GitlabRunner, 'id'>>): GitlabRunner;
  /** Changes a runner's settings in GitLab (tags, paused …). */
  changeRunner(id: number, change: Partial<Omit<GitlabRunner, 'id'>>): void;
  changeProject(id: number, change: Partial<Omit<Project, 'id'>>): void;
  enqueue(spec: JobSpec): Job;
  /** One pipeline; stage n begins when stage n-1 has succeeded. */
  addPipeline(wish: PipelineWish): Pipeline;
  /** Cancels a job; one that runs ends when its runner hears of it. Nothing for one that has ended. */
  cancel(id: number): void;

  /** POST /jobs/request: the job that this runner is given now and that runs from now on, or null. */
  request(runner: number): Job | null;
  /** Whether `request` would give it one. */
  wouldGive(runner: number): boolean;
  /** A trace patch or keep-alive of the job's runner: what the answer tells it. */
  touch(id: number): JobStatus;
  /** The runner's last word on a job. Ignored for a job that has ended already. */
  finish(id: number, result: JobResult): void;
  /** What only the runner's model knows, for those who measure. */
  note(id: number, facts: Partial<Pick<Job, 'hostAt' | 'scriptAt' | 'machine'>>): void;

  /** Oldest first. */
  pending(): readonly Job[];
  /** GitLab's `queue_size` for that runner. */
  queueSize(runner: number): number;
  job(id: number): Job | null;
  /** In the order of their making. */
  jobs(): Iterable<Job>;
  pipeline(id: number): Pipeline | null;
  projects(): readonly Project[];
  project(id: number): Project;
  runners(): readonly GitlabRunner[];
  runner(id: number): GitlabRunner;
  /** Forgets pipelines whose jobs have all ended before that moment; for runs over many days. */
  forgetBefore(at: number): void;
  /** Tells every change of a job's status. */
  on(listener: (event: JobEvent) => void): () => void;
  /** Tells that the queue may hold something for somebody that it did not hold before. */
  onWork(listener: () => void): () => void;
  weather: GitlabWeather;
};

type Calls = Pick<Gitlab, 'cancel' | 'request' | 'wouldGive' | 'touch' | 'finish' | 'note'>;

/** What runners and users say of jobs. */
function jobCalls(
  timeline: Timeline,
  parts: { book: JobBook; runners: RunnerBook; queue: PendingQueue; limits: JobLimits },
): Calls {
  const { book, runners, queue, limits } = parts;
  return {
    cancel(id) {
      const job = book.job(id);
      if (job === null || isEnded(job)) return;
      if (isActive(job.status)) book.move(job, 'canceling');
      else book.end(job, 'canceled', null);
    },
    request(id) {
      const runner = runners.find(id);
      const now = timeline.now();
      runner.contactedAt = now;
      const job = queue.next(runner);
      if (job === null) return null;
      Object.assign(job, { startedAt: now, touchedAt: now, runner: id });
      book.move(job, 'running');
      limits.claimed(job);
      return job;
    },
    wouldGive: (id) => queue.next(runners.find(id)) !== null,
    touch(id) {
      const job = book.job(id);
      if (job === null) return 'canceled';
      if (isActive(job.status)) job.touchedAt = timeline.now();
      return job.status;
    },
    finish(id, result) {
      const job = book.job(id);
      if (job === null || !isActive(job.status)) return;
      if (job.status === 'canceling') book.end(job, 'canceled', null);
      else if (result.ok) book.end(job, 'success', null);
      else book.end(job, 'failed', result.failure);
    },
    note(id, facts) {
      const job = book.job(id);
      if (job !== null) Object.assign(job, facts);
    },
  };
}

/** An empty GitLab. */
export function createGitlab(options: { timeline: Timeline; seed?: number }): Gitlab {
  const { timeline, seed = 1 } = options;
  const listeners = new Set<(event: JobEvent) => void>();
  const workListeners = new Set<() => void>();
  const projects = createProjectBook();
  const runners = createRunnerBook();
  const tellWork = (): void => {
    for (const tell of workListeners) tell();
  };

  const book = createJobBook({
    timeline,
    random: createSeeded(seed),
    projects,
    changed(job, from) {
      if (from === 'pending') queue.remove(job);
      if (job.status === 'pending') {
        queue.add(job);
        limits.pending(job);
      }
      runners.moved(job, from);
      for (const tell of listeners) tell({ job, from });
      if (job.status === 'pending') tellWork();
    },
  });
  const limits = createJobLimits(timeline, book);
  const queue = createPendingQueue({
    project: projects.find,
    onInstanceRunners: runners.onInstanceRunners,
  });
  const changedAll = (): void => {
    queue.changed();
    tellWork();
  };

  return {
    ...jobCalls(timeline, { book, runners, queue, limits }),
    addProject: projects.add,
    addRunner: runners.add,
    changeRunner(id, change) {
      Object.assign(runners.find(id), change);
      changedAll();
    },
    changeProject(id, change) {
      Object.assign(projects.find(id), change);
      changedAll();
    },
    enqueue: book.enqueue,
    addPipeline: book.addPipeline,
    pending: queue.all,
    queueSize: (id) => queue.sizeFor(runners.find(id)),
    job: book.job,
    jobs: book.jobs,
    pipeline: book.pipeline,
    projects: projects.all,
    project: projects.find,
    runners: runners.all,
    runner: runners.find,
    forgetBefore: book.forgetBefore,
    on(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onWork(listener) {
      workListeners.add(listener);
      return () => workListeners.delete(listener);
    },
    weather: createGitlabWeather(timeline, createSeeded(seed + 1)),
  };
}
