// Folders of ours that no lease knows any more: the word of their host's end could not be written, or the daemon ended before
// it was. The runner counts each as an idle machine and might send a job to a host that is gone or somebody else's.
// Such a folder first says that its machine is gone, then goes.
// Trap: after a lost database all leases are unknown for a while, and a host may be silent: only what stays so while EC2 can be
// seen, and with no container on its host, is a ghost.
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost } from '../ports/docker.ts';
import type { FolderMark, RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';
import { UNKNOWN } from './relearn-leases.ts';

/** The folders are looked through this often. */
export const LOOK_EVERY_MS: DurationMs = 30 * SECOND_MS;
/**
 * Looks at which EC2 could be seen: ten minutes, as long as a lease may be held by nobody. Instances without a record are
 * taken back well before. A list that fails in between only makes it later.
 */
export const LOOKS = (10 * MINUTE_MS) / LOOK_EVERY_MS;
/** One look at a host's containers. */
const HOST_LIMIT_MS: DurationMs = 5 * SECOND_MS;

type Deps = {
  store: Store;
  runnerStore: RunnerStore;
  docker: Docker;
  clock: Clock;
  journal: Journal;
  hostOf(machine: Machine): DockerHost | null;
  /** Machine stores to look into. */
  paths(): readonly string[];
  /** Whether EC2's lists of all sites are fresh, so that every instance of ours has its record or will have it. */
  seesAll(): boolean;
};

export type GhostFolders = {
  /** One round over all folders. */
  look(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
};

/** The watch over folders without a lease. */
export function createGhostFolders(deps: Deps): GhostFolders {
  const { store, runnerStore, docker, clock, journal } = deps;
  const looks = new Map<string, number>();
  const told = new Set<string>();

  function hostNamedBy(mark: FolderMark): Machine | null {
    const own = store.machine(mark.machine);
    if (own !== null) return own;
    // Taken back under a new id: then its address tells.
    const isAt = ({ address, phase }: Machine) =>
      address !== null && phase !== 'gone' && mark.url.includes(`//${address}:`);
    return store.machines().find(isAt) ?? null;
  }

  /** Whether a job may use the host by this folder, as far as anybody can tell. */
  async function mayRun(mark: FolderMark): Promise<boolean> {
    const machine = hostNamedBy(mark);
    if (machine === null || machine.phase === 'gone' || machine.phase === 'terminating') return false;
    // Its one lease is another's: what runs there is that one's. One without a name may well be this folder's.
    if (machine.lease !== null) return machine.lease.startsWith(UNKNOWN);
    const host = deps.hostOf(machine);
    if (host === null) return true;
    const containers = await docker.jobContainers(host, clock.timeout(HOST_LIMIT_MS)).catch(() => null);
    return containers === null || containers.some(({ running }) => running);
  }

  function forget(key: string): void {
    looks.delete(key);
    told.delete(key);
  }

  async function lookAt(path: string, name: string): Promise<void> {
    const key = `${path} ${name}`;
    const mark = await runnerStore.mark(path, name);
    if (mark === null || (await mayRun(mark))) return forget(key);
    if (!deps.seesAll()) return;
    const count = (looks.get(key) ?? 0) + 1;
    looks.set(key, count);
    if (count < LOOKS || store.lease(name) !== null) return;
    if (told.has(key)) {
      forget(key);
      await runnerStore.remove(path, name);
      return;
    }
    // A round before it goes: a call that reads the folder now must not find half of it.
    told.add(key);
    const why = 'no lease holds its machine any more';
    await runnerStore.putHealth(path, name, { kind: 'gone', why });
    const text = `the folder ${name} stands for a machine that it does not hold; it is removed`;
    journal({ code: 'lease-abandoned', machine: mark.machine, lease: name, level: 'warn', text });
  }

  async function look(): Promise<void> {
    if (store.trouble() !== null) return;
    const seen = new Set<string>();
    for (const path of deps.paths()) {
      const names = await runnerStore.names(path).catch(() => []);
      for (const name of names) {
        if (store.lease(name) !== null) continue;
        seen.add(`${path} ${name}`);
        // A store that cannot be read or changed now is looked at again.
        await lookAt(path, name).catch(() => undefined);
      }
    }
    for (const key of looks.keys()) if (!seen.has(key)) forget(key);
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
