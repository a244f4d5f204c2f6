// GitLab's records of pipelines and jobs, and the moves of a job from one status to the next.
// Trap: every move goes through `move` or `end`, which tell whoever keeps a queue or a count.
import type { Seeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';
import {
  isEnded,
  type Job,
  type JobFailure,
  type JobSpec,
  type JobStatus,
  type Pipeline,
  type Project,
} from './job.ts';
import { isProtected } from './may-take.ts';
import { createIds, movePipeline } from './pipelines.ts';
import type { ProjectBook } from './project-book.ts';

export type PipelineWish = {
  project?: number;
  /** Default: the project's default branch. */
  ref?: string;
  stages: readonly (readonly JobSpec[])[];
};

export type JobBook = {
  /** Throws a RangeError for a project or pipeline that does not exist. */
  enqueue(spec: JobSpec): Job;
  addPipeline(wish: PipelineWish): Pipeline;
  pipeline(id: number): Pipeline | null;
  job(id: number): Job | null;
  jobs(): Iterable<Job>;
  move(job: Job, status: JobStatus): void;
  /** Nothing for one that has ended. */
  end(job: Job, status: 'success' | 'failed' | 'canceled', failure: JobFailure | null): void;
  forgetBefore(at: number): void;
};

/** Where ids begin: as on an instance that has seen a few years. */
const FIRST_IDS = { job: 480_000, pipeline: 91_000 };

type Place = { id: number; pipeline: Pipeline; stage: number; retryOf: number | null; at: number };

function newJob(spec: JobSpec, home: Project, place: Place): Job {
  const { id, pipeline, stage, retryOf, at } = place;
  const ref = spec.ref ?? pipeline.ref;
  return {
    id,
    spec,
    project: home.id,
    pipeline: pipeline.id,
    stage,
    stageName: spec.stageName ?? `stage-${stage}`,
    name: spec.name ?? `job ${id}`,
    tags: spec.tags ?? [],
    ref,
    refIsTag: spec.refIsTag ?? false,
    protectedRef: spec.protectedRef ?? isProtected(home, ref),
    timeoutMs: spec.timeoutMs ?? home.jobTimeoutMs,
    durationMs: spec.durationMs,
    retryOf,
    status: 'created',
    createdAt: at,
    queuedAt: null,
    startedAt: null,
    hostAt: null,
    scriptAt: null,
    endedAt: null,
    touchedAt: null,
    failure: null,
    runner: null,
    machine: null,
  };
}

/** Forgets pipelines whose jobs have all ended before `at`. */
function forgetEnded(pipelines: Map<number, Pipeline>, jobs: Map<number, Job>, at: number): void {
  for (const [id, pipeline] of pipelines) {
    if (!pipeline.jobs.every((job) => job.endedAt !== null && job.endedAt < at)) continue;
    for (const job of pipeline.jobs) jobs.delete(job.id);
    pipelines.delete(id);
  }
}

export function createJobBook(parts: {
  timeline: Timeline;
  random: Seeded;
  projects: ProjectBook;
  changed(job: Job, from: JobStatus | null): void;
}): JobBook {
  const { timeline, projects } = parts;
  const pipelines = new Map<number, Pipeline>();
  const jobs = new Map<number, Job>();
  const nextJob = createIds(parts.random, FIRST_IDS.job);
  const nextPipeline = createIds(parts.random, FIRST_IDS.pipeline);

  const newPipeline = (home: Project, ref = home.defaultBranch): Pipeline => {
    const at = timeline.now();
    const base = { id: nextPipeline(), project: home.id, ref, createdAt: at };
    const made: Pipeline = { ...base, status: 'created', jobs: [] };
    pipelines.set(made.id, made);
    return made;
  };

  const addJob = (pipeline: Pipeline, spec: JobSpec, stage: number, retryOf: number | null): Job => {
    const place = { id: nextJob(), pipeline, stage, retryOf, at: timeline.now() };
    const job = newJob(spec, projects.find(pipeline.project), place);
    jobs.set(job.id, job);
    pipeline.jobs.push(job);
    parts.changed(job, null);
    return job;
  };

  const move = (job: Job, status: JobStatus): void => {
    const from = job.status;
    if (from === status) return;
    job.status = status;
    if (status === 'pending') job.queuedAt = timeline.now();
    if (isEnded(job)) job.endedAt = timeline.now();
    parts.changed(job, from);
  };

  const advance = (pipeline: Pipeline): void =>
    movePipeline(pipeline, { begin: (job) => move(job, 'pending'), skip: (job) => move(job, 'skipped') });

  const triesOf = (job: Job): number => {
    const before = job.retryOf === null ? undefined : jobs.get(job.retryOf);
    return before === undefined ? 0 : 1 + triesOf(before);
  };

  return {
    pipeline: (id) => pipelines.get(id) ?? null,
    job: (id) => jobs.get(id) ?? null,
    jobs: () => jobs.values(),
    move,
    end(job, status, failure) {
      if (isEnded(job)) return;
      job.failure = failure;
      move(job, status);
      const pipeline = pipelines.get(job.pipeline);
      if (pipeline === undefined) return;
      if (status === 'failed' && triesOf(job) < (job.spec.retries ?? 0)) {
        addJob(pipeline, job.spec, job.stage, job.id);
      }
      advance(pipeline);
    },
    enqueue(spec) {
      const given = spec.pipeline === undefined ? undefined : pipelines.get(spec.pipeline);
      if (spec.pipeline !== undefined && given === undefined) {
        throw new RangeError(`no pipeline ${spec.pipeline}`);
      }
      const pipeline = given ?? newPipeline(projects.orFirst(spec.project), spec.ref);
      const job = addJob(pipeline, spec, spec.stage ?? 0, null);
      advance(pipeline);
      return job;
    },
    addPipeline(wish) {
      const pipeline = newPipeline(projects.orFirst(wish.project), wish.ref);
      for (const [stage, specs] of wish.stages.entries()) {
        for (const spec of specs) addJob(pipeline, spec, stage, null);
      }
      advance(pipeline);
      return pipeline;
    },
    forgetBefore: (at) => forgetEnded(pipelines, jobs, at),
  };
}
