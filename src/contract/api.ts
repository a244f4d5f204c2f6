// The socket's paths, replies and requests: what every door speaks. Types only, so that light doors can import it.
// Keys are stable; `--json` prints these replies as they are. Documented in docs/api.md.
import type { ConfigIssue, ConfigValue } from '../domain/config.ts';
import type { CostGroup } from '../domain/cost.ts';
import type { ErrorCode } from '../domain/error.ts';
import type { MachinePhase } from '../domain/machine.ts';
import type { Event, PoolSize } from '../domain/plan.ts';

/** Sent as header `hostler-api` both ways. A server takes its own version and the one before; no header means the current one. */
export const API_VERSION = 1;
export const API_HEADER = 'hostler-api';

/** Bodies above this are refused with `too-large`: a create carries at most some hundred options. */
export const MAX_BODY_BYTES = 256 * 1024;

export type ErrorReply = { error: { code: ErrorCode; message: string; where: string | null } };

/** POST /v1/leases. The reply is a stream of LeaseEvent lines (application/x-ndjson) that the server ends. */
export type LeaseRequest = {
  name: string;
  driver: string;
  /** `amazonec2-region=eu-central-1` …, as given, without the leading dashes. */
  options: readonly string[];
  /** Absolute MACHINE_STORAGE_PATH. */
  store: string;
  pid: number;
  runnerPid: number;
};

export type LeaseEvent =
  /** Sent at once and then every 15 s, as a sign of life with the place and the reason of that moment. */
  | { event: 'waiting'; pool: string; place: number; reason: string }
  /** The files of the machine's folder by name; write them, POST …/commit, rename, exit 0. */
  | { event: 'granted'; pool: string; machine: string; url: string; files: Readonly<Record<string, string>> }
  | { event: 'failed'; code: ErrorCode; message: string };

/** GET /v1/leases → `{ leases }`. */
export type LeaseReply = {
  name: string;
  pool: string;
  machine: string | null;
  state: 'waiting' | 'granted' | 'held' | 'busy';
  /** ISO 8601. */
  since: string;
  /** From create to hand-over, or until now while it waits. */
  waited_s: number;
  runner_pid: number | null;
  jobs: readonly { id: string; url: string | null }[];
  place: number | null;
};

/** GET /v1/machines → `{ machines }`. */
export type MachineReply = {
  id: string;
  pool: string;
  phase: MachinePhase;
  instance: string | null;
  type: string;
  zone: string | null;
  market: 'spot' | 'on-demand';
  address: string | null;
  builds: number;
  lease: string | null;
  /** ISO 8601: when the phase began. */
  since: string;
  created: string;
  image: string | null;
  /** Reason code of its ending, or null. */
  ending: string | null;
  failure: string | null;
  healthy: boolean;
};

/** GET /v1/pools → `{ pools }`. */
export type PoolReply = {
  id: string;
  runner: string;
  region: string;
  type: string;
  market: 'spot' | 'on-demand';
  limit: number;
  paused: boolean;
  draining: boolean;
  idle_count: number;
  /** `base` or the period as written. */
  period: string;
  next_change: string | null;
  /** IANA zone of the pool's periods, to show `next_change` in; null without periods. */
  timezone: string | null;
  machines: Readonly<Record<MachinePhase, number>>;
  size: PoolSize | null;
  /** What rests after failures: next try and why. */
  rests: readonly {
    what: string;
    /** `marked` closes nothing: other places are taken first until then. */
    state: 'closed' | 'marked';
    kind: string;
    code: string;
    message: string;
    until: string;
    failures: number;
  }[];
};

/** GET /v1/breakers → `{ breakers }`: what launches that failed have closed, and what waits for a probe. */
export type BreakerReply = {
  /** As `hostler breaker reset` takes it. */
  key: string;
  /** `closed` until `next_try`; `half-open`: one machine is asked for first; `marked`: others are taken before it. */
  state: 'closed' | 'half-open' | 'marked';
  scope: string;
  kind: string;
  code: string;
  message: string;
  failures: number;
  since: string;
  /** While no job waits; jobs that wait cut long closures short. */
  next_try: string;
  /** Pools whose launches it reaches. */
  pools: readonly string[];
};

/** GET /v1/plan. */
export type PlanReply = {
  at: string | null;
  wake_at: string | null;
  pools: readonly (PoolSize & { lines: readonly string[] })[];
  actions: readonly string[];
};

/** GET /v1/events?after=&limit=&pool=&machine=&lease= → `{ events }`. */
export type EventReply = Omit<Event, 'at'> & { at: string };

/** GET /v1/status. */
export type StatusReply = {
  version: string;
  pid: number;
  started: string;
  state_dir: string;
  owner: string;
  manager: string;
  config_files: readonly string[];
  config_loaded: string;
  config_error: string | null;
  warnings: readonly ConfigIssue[];
  /** Why the state folder takes no writes now, or null. */
  state_error: string | null;
  /** What the daemon found in its state folder at its start and a person should know. */
  state_notes: readonly string[];
  last_tick: string | null;
  ticks: number;
  sources: readonly {
    source: string;
    state: 'fresh' | 'stale' | 'failed';
    age_s: number | null;
    why: string | null;
  }[];
  ec2_calls: Readonly<Record<string, number>>;
  pools: readonly PoolReply[];
  waiting: number;
};

/** GET /v1/config → `{ values, warnings }`. */
export type ConfigReply = { values: readonly ConfigValue[]; warnings: readonly ConfigIssue[] };

/** GET /v1/machines/ID: the record and its history. */
export type MachineDetailReply = {
  machine: MachineReply;
  events: readonly EventReply[];
  /** The launch that it came from, while that is on record; null for machines that were adopted. */
  launch: { at: string; way: 'run-instances' | 'fleet' | 'spot-request'; why: string | null } | null;
};

/** GET /v1/queue?jobs= → `{ queues }`: one entry a pool that has settings for the job queue. */
export type QueueReply = {
  pool: string;
  source: 'rest' | 'graphql' | 'instance' | 'metrics' | null;
  state: 'fresh' | 'stale' | 'failed' | 'off';
  age_s: number | null;
  /** Why this source, or why it is not fresh. */
  why: string;
  gitlab: string | null;
  remarks: readonly string[];
  /** Why looks fail now, also while the last good one still counts; null = they do not. */
  failing: string | null;
  /** How long a job may wait until it is seen, by polling; null where nothing is polled. */
  seen_within_s: { busy: number; quiet: number } | null;
  /** Where webhooks are taken, or why they are not; null = not asked for. */
  webhook: string | null;
  /**
   * What GitLab told the runner with the job it took last, by the runner's own metrics: how many fitted it, that one
   * included, and how many were looked at until one could be given. null = not known; a size of 0 = GitLab does not say.
   */
  runner_told: { queue_size: number; queue_depth: number; age_s: number } | null;
  /** Projects that are looked at. */
  watched: number;
  pending: number;
  may_take: number;
  oldest_s: number | null;
  /** Jobs whose stage is about to begin, where lookahead is on. */
  coming: number;
  /** What forecast expects for this quarter of an hour and the next ones; empty without it. */
  forecast: readonly { from: string; jobs: number }[];
  /** Those with pending or coming jobs, and those that GitLab hides from the token. */
  projects: readonly QueueProjectReply[];
  /** Oldest first, at most `jobs` of the query (200). */
  jobs: readonly QueueJobReply[];
};

export type QueueProjectReply = {
  id: number;
  path: string;
  pending: number;
  may_take: number;
  coming: number;
  oldest_s: number | null;
  /** Reason in words → jobs that are not taken for it. */
  why_not: Readonly<Record<string, number>>;
  /** GitLab's words for hiding it from the token. */
  hidden: string | null;
};

export type QueueJobReply = {
  id: number;
  name: string;
  project: string;
  stage: string;
  ref: string;
  tags: readonly string[];
  waited_s: number;
  url: string | null;
  takes: boolean;
  /** `tags`, `paused` …; null for those that it may take. */
  why_not: string | null;
  detail: string;
};

/** POST /v1/cleanup. */
export type CleanupReply = {
  terminated: readonly string[];
  /** `instance` is the id of whatever was kept. */
  kept: readonly { instance: string; why: string }[];
  /** Volumes, spot requests and launch templates that were removed. */
  removed: readonly string[];
  /** Instances and other things that the last listing still shows. */
  left: number;
};

/** One thing of this owner in EC2 that no machine's record stands for, or whose end does not come. */
export type LeakReply = {
  kind: 'instance' | 'volume' | 'spot-request' | 'launch-template';
  id: string;
  site: string;
  pool: string | null;
  /** ISO 8601. */
  created: string;
  /** EC2's own word for its state, or a template's name. */
  detail: string;
  /** `ending`: hostler takes care of it. `stuck`: it tries and fails. `in-use`: no leak. `other-manager`: never touched. */
  state: 'ending' | 'stuck' | 'in-use' | 'other-manager';
  why: string;
};

/** USD, hours; `saved_usd` where both prices are known. `unpriced_hours` are in no sum of USD. */
export type CostRowReply = {
  key: string;
  url: string | null;
  usd: number;
  on_demand_usd: number;
  saved_usd: number;
  hours: number;
  job_hours: number;
  unpriced_hours: number;
  idle_share: number;
  machines: number;
  jobs: number;
};

/** GET /v1/cost?by=&since=. */
export type CostReply = {
  by: CostGroup;
  since: string;
  until: string;
  rows: readonly CostRowReply[];
  total: CostRowReply;
};

/** GET /v1/leaks. */
export type LeaksReply = { owner: string; leaks: readonly LeakReply[] };

/** POST /v1/machines/ID/retire, /v1/pools/ID/{pause,resume,drain}, /v1/reload, DELETE /v1/leases/NAME. */
export type DoneReply = { done: true; message: string };
