// The job queue as hostler sees it: jobs that wait in GitLab, what a runner may take, and what it comes to per pool.
// adapters/gitlab makes jobs and traits, src/queue judges them, the planner only counts.
// Trap: GitLab has no call that says what one runner may take; every field here that GitLab left out is null, not false.
import type { CloudSite, Secret } from './config.ts';
import type { DurationMs, EpochMs } from './units.ts';

/** Where the queue is read: REST a project, GraphQL some projects a call, GraphQL over the whole instance, the runner's own metrics. */
export type QueueSourceName = 'rest' | 'graphql' | 'instance' | 'metrics';

export type ProjectRef = {
  id: number;
  /** Full path, `group/project`; empty where the answer did not say. */
  path: string;
};

/** Words of GitLab for a job's state; only `pending` stands in the runners' queue. */
export type JobStatus = string;

export type QueuedJob = {
  id: number;
  project: ProjectRef;
  name: string;
  stage: string;
  status: JobStatus;
  /** As GitLab resolved them; empty = untagged. */
  tags: readonly string[];
  ref: string;
  /** The ref is a git tag; null where the answer did not say. */
  gitTag: boolean | null;
  /** Whether the ref is protected; null = not looked up, or it cannot be known. */
  protectedRef: boolean | null;
  /** When it became pending, on our clock; null where the answer did not say. */
  queuedAt: EpochMs | null;
  /** When it was created, on our clock. */
  createdAt: EpochMs | null;
  pipeline: number | null;
  url: string | null;
  /** When a runner took it, where that was asked for. */
  startedAt?: EpochMs | null;
};

export type RunnerType = 'instance' | 'group' | 'project';

/** What decides which jobs a runner may take. */
export type RunnerTraits = {
  type: RunnerType | null;
  paused: boolean;
  tags: readonly string[];
  runUntagged: boolean;
  /** access_level ref_protected: jobs of protected branches and tags only. */
  protectedOnly: boolean;
  /** Projects of a project runner, as GitLab lists them; null = not told. */
  projects: readonly ProjectRef[] | null;
  /** Groups of a group runner; null = not told. */
  groups: readonly number[] | null;
};

/** A project as the list of a group, an instance or a runner shows it. */
export type QueueProject = ProjectRef & {
  /** null where the answer did not say. */
  groupRunners: boolean | null;
  sharedRunners: boolean | null;
  /** Archived or about to be deleted: no job of it runs. */
  closed: boolean;
  activeAt: EpochMs | null;
};

/** Where projects come from. */
export type ProjectScope =
  | { kind: 'instance' }
  | { kind: 'group'; group: number | string }
  | { kind: 'named'; projects: readonly (number | string)[] };

/** A token or a webhook's secret as the configuration names it. What stands in SSM is read when it is used. */
export type QueueSecret = { kind: 'value'; value: Secret } | { kind: 'ssm'; name: string; site: CloudSite };

/** Characters of a token; GitLab's have 20 and more. A shorter one cannot be told from other words and kept out of them. */
export const LEAST_TOKEN = 8;

/** Characters of a webhook's secret; GitLab makes signing tokens of 32 bytes, and what is shorter than this is guessed. */
export const LEAST_HOOK_SECRET = 12;

/** What a queue's settings name in SSM. */
export function secretsInSsm(queue: QueueSettings | undefined): { name: string; site: CloudSite }[] {
  return [queue?.token, queue?.webhook?.secret].flatMap((secret) => (secret?.kind === 'ssm' ? secret : []));
}

/** `[runners.hostler.queue]` of one pool. */
export type QueueSettings = {
  source: 'auto' | QueueSourceName | 'none';
  /** GitLab's address without a slash at its end; null = the runner's section names none. */
  url: string | null;
  token: QueueSecret | null;
  /** PEM text of tls-ca-file (or the runner's certs folder), beside the system's own authorities. */
  ca: string | null;
  /** The runner's number, from its section or `runner_id`. */
  runnerId: number | null;
  /** Ids or full paths; empty = the runner's own scope. */
  projects: readonly (number | string)[];
  group: number | string | null;
  pollIntervalMs: DurationMs;
  /** Part of the matching jobs that is ours, above 0 up to 1: other runners take the rest. */
  share: number;
  /** Younger jobs are left to other runners. */
  minAgeMs: DurationMs;
  /** Whether a ref counts as protected when GitLab does not say. */
  assumeProtected: boolean;
  /** The runner's own settings, for tokens that may not read them; null = not given. */
  tags: readonly string[] | null;
  runUntagged: boolean | null;
  protectedOnly: boolean | null;
  /** Launch for jobs whose stage is about to begin, within the idle count. */
  lookahead: boolean;
  /** Let the idle count follow what is usual at this hour of the week. */
  forecast: boolean;
  /** Part of the quarters of an hour, above 0 up to 1, whose rush of jobs the idle machines should meet. */
  forecastShare: number;
  /** Where GitLab's webhooks are taken, and what proves them; null = nowhere. */
  webhook: { listen: string; secret: QueueSecret } | null;
};

/** How a pool's queue stands. `off`: no source, or one that was not asked for. */
export type QueueState = 'fresh' | 'stale' | 'failed' | 'off';

export type PoolQueue = {
  pool: string;
  source: QueueSourceName | null;
  state: QueueState;
  /** When GitLab last answered; null = never. */
  at: EpochMs | null;
  /** Why it is not fresh, or why this source. */
  why: string;
  /** True when the source sees each single job; the runner's metrics only tell a number from time to time. */
  exact: boolean;
};

/** Pending jobs that the same pools may take and that were seen at the same moment. */
export type JobGroup = {
  /** Ids, sorted; never empty. */
  pools: readonly string[];
  /** When the question went out: claims after it are not in the answer, or may not be. */
  observedAt: EpochMs;
  /** Too old to launch for; still a reason to keep what stands. */
  held: boolean;
  /** When each job became pending, oldest first. */
  queuedAt: readonly EpochMs[];
};

/** A job that is not pending yet, with the moment when the stage before it should have ended. */
export type ComingJob = { job: QueuedJob; expectedAt: EpochMs };

/** A stage that is about to begin: how many of its jobs a pool may take, and what they find. */
export type ComingStage = {
  jobs: number;
  /** Jobs that hold it up and leave their machines when it begins. */
  leaving: number;
  expectedAt: EpochMs;
  /** When the look that shows it went out. */
  observedAt: EpochMs;
};

/** Jobs that usually come unannounced within one boot, from a moment on, for a quarter of an hour. */
export type ForecastSlot = { from: EpochMs; jobs: number };

/** What the runner itself says that it may run, by its metrics: it may not have taken up its file yet. */
export type RunnerBounds = {
  /** Jobs at once; null = not said. */
  concurrent: number | null;
  /** Jobs at once by pool, where its section has a limit. */
  limits: ReadonlyMap<string, number>;
};

/** The queue as one tick sees it. */
export type QueueView = {
  pools: ReadonlyMap<string, PoolQueue>;
  groups: readonly JobGroup[];
  /** Jobs that the runner runs in sections that are no pool of ours: they count against `concurrent` too. */
  otherJobs: number;
  /** Absent: the runner does not say. */
  bounds?: RunnerBounds;
  /** Stages that are about to begin, by pool. */
  coming?: ReadonlyMap<string, readonly ComingStage[]>;
  /** What is usual from now on, by pool. */
  forecast?: ReadonlyMap<string, readonly ForecastSlot[]>;
};
