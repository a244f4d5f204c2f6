// Leases end without `rm` too: a store was wiped, a token rotated, a section renamed, a runner is gone for good.
// A held lease that has no folder, or whose name fits no current section, ends by itself when its host has run no
// labelled container for ten minutes (design §4).
// Trap: a host that cannot be asked keeps its lease; missing data never frees a host. Only when nobody can hold the lease
// any more and nobody could speak to the host for an hour is there nothing left to protect.
import type { PoolSpec } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost } from '../ports/docker.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import type { Leases } from './leases.ts';

/** How long nobody may hold a lease before it ends: longer than any restart of a runner, and than a config rewrite. */
export const ABANDONED_AFTER_MS: DurationMs = 10 * MINUTE_MS;
/**
 * Silence of a host after which no job there is anybody's: the runner reaches its hosts from the same machine as hostler, and
 * GitLab gives a job up that it has not heard of for an hour.
 */
export const SILENT_FOR_MS: DurationMs = 60 * MINUTE_MS;
/** The folders are compared this often. */
const LOOK_EVERY_MS: DurationMs = 30 * SECOND_MS;
/** One look at a host's containers. */
const HOST_LIMIT_MS: DurationMs = 5 * SECOND_MS;

type Deps = {
  store: Store;
  config: CurrentConfig;
  runnerStore: RunnerStore;
  docker: Docker;
  clock: Clock;
  leases: Leases;
  journal: Journal;
  hostOf(machine: Machine): DockerHost | null;
};

/** Why nobody can hold this lease, or null. `names`: folders that stand in its store; null = the store cannot be read. */
export function abandonment(
  lease: Lease,
  names: ReadonlySet<string> | null,
  config: CurrentConfig,
): string | null {
  if (names !== null && !names.has(lease.name)) return 'its folder is gone';
  const pool = config.pool(lease.pool);
  const isNamedBy = (each: PoolSpec) => each.namePrefixes.some((prefix) => lease.name.startsWith(prefix));
  if (pool !== null && (pool.namePrefixes.length === 0 || isNamedBy(pool))) return null;
  // A section that only changed its name goes on to call for its machines.
  if (config.get().pools.some(isNamedBy)) return null;
  if (pool === null) return `its section left the configuration (pool ${lease.pool})`;
  // A name that fitted no section from the first was served by its options; only one that fitted once can stop to fit.
  return lease.name.startsWith('runner-')
    ? 'its name fits no section any more (token or MachineName changed)'
    : null;
}

export type AbandonedLeases = {
  /** One round over all held leases. */
  look(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
};

/** The watch over leases that nobody holds. */
export function createAbandonedLeases(deps: Deps): AbandonedLeases {
  const { store, config, runnerStore, docker, clock, leases, journal } = deps;
  /** First time each lease was seen so, and why; forgotten as soon as somebody holds it again. */
  const since = new Map<string, DurationMs>();

  /** When the host of such a lease was first silent; forgotten as soon as it speaks. */
  const silentSince = new Map<string, DurationMs>();

  function isSilentForLong(name: string): boolean {
    const now = clock.monotonic();
    const first = silentSince.get(name) ?? now;
    silentSince.set(name, first);
    return now - first >= SILENT_FOR_MS;
  }

  async function runsNothing(lease: Lease): Promise<boolean> {
    const machine = lease.machine === null ? null : store.machine(lease.machine);
    if (machine === null || machine.phase === 'gone') return true;
    const host = deps.hostOf(machine);
    if (host === null) return false;
    const containers = await docker.jobContainers(host, clock.timeout(HOST_LIMIT_MS)).catch(() => null);
    if (containers === null) return isSilentForLong(lease.name);
    silentSince.delete(lease.name);
    return !containers.some((container) => container.running);
  }

  async function lookAt(lease: Lease, why: string): Promise<void> {
    if (!(await runsNothing(lease))) {
      since.delete(lease.name);
      return;
    }
    const now = clock.monotonic();
    const first = since.get(lease.name) ?? now;
    since.set(lease.name, first);
    if (now - first < ABANDONED_AFTER_MS) return;
    since.delete(lease.name);
    silentSince.delete(lease.name);
    const { name, pool, machine } = lease;
    journal({
      code: 'lease-abandoned',
      pool,
      machine,
      lease: name,
      level: 'warn',
      text: `${name} ends by itself: ${why}`,
    });
    leases.end(name, 'lease-abandoned');
    // A folder that cannot be removed fits no section or is not there: nobody asks for it.
    await runnerStore.remove(lease.store, name).catch(() => undefined);
  }

  /** A create's half-made folder, with a client's key in it, that neither its door nor its lease will remove any more. */
  function isStale(name: string, at: EpochMs): boolean {
    return store.lease(name) === null && clock.now() - at >= ABANDONED_AFTER_MS;
  }

  async function look(): Promise<void> {
    if (store.trouble() !== null) return;
    const held = store.leases().filter((lease) => lease.state === 'held');
    for (const [path, group] of Map.groupBy(held, (lease) => lease.store)) {
      const names = await runnerStore.names(path).then(
        (found) => new Set(found),
        () => null,
      );
      for (const lease of group) {
        const why = abandonment(lease, names, config);
        if (why !== null) await lookAt(lease, why);
        else {
          since.delete(lease.name);
          silentSince.delete(lease.name);
        }
      }
    }
    for (const path of store.stores()) await runnerStore.tidy(path, isStale).catch(() => undefined);
  }

  return {
    look,
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        if (!signal.aborted) await look();
      }
    },
  };
}
