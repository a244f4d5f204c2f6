// Cleans a host between two leases: containers of a dead runner are ended and reported, the runner's containers and
// networks go, images and named volumes stay. Then the machine is ready again, or ends.
// Trap: a machine that cannot be cleaned must never be handed out again.
import { messageOf } from '../domain/error.ts';
import { type Machine, moveMachine } from '../domain/machine.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost, JobContainer } from '../ports/docker.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from '../service/current-config.ts';
import type { Journal } from '../service/journal.ts';

/** Killing and removing a handful of containers takes a second or two; a host that needs longer is replaced. */
const CLEAN_LIMIT_MS: DurationMs = 30 * SECOND_MS;

type CleanerDeps = {
  store: Store;
  config: CurrentConfig;
  docker: Docker;
  clock: Clock;
  journal: Journal;
  hostOf(machine: Machine): DockerHost | null;
  grantReady(pool: string): void;
  nudge(): void;
};

export type HostCleaner = {
  /** Starts cleaning a machine whose lease ended; a second call while it runs does nothing. */
  start(machine: string): void;
  /** Takes up what a crash interrupted. */
  resume(): void;
  /** Ends when all cleaning under way has ended. */
  settled(): Promise<void>;
};

/** The cleaner of one daemon. */
export function createHostCleaner(deps: CleanerDeps, stop: AbortSignal): HostCleaner {
  const { store, docker, clock, journal } = deps;
  const underWay = new Map<string, Promise<void>>();

  function done(id: string, failure: string | null, left: readonly JobContainer[]): void {
    const machine = store.machine(id);
    if (machine === null || machine.lease !== null || machine.phase !== 'leased') return;
    const maxBuilds = deps.config.pool(machine.pool)?.maxBuilds ?? 0;
    const worn = maxBuilds > 0 && machine.builds >= maxBuilds ? 'max-builds' : null;
    const ending = machine.ending ?? (failure === null ? worn : 'clean-failed');
    const cleaned = { ...machine, cleaning: false, ending, failure: failure ?? machine.failure };
    store.putMachine(moveMachine(cleaned, ending === null ? 'ready' : 'draining', clock.now()));
    for (const { jobId, jobUrl, running } of left) {
      if (!running || jobId === null) continue;
      const text = `job ${jobId} still ran when its lease ended; its container was ended`;
      journal({
        code: 'lease-ended',
        pool: machine.pool,
        machine: id,
        level: 'warn',
        text,
        detail: { job: jobId, url: jobUrl },
      });
    }
    if (failure !== null) {
      journal({
        code: 'clean-failed',
        pool: machine.pool,
        machine: id,
        level: 'warn',
        detail: { error: failure },
      });
    }
    deps.grantReady(machine.pool);
    deps.nudge();
  }

  async function clean(id: string): Promise<void> {
    const machine = store.machine(id);
    const host = machine === null ? null : deps.hostOf(machine);
    if (machine === null || host === null) {
      done(id, 'its address or certificates are unknown', []);
      return;
    }
    try {
      const { containers } = await docker.clean(host, clock.timeout(CLEAN_LIMIT_MS, stop));
      done(id, null, containers);
    } catch (error) {
      if (!stop.aborted) done(id, messageOf(error), []);
    }
  }

  const start = (id: string) => {
    if (underWay.has(id) || stop.aborted) return;
    underWay.set(
      id,
      clean(id).finally(() => underWay.delete(id)),
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
