// GitLab's records: projects, pipelines and jobs, and the moves of a job from one status to the next.
// Trap: every move goes through `move` or `end`, which tell whoever keeps a queue or a count.
import type { Seeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';
import type { Pipeline, Project } from './job.ts';
import { isEnded, type Job, type JobFailure, type JobSpec, type JobStatus } from './job.ts';
import { isProtected } from './may-take.ts';
import { createIds, movePipeline } from './pipelines.ts';

/** GitLab's default for a project. */
const TIMEOUT_MS = 3_600_000;

export type JobBook = ReturnType<typeof createJobBook>;

/** Where ids begin: as on an instance that has seen a few years. */
const FIRST_IDS = { job: 480_000, pipeline: 91_000 };

export function createJobBook(parts: {
  timeline: Timeline;
  random: Seeded;
  changed(job: Job, from: JobStatus | null): void;
}) {
  const { timeline } = parts;
  const projects = new Map<number, Project>();
  const pipelines = new Map<number, Pipeline>();
  const jobs = new Map<number, Job>();
  const nextJob = createIds(parts.random, FIRST_IDS.job);
  const nextPipeline = createIds(parts.random, FIRST_IDS.pipeline);

  const project = (id: number): Project => {
    const found = projects.get(id);
    if (found === undefined) throw new RangeError(`no project ${id}`);
    return found;
  };

  const addProject = (wish: Partial<Omit<Project, 'id'>> = {}): Project => {
    const id = projects.size + 1;
    const path = wish.path ?? `group/project-${id}`;
    const defaultBranch = wish.defaultBranch ?? 'main';
    const made: Project = {
      id,
      path,
      name: path.split('/').at(-1) ?? path,
      protectedRefs: [defaultBranch],
      instanceRunners: true,
      groupRunners: true,
      jobTimeoutMs: TIMEOUT_MS,
      ...wish,
      defaultBranch,
    };
    projects.set(id, made);
    return made;
  };

  const homeOf = (id: number | undefined): Project => {
    if (id !== undefined) return project(id);
    return projects.values().next().value ?? addProject();
  };

  const newPipeline = (home: Project, ref: string): Pipeline => {
    const made: Pipeline = {
      id: nextPipeline(),
      project: home.id,
      ref,
      createdAt: timeline.now(),
      status: 'created',
      jobs: [],
    };
    pipelines.set(made.id, made);
    return made;
  };

  const addJob = (
    pipeline: Pipeline,
    spec: JobSpec,
    more: { stage: number; retryOf: number | null },
  ): Job => {
    const home = project(pipeline.project);
    const ref = spec.ref ?? pipeline.ref;
    const id = nextJob();
    const job: Job = {
      id,
      spec,
      project: home.id,
      pipeline: pipeline.id,
      stage: more.stage,
      stageName: spec.stageName ?? `stage-${more.stage}`,
      name: spec.name ?? `job ${id}`,
      tags: spec.tags ?? [],
      ref,
      protectedRef: spec.protectedRef ?? isProtected(home, ref),
      timeoutMs: spec.timeoutMs ?? home.jobTimeoutMs,
      durationMs: spec.durationMs,
      retryOf: more.retryOf,
      status: 'created',
      createdAt: timeline.now(),
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
    jobs.set(id, job);
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

  const advance = (id: number): void => {
    const pipeline = pipelines.get(id);
    if (pipeline === undefined) return;
    movePipeline(pipeline, { begin: (job) => move(job, 'pending'), skip: (job) => move(job, 'skipped') });
  };

  const triesOf = (job: Job): number => {
    let tries = 0;
    for (let at: Job | undefined = job; at !== undefined && at.retryOf !== null; at = jobs.get(at.retryOf)) {
      tries += 1;
    }
    return tries;
  };

  const end = (job: Job, status: 'success' | 'failed' | 'canceled', failure: JobFailure | null): void => {
    if (isEnded(job)) return;
    job.failure = failure;
    move(job, status);
    const pipeline = pipelines.get(job.pipeline);
    if (pipeline !== undefined && status === 'failed' && triesOf(job) < (job.spec.retries ?? 0)) {
      addJob(pipeline, job.spec, { stage: job.stage, retryOf: job.id });
    }
    advance(job.pipeline);
  };

  return {
    addProject,
    project,
    projects: (): readonly Project[] => [...projects.values()],
    pipeline: (id: number): Pipeline | null => pipelines.get(id) ?? null,
    job: (id: number): Job | null => jobs.get(id) ?? null,
    jobs: (): Iterable<Job> => jobs.values(),
    move,
    end,

    enqueue(spec: JobSpec): Job {
      const given = spec.pipeline === undefined ? undefined : pipelines.get(spec.pipeline);
      if (spec.pipeline !== undefined && given === undefined)
        throw new RangeError(`no pipeline ${spec.pipeline}`);
      const home = homeOf(given?.project ?? spec.project);
      const pipeline = given ?? newPipeline(home, spec.ref ?? home.defaultBranch);
      const job = addJob(pipeline, spec, { stage: spec.stage ?? 0, retryOf: null });
      advance(pipeline.id);
      return job;
    },

    addPipeline(wish: { project?: number; ref?: string; stages: readonly (readonly JobSpec[])[] }): Pipeline {
      const home = homeOf(wish.project);
      const pipeline = newPipeline(home, wish.ref ?? home.defaultBranch);
      for (const [stage, specs] of wish.stages.entries()) {
        for (const spec of specs) addJob(pipeline, spec, { stage, retryOf: null });
      }
      advance(pipeline.id);
      return pipeline;
    },

    forgetBefore(at: number): void {
      for (const [id, pipeline] of pipelines) {
        if (!pipeline.jobs.every((job) => job.endedAt !== null && job.endedAt < at)) continue;
        for (const job of pipeline.jobs) jobs.delete(job.id);
        pipelines.delete(id);
      }
    },
  };
}
