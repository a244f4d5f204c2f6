// GitLab as its runners and the readers of its APIs see it: projects, pipelines, the queue of pending jobs, and jobs that
// run, end, are cancelled and time out. The simulator asks it directly, an emulator puts HTTP in front.
// It must not know machines. Trap: a job that runs is only known to live by its runner's calls; after an hour without
// one GitLab fails it.
import { createSeeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';
import { createGitlabWeather, type GitlabWeather } from './gitlab-weather.ts';
import type { GitlabRunner, Job, JobFailure, JobSpec, JobStatus, Pipeline, Project } from './job.ts';
import { isEnded } from './job.ts';
import { createJobBook } from './job-book.ts';
import { createPendingQueue } from './pending-queue.ts';

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
  addPipeline(wish: { project?: number; ref?: string; stages: readonly (readonly JobSpec[])[] }): Pipeline;
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

/** GitLab fails a running job whose runner was not heard of for so long (its stuck-jobs worker). */
const UNHEARD_MS = 3_600_000;
/** A job that nobody took is dropped after a day. */
const PENDING_AT_MOST_MS = 86_400_000;

export function createGitlab(options: { timeline: Timeline; seed?: number }): Gitlab {
  const { timeline, seed = 1 } = options;
  const runners: GitlabRunner[] = [];
  const listeners = new Set<(event: JobEvent) => void>();
  const workListeners = new Set<() => void>();
  const onInstance = new Map<number, number>();
  const tellWork = (): void => {
    for (const tell of workListeners) tell();
  };

  const runnerOf = (id: number): GitlabRunner => {
    const found = runners.find((runner) => runner.id === id);
    if (found === undefined) throw new RangeError(`no runner ${id}`);
    return found;
  };
  const book = createJobBook({
    timeline,
    random: createSeeded(seed),
    changed(job, from) {
      if (from === 'pending') queue.remove(job);
      if (job.status === 'pending') {
        queue.add(job);
        timeline.after(PENDING_AT_MOST_MS, () => drop(job, 'pending'));
      }
      count(job, from);
      for (const tell of listeners) tell({ job, from });
      if (job.status === 'pending') tellWork();
    },
  });
  const queue = createPendingQueue({
    project: book.project,
    onInstanceRunners: (project) => onInstance.get(project) ?? 0,
  });
  const active = (status: JobStatus | null): boolean => status === 'running' || status === 'canceling';

  function count(job: Job, from: JobStatus | null): void {
    if (job.runner === null || active(from) === active(job.status)) return;
    if (runnerOf(job.runner).scope.kind !== 'instance') return;
    onInstance.set(job.project, (onInstance.get(job.project) ?? 0) + (active(job.status) ? 1 : -1));
  }

  function drop(job: Job, status: JobStatus): void {
    if (job.status === status) book.end(job, 'failed', 'stuck_or_timeout_failure');
  }

  /** Looks after an hour whether the job was heard of since, and again. */
  function watch(job: Job): void {
    const due = (job.touchedAt ?? timeline.now()) + UNHEARD_MS;
    timeline.after(due - timeline.now(), () => {
      if (!active(job.status)) return;
      if ((job.touchedAt ?? 0) + UNHEARD_MS > timeline.now()) watch(job);
      else if (job.status === 'canceling') book.end(job, 'canceled', null);
      else drop(job, 'running');
    });
  }

  return {
    addProject: book.addProject,
    addRunner(wish = {}) {
      const runner: GitlabRunner = {
        id: runners.length + 1,
        description: `runner ${runners.length + 1}`,
        tags: [],
        runUntagged: true,
        accessLevel: 'not_protected',
        locked: false,
        paused: false,
        scope: { kind: 'instance' },
        contactedAt: null,
        ...wish,
      };
      runners.push(runner);
      return runner;
    },
    changeRunner(id, change) {
      Object.assign(runnerOf(id), change);
      queue.changed();
      tellWork();
    },
    changeProject(id, change) {
      Object.assign(book.project(id), change);
      queue.changed();
      tellWork();
    },
    enqueue: book.enqueue,
    addPipeline: book.addPipeline,
    cancel(id) {
      const job = book.job(id);
      if (job === null || isEnded(job) || job.status === 'canceling') return;
      if (job.status === 'running') book.move(job, 'canceling');
      else book.end(job, 'canceled', null);
    },

    request(id) {
      const runner = runnerOf(id);
      const now = timeline.now();
      runner.contactedAt = now;
      const job = queue.next(runner);
      if (job === null) return null;
      Object.assign(job, { startedAt: now, touchedAt: now, runner: id });
      book.move(job, 'running');
      watch(job);
      return job;
    },
    wouldGive: (id) => queue.next(runnerOf(id)) !== null,
    touch(id) {
      const job = book.job(id);
      if (job === null) return 'canceled';
      if (active(job.status)) job.touchedAt = timeline.now();
      return job.status;
    },
    finish(id, result) {
      const job = book.job(id);
      if (job === null || !active(job.status)) return;
      if (job.status === 'canceling') book.end(job, 'canceled', null);
      else if (result.ok) book.end(job, 'success', null);
      else book.end(job, 'failed', result.failure);
    },
    note(id, facts) {
      const job = book.job(id);
      if (job !== null) Object.assign(job, facts);
    },

    pending: queue.all,
    queueSize: (id) => queue.sizeFor(runnerOf(id)),
    job: book.job,
    jobs: book.jobs,
    pipeline: book.pipeline,
    projects: book.projects,
    project: book.project,
    runners: () => runners,
    runner: runnerOf,
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
