// Lease: one runner's hold on a machine, from `docker-machine create` to the folder's end.
// Trap: a lease that was committed is the runner's; only the runner's `rm`, a person, or proof that nobody holds it ends it.
import { type DurationMs, type EpochMs, SECOND_MS } from './units.ts';

/** waiting: no machine yet · granted: machine chosen, door not yet done · held: the folder stands, the runner has it. */
export type LeaseState = 'waiting' | 'granted' | 'held';

/** A job as the labels of its containers name it. */
export type JobSeen = {
  id: string;
  url: string | null;
  seenAt: EpochMs;
  /** GitLab's numbers; absent or null = its labels do not say. */
  project?: string | null;
  pipeline?: string | null;
};

export type Lease = {
  /** The docker-machine name the runner chose. */
  name: string;
  pool: string;
  state: LeaseState;
  machine: string | null;
  /** When the create came. */
  since: EpochMs;
  grantedAt: EpochMs | null;
  heldAt: EpochMs | null;
  /** Folder of MACHINE_STORAGE_PATH that the door named. */
  store: string;
  /** The process that called the door: gitlab-runner, or a person's shell. */
  runnerPid: number | null;
  /** Last `url` the door answered: the runner is about to use the host. */
  urlAt: EpochMs | null;
  /** `url` calls so far: each job begins with one, also a job that is too short to be seen on the host. None = 0. */
  urls?: number;
  /** Last `config` the door answered. */
  configAt: EpochMs | null;
  /** Containers with the runner's labels at the last look. */
  containers: number;
  /** When containers were last seen, or seen to be gone; null = never in this lease. */
  containersAt: EpochMs | null;
  /** When the first look at the host's containers succeeded; null = nobody looked yet. */
  lookedAt: EpochMs | null;
  /** Distinct jobs seen in this lease, oldest first, the last 100. */
  jobs: readonly JobSeen[];
};

/** After `url` the runner starts its first container within seconds; a minute covers a slow image pull's start (helper image first). */
export const BUSY_GRACE_MS: DurationMs = 60_000;

/**
 * A runner asks `config` within a tenth of a second of its create, and a "no" then leaves the job waiting for ever; a job
 * on a dead host fails and is tried again. So no bad word of a host is said so soon after it was handed over.
 */
const JUST_HELD_MS: DurationMs = 10 * SECOND_MS;

/** How long no bad word of a lease's host may be said yet; 0 = it may. */
export function untilBadWord(lease: Lease, now: EpochMs): DurationMs {
  return Math.max(0, (lease.heldAt ?? now) + JUST_HELD_MS - now);
}

/**
 * Whether a job uses the machine: from the runner's `url` until its containers came and went, or a later `config`
 * without `url` (design §4). Without any look at the host the answer stays busy: missing data never frees a host.
 */
export function isBusy(lease: Lease, now: EpochMs): boolean {
  if (lease.state !== 'held') return lease.state === 'granted';
  if (lease.containers > 0) return true;
  if (lease.urlAt === null) return false;
  if (lease.configAt !== null && lease.configAt > lease.urlAt && now - lease.configAt > BUSY_GRACE_MS)
    return false;
  const cameAndWent = lease.containersAt !== null && lease.containersAt >= lease.urlAt;
  return !cameAndWent;
}

/** The job on a lease's host as its containers name it: `job 4711 (https://…)`. */
export function jobOn({ jobs, containers }: Lease): string {
  const job = containers > 0 ? jobs.at(-1) : undefined;
  if (job === undefined) return 'a job whose id was not seen yet';
  return job.url === null ? `job ${job.id}` : `job ${job.id} (${job.url})`;
}
