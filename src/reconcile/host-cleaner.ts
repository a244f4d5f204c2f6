// Cleans a host between two leases: containers of a dead runner are ended and reported, the runner's containers and
// networks go, images and named volumes stay while the disk has room. Then the machine is ready again, or ends.
// Trap: a machine that cannot be cleaned must never be handed out again.
import { messageOf } from '../domain/error.ts';
import type { JobSeen } from '../domain/lease.ts';
import { type Machine, moveMachine } from '../domain/machine.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost, JobContainer } from '../ports/docker.ts';
import type { Log } from '../ports/log.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from '../service/current-config.ts';
import type { Journal } from '../service/journal.ts';

/** Killing and removing a handful of containers takes a second or two; a host that needs longer is replaced. */
const CLEAN_LIMIT_MS: DurationMs = 30 * SECOND_MS;
/** A login and two `df`. What cannot be seen in this time is not known, which costs a host nothing. */
const LOOK_LIMIT_MS: DurationMs = 5 * SECOND_MS;
/** Removing some 10 GB of layers takes a minute on a slow volume. */
const PRUNE_LIMIT_MS: DurationMs = 2 * MINUTE_MS;
/**
 * Percent of space or inodes in use above which room is made. The 16 GB root that docker-machine takes by default keeps
 * 2.4 GB below it: a usual job's image and checkout.
 */
export const DISK_WATERMARK = 85;

type CleanerDeps = {
  store: Store;
  config: CurrentConfig;
  docker: Docker;
  clock: Clock;
  log: Log;
  journal: Journal;
  hostOf(machine: Machine): DockerHost | null;
  /** Percent in use of the host's fullest disk, null when it cannot tell. Throws when the host cannot be visited. */
  diskOf(machine: Machine, signal: AbortSignal): Promise<number | null>;
  grantReady(pool: string): void;
  nudge(): void;
};

export type HostCleaner = {
  /**
   * Starts cleaning a machine whose lease ended, with the job that ran at the lease's last look, if any; a second call
   * while it runs does nothing.
   */
  start(machine: string, job?: JobSeen | null): void;
  /** Takes up what a crash interrupted. */
  resume(): void;
  /** Ends when all cleaning under way has ended. */
  settled(): Promise<void>;
};

/** What cleaning came to. `fault` null = the host is as good as before. */
type Cleaned = {
  fault: { code: ReasonCode; text: string; detail: Readonly<Record<string, string | number>> } | null;
  left: readonly JobContainer[];
};

const cleanFailed = (error: string): Cleaned => ({
  fault: { code: 'clean-failed', text: error, detail: { error } },
  left: [],
});

/** Looks at a host's disk and makes room on it. */
function createRoom({ docker, clock, journal, diskOf }: CleanerDeps, stop: AbortSignal) {
  /** Percent in use; null when nobody knows, which is no reason to give up a host that was cleaned. */
  function look(machine: Machine): Promise<number | null> {
    return diskOf(machine, clock.timeout(LOOK_LIMIT_MS, stop)).catch(() => null);
  }

  /** Makes room where the disk is above the watermark: first what nobody misses, then the caches. The use at the end. */
  async function makeRoom(machine: Machine, host: DockerHost, before: number): Promise<number> {
    let now = before;
    for (const what of ['spare', 'caches'] as const) {
      if (now < DISK_WATERMARK) break;
      await docker.prune(host, what, clock.timeout(PRUNE_LIMIT_MS, stop));
      now = (await look(machine)) ?? now;
      const detail = { removed: what, percent_before: before, percent_after: now, watermark: DISK_WATERMARK };
      journal({ code: 'disk-pruned', pool: machine.pool, machine: machine.id, detail });
    }
    return now;
  }
  return { look, makeRoom };
}

/** The cleaner of one daemon. */
export function createHostCleaner(deps: CleanerDeps, stop: AbortSignal): HostCleaner {
  const { store, docker, clock, log, journal } = deps;
  const { look, makeRoom } = createRoom(deps, stop);
  const underWay = new Map<string, Promise<void>>();

  function maxBuildsReached(machine: Machine): boolean {
    const maxBuilds = deps.config.pool(machine.pool)?.maxBuilds ?? 0;
    return maxBuilds > 0 && machine.builds >= maxBuilds;
  }

  function done(id: string, { fault, left }: Cleaned): void {
    const machine = store.machine(id);
    if (machine === null || machine.lease !== null || machine.phase !== 'leased') return;
    const worn = maxBuildsReached(machine) ? 'max-builds' : null;
    const ending = machine.ending ?? fault?.code ?? worn;
    const after = { ...machine, cleaning: false, ending, failure: fault?.text ?? machine.failure };
    store.putMachine(moveMachine(after, ending === null ? 'ready' : 'draining', clock.now()));
    const about = { pool: machine.pool, machine: id, level: 'warn' } as const;
    for (const { jobId, jobUrl, running } of left) {
      if (!running || jobId === null) continue;
      const text = `job ${jobId} still ran when its lease ended; its container was ended`;
      journal({ ...about, code: 'lease-ended', text, detail: { job: jobId, url: jobUrl } });
    }
    if (fault !== null) journal({ ...about, code: fault.code, detail: fault.detail });
    deps.grantReady(machine.pool);
    deps.nudge();
  }

  async function cleaned(machine: Machine, host: DockerHost): Promise<Cleaned> {
    const goesOn = machine.ending === null && !maxBuildsReached(machine);
    const [{ containers: left }, seen] = await Promise.all([
      docker.clean(host, clock.timeout(CLEAN_LIMIT_MS, stop)),
      goesOn ? look(machine) : null,
    ]);
    const percent = seen === null || seen < DISK_WATERMARK ? 0 : await makeRoom(machine, host, seen);
    if (percent < DISK_WATERMARK) return { fault: null, left };
    const text = `its disk is ${percent} % full after everything unused was removed`;
    return { fault: { code: 'disk-full', text, detail: { percent, watermark: DISK_WATERMARK } }, left };
  }

  /** A runner often sees the end of its host before EC2's lists show it, and gives the lease back: then this names the job. */
  function tellLostJob({ id, pool, instance, ending }: Machine, job: JobSeen | null): void {
    if (ending !== 'interrupted' || job === null) return;
    const named = job.url === null ? `job ${job.id}` : `job ${job.id} (${job.url})`;
    const text = `${named} was lost with ${instance ?? id}`;
    const detail = { job: job.id, url: job.url, instance };
    journal({ code: 'job-lost', pool, machine: id, level: 'warn', text, detail });
  }

  async function clean(id: string, job: JobSeen | null): Promise<void> {
    const machine = store.machine(id);
    try {
      const host = machine === null ? null : deps.hostOf(machine);
      const isKnown = machine !== null && host !== null;
      done(
        id,
        isKnown ? await cleaned(machine, host) : cleanFailed('its address or certificates are unknown'),
      );
    } catch (error) {
      if (stop.aborted) return;
      if (machine !== null) tellLostJob(machine, job);
      done(id, cleanFailed(messageOf(error)));
    }
  }

  const start = (id: string, job: JobSeen | null = null) => {
    if (underWay.has(id) || stop.aborted) return;
    underWay.set(
      id,
      clean(id, job)
        // Nobody waits for it: what its end could not store is taken up by the next start.
        .catch((error: unknown) =>
          log.error('a host could not be cleaned', { machine: id, error: messageOf(error) }),
        )
        .finally(() => underWay.delete(id)),
    );
  };

  return {
    start,
    resume() {
      for (const machine of store.machines())
        if (machine.cleaning && machine.phase === 'leased') start(machine.id);
    },
    async settled() {
      await Promise.all(underWay.values());
    },
  };
}
