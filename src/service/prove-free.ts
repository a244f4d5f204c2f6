// After a start: is nobody on the machines that the store calls ready? The store may be older than the world (its log was
// lost, a backup was put back), and a host with a job must be neither handed out nor retired. The runner's folders and the
// hosts' own containers tell; until they have, such a machine is kept as it is.
// Trap: a folder may name an address that another host has by now; only one that names this very machine counts.
import type { Lease } from '../domain/lease.ts';
import { type Machine, moveMachine } from '../domain/machine.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import { DEAD_AFTER_PINGS } from '../planner/liveness.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost } from '../ports/docker.ts';
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';
import { relearnLease } from './relearn-leases.ts';
import type { UnknownFolders } from './unknown-folders.ts';

/** One look at a host's containers: a healthy one answers in milliseconds. */
const LOOK_LIMIT_MS: DurationMs = 5 * SECOND_MS;
/** Hosts looked at together; each costs some milliseconds of TLS. */
const AT_ONCE = 20;
/** A host that did not answer is asked again; pings tell meanwhile whether it is dead. */
const AGAIN_MS: DurationMs = 2 * SECOND_MS;

type Deps = {
  store: Store;
  folders: UnknownFolders;
  docker: Docker;
  clock: Clock;
  journal: Journal;
  hostOf(machine: Machine): DockerHost | null;
  /** Machine stores to look into. */
  paths(): readonly string[];
  grantReady(pool: string): void;
};

export type FreeProof = {
  /** Whether this machine is called ready and nobody has looked yet. */
  isOpen(machine: string): boolean;
  /** Looks at all of them; resolves when none is left or the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
};

/** The proof for the machines that are ready now. */
export function createFreeProof(deps: Deps): FreeProof {
  const { store, docker, clock, journal } = deps;
  const isReady = (machine: Machine | null): machine is Machine => machine?.phase === 'ready';
  const open = new Set(
    store
      .machines()
      .filter(isReady)
      .map(({ id }) => id),
  );

  async function holderOf(machine: Machine, signal: AbortSignal): Promise<Lease | null> {
    const host = deps.hostOf(machine);
    if (host === null) return null;
    const jobs = await docker.jobContainers(host, clock.timeout(LOOK_LIMIT_MS, signal));
    const byUrl = async (url: string) =>
      (await deps.folders.byUrl(url)).filter((folder) => folder.machine === machine.id);
    const { address, port } = host;
    const about = { id: machine.id, pool: machine.pool, address, port };
    return relearnLease({ folders: { byUrl }, paths: deps.paths(), now: clock.now() }, about, jobs);
  }

  function giveBack(id: string, lease: Lease): void {
    const taken = store.transaction(() => {
      const machine = store.machine(id);
      if (!isReady(machine)) return false;
      store.putMachine({ ...moveMachine(machine, 'leased', clock.now()), lease: lease.name });
      store.putLease(lease);
      return true;
    }, 'crash');
    if (!taken) return;
    const text = 'the database was older than its folder or its containers: it is held, not ready';
    const { pool, name, jobs } = lease;
    journal({
      code: 'lease-relearned',
      pool,
      machine: id,
      lease: name,
      level: 'warn',
      text,
      detail: { jobs: jobs.length },
    });
  }

  async function look(id: string, signal: AbortSignal): Promise<void> {
    const machine = store.machine(id);
    if (!isReady(machine) || machine.failedPings >= DEAD_AFTER_PINGS) {
      open.delete(id);
      return;
    }
    const holder = await holderOf(machine, signal).catch(() => undefined);
    if (holder === undefined) return;
    if (holder !== null) giveBack(id, holder);
    open.delete(id);
    deps.grantReady(machine.pool);
  }

  return {
    isOpen: (machine) => open.has(machine),
    async run(signal) {
      while (open.size > 0 && !signal.aborted) {
        const ids = [...open];
        for (let at = 0; at < ids.length && !signal.aborted; at += AT_ONCE)
          await Promise.all(ids.slice(at, at + AT_ONCE).map((id) => look(id, signal)));
        if (open.size > 0) await clock.sleep(AGAIN_MS, signal);
      }
    },
  };
}
