// What a job, a pipeline, a project and a runner are to GitLab. Only what its queue, its runners and the readers of its
// APIs can see; nothing of machines.

/** What somebody asks for. */
export type JobSpec = {
  /** Default: the first project. */
  project?: number;
  /** Default: none, an untagged job. */
  tags?: readonly string[];
  /** How long its script runs, in milliseconds. */
  durationMs: number;
  /** Default: as its ref says (the project's default branch and its protected refs are). */
  protectedRef?: boolean;
  /** Branch or tag; default: the project's default branch. */
  ref?: string;
  /** Whether the ref is a Git tag; default false. */
  refIsTag?: boolean;
  /** From the claim on; default: the project's, one hour. */
  timeoutMs?: number;
  name?: string;
  /** An existing pipeline; default: one of its own. */
  pipeline?: number;
  /** Place among the stages of its pipeline, from 0; default 0. */
  stage?: number;
  stageName?: string;
  /** `retry:` of the job: how often it is made anew after a failure; default 0. */
  retries?: number;
  /** How its script ends; default 'success'. */
  outcome?: 'success' | 'failed';
  /** Commands for a runner that really runs them; default: a sleep of `durationMs`, and an end by `outcome`. */
  script?: readonly string[];
  /** Docker image for such a runner; default: the runner's own. */
  image?: string;
  /** CI variables for such a runner. */
  variables?: Readonly<Record<string, string>>;
};

/** GitLab's own words. Only `pending` jobs are in the queue. */
export type JobStatus =
  | 'created'
  | 'pending'
  | 'running'
  | 'canceling'
  | 'success'
  | 'failed'
  | 'canceled'
  | 'skipped';

/** `failure_reason`: what a runner reports, and what GitLab itself finds. */
export const failureReasons = [
  'runner_system_failure',
  'script_failure',
  'job_execution_timeout',
  'image_pull_failure',
  'unknown_failure',
  'stuck_or_timeout_failure',
  'trace_size_exceeded',
] as const;
export type JobFailure = (typeof failureReasons)[number];

export type Job = {
  readonly id: number;
  readonly spec: JobSpec;
  readonly project: number;
  readonly pipeline: number;
  readonly stage: number;
  readonly stageName: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly ref: string;
  readonly refIsTag: boolean;
  readonly protectedRef: boolean;
  readonly timeoutMs: number;
  readonly durationMs: number;
  /** The job that this one repeats, or null. */
  readonly retryOf: number | null;
  status: JobStatus;
  readonly createdAt: number;
  /** Pending since. */
  queuedAt: number | null;
  /** Claimed by a runner. */
  startedAt: number | null;
  /** Got a host: what hostler's users wait for. Told by the runner's model, invisible to GitLab. */
  hostAt: number | null;
  /** Its own script began. Told by the runner's model, invisible to GitLab. */
  scriptAt: number | null;
  endedAt: number | null;
  /** Last sign of life of its runner. */
  touchedAt: number | null;
  failure: JobFailure | null;
  /** Id of the runner that claimed it. */
  runner: number | null;
  /** The machine it ran on, as the runner calls it. Told by the runner's model. */
  machine: string | null;
};

export type PipelineStatus = 'created' | 'pending' | 'running' | 'success' | 'failed' | 'canceled';

export type Pipeline = {
  readonly id: number;
  readonly project: number;
  readonly ref: string;
  readonly createdAt: number;
  status: PipelineStatus;
  readonly jobs: Job[];
};

export type Project = {
  readonly id: number;
  /** `group/subgroup/name`. */
  readonly path: string;
  readonly name: string;
  defaultBranch: string;
  /** Names of protected branches and tags; `*` is a wildcard. The default branch is one of them unless taken out. */
  protectedRefs: readonly string[];
  instanceRunners: boolean;
  groupRunners: boolean;
  jobTimeoutMs: number;
};

export type RunnerScope =
  | { kind: 'instance' }
  | { kind: 'group'; group: string }
  | { kind: 'projects'; projects: readonly number[] };

export type GitlabRunner = {
  readonly id: number;
  /** By which it speaks to GitLab. */
  token: string;
  description: string;
  tags: readonly string[];
  runUntagged: boolean;
  /** `ref_protected`: takes jobs of protected refs only. */
  accessLevel: 'not_protected' | 'ref_protected';
  /** Cannot be enabled for other projects; no part of the queue. */
  locked: boolean;
  paused: boolean;
  scope: RunnerScope;
  contactedAt: number | null;
};

/** True once nothing more can become of a job. */
export const isEnded = (job: Job): boolean =>
  job.status === 'success' ||
  job.status === 'failed' ||
  job.status === 'canceled' ||
  job.status === 'skipped';
