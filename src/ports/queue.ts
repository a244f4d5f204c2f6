// The job queue as a port: where pending jobs are listed, and the calls around it (the runner's settings, projects,
// protected refs). adapters/gitlab implements it. Which project is looked at when is decided by the caller.
// Traps: an answer that failed is thrown, never an empty list; every request passes the gate, pages of a list too.
// Nobody may call POST /jobs/request: it takes a job away.
import type { CloudSite, Secret } from '../domain/config.ts';
import type {
  ProjectRef,
  ProjectScope,
  QueuedJob,
  QueueProject,
  QueueSourceName,
  RunnerTraits,
} from '../domain/queue.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';

/** Which GitLab, and as whom. */
export type GitlabAccess = { url: string; token: Secret; ca: string | null };

/** What one request came to, for the pace of the next ones and for metrics. */
export type CallReport = {
  /** `jobs`, `graphql`, `projects`, `runner` … a closed set of short names. */
  what: string;
  outcome: 'ok' | 'unchanged' | 'refused' | 'throttled' | 'failed';
  ms: DurationMs;
  /** RateLimit-Limit: calls a minute; null = the answer did not say. */
  limit: number | null;
  /** RateLimit-Remaining. */
  remaining: number | null;
  /** No call before: RateLimit-ResetTime of a refusal, else Retry-After; null = not said. */
  retryAt: EpochMs | null;
};

/** Every request goes through it: `enter` waits for its turn and throws when the signal aborts. Urgent ones go first. */
export interface CallGate {
  enter(signal: AbortSignal, isUrgent?: boolean): Promise<void>;
  /** Always follows `enter`. */
  leave(report: CallReport): void;
}

export type LookOrder = {
  /** What to look at; at most `projectsPerLook`. Empty for a source that sees all. */
  projects: readonly ProjectRef[];
  /** Words of GitLab; usually `pending` alone. */
  statuses: readonly string[];
  /** Somebody said that these changed: their calls go before the usual ones. */
  urgent?: boolean;
};

export type QueueAnswer = {
  jobs: readonly QueuedJob[];
  /** When the first question went out. */
  observedAt: EpochMs;
  /** False when jobs may be missing: a page failed, or there were more than are read. */
  complete: boolean;
  /** Projects of the order that GitLab does not show to this token, with its words. */
  refused: readonly { project: number; why: string }[];
};

export interface QueueSource {
  readonly name: QueueSourceName;
  /** How many projects one look takes; 0 = it sees all and takes none. */
  readonly projectsPerLook: number;
  /** Throws HostlerError `gitlab-refused` or `gitlab-unreachable` when nothing was learned. */
  look(order: LookOrder, signal: AbortSignal): Promise<QueueAnswer>;
}

/** A job that GitLab shows as given to a runner. */
export type AssignedJob = { id: number; status: string; project: number };

/** One GitLab under one token. */
export interface Gitlab {
  /** `19.4.0`, or null where the token may not ask. */
  version(signal: AbortSignal): Promise<string | null>;
  /** Throws `gitlab-refused` when the token may not read it (it takes manage_runner or an admin). */
  runner(id: number, signal: AbortSignal): Promise<RunnerTraits>;
  projects(scope: ProjectScope, signal: AbortSignal): Promise<readonly QueueProject[]>;
  /** null: no such ref, or GitLab does not say. */
  isProtected(
    at: { project: number; ref: string; gitTag: boolean | null },
    signal: AbortSignal,
  ): Promise<boolean | null>;
  /** Running jobs of a runner that this token may see. */
  runningJobs(runner: number, signal: AbortSignal): Promise<readonly AssignedJob[]>;
  /** A job's state now; null when GitLab does not show it any more. */
  jobStatus(job: { project: number; id: number }, signal: AbortSignal): Promise<string | null>;
  /** True when the token sees the jobs of the whole instance. */
  seesInstance(signal: AbortSignal): Promise<boolean>;
  source(name: Exclude<QueueSourceName, 'metrics'>): QueueSource;
  close(): void;
}

export interface GitlabDoor {
  open(access: GitlabAccess, gate: CallGate): Gitlab;
}

/** What one runner says of itself on its metrics address. */
export type RunnerScrape = {
  /** Jobs it runs now, by runner label (short token). */
  jobs: ReadonlyMap<string, number>;
  /** Jobs it has taken since its start, by label. */
  taken: ReadonlyMap<string, number>;
  /** Rows that GitLab's queue had for it when it last took a job, that one included (runner 18.1 and later). */
  queueSize: ReadonlyMap<string, number>;
  /** How many of these GitLab looked at until it gave one, that one included; above 1, others take from the same queue. */
  queueDepth: ReadonlyMap<string, number>;
  limit: ReadonlyMap<string, number>;
  concurrent: number | null;
  /** When its process began; null = it does not say. */
  startedAt: EpochMs | null;
};

export interface RunnerMetrics {
  /** Throws when it does not answer. */
  scrape(url: string, signal: AbortSignal): Promise<RunnerScrape>;
}

/** Secrets that stand elsewhere. */
export interface SecretParameters {
  /** Value of an SSM parameter, decrypted. Throws HostlerError `cloud-refused`. */
  read(at: { site: CloudSite; name: string }, signal: AbortSignal): Promise<Secret>;
}

/** All that the queue's watch needs from outside. */
export type QueuePorts = { gitlab: GitlabDoor; runner: RunnerMetrics; secrets: SecretParameters };
