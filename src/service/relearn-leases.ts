// After the database was lost: whose lease is on an adopted host? The runner's folders name the host's address, the
// host's containers name its jobs. What neither tells is nobody's.
// Trap: this must be asked before the machine is ready, or a host with a job would be handed out a second time.
import type { Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost, JobContainer } from '../ports/docker.ts';
import type { Store } from '../ports/store.ts';
import type { UnknownFolders } from './unknown-folders.ts';

/** One look at an adopted host's containers. */
const HOLDER_LIMIT_MS: DurationMs = 10 * SECOND_MS;

/** Leases of hosts that run a job which no folder explains begin so. */
export const UNKNOWN = 'unknown-';

type Adopted = { id: string; pool: string; address: string; port: number };

function relearned(
  machine: Adopted,
  from: { name: string; path: string },
  jobs: readonly JobContainer[],
  now: EpochMs,
): Lease {
  const { name, path } = from;
  const known = jobs.flatMap(({ jobId, jobUrl }) =>
    jobId === null ? [] : [{ id: jobId, url: jobUrl, seenAt: now }],
  );
  return {
    name,
    pool: machine.pool,
    state: 'held',
    machine: machine.id,
    since: now,
    grantedAt: now,
    heldAt: now,
    store: path,
    runnerPid: null,
    // Taken as busy until the host's containers or the runner's next `config` say otherwise.
    urlAt: now,
    configAt: null,
    containers: jobs.length,
    containersAt: jobs.length > 0 ? now : null,
    lookedAt: now,
    jobs: known,
  };
}

/**
 * The lease that holds an adopted machine, by the folder that names its address; a host with running jobs and no folder
 * gets a lease of its own name (`UNKNOWN` and its id), which ends when its jobs have. null = nobody holds it. Throws when the
 * folders cannot be read and nothing runs there.
 */
export async function relearnLease(
  deps: { folders: Pick<UnknownFolders, 'byUrl'>; paths: readonly string[]; now: EpochMs },
  machine: Adopted,
  jobs: readonly JobContainer[],
): Promise<Lease | null> {
  const host = machine.address.includes(':') ? `[${machine.address}]` : machine.address;
  const hasJob = jobs.some((job) => job.running);
  const [folder] = await deps.folders.byUrl(`tcp://${host}:${machine.port}`).catch((error: unknown) => {
    // A job that runs holds its host whatever the folders would say.
    if (hasJob) return [];
    throw error;
  });
  if (folder !== undefined) return relearned(machine, folder, jobs, deps.now);
  if (!hasJob) return null;
  return relearned(machine, { name: `${UNKNOWN}${machine.id}`, path: deps.paths[0] ?? '' }, jobs, deps.now);
}

type HolderDeps = {
  store: Store;
  folders: UnknownFolders;
  docker: Docker;
  clock: Clock;
  hostOf(machine: Machine): DockerHost | null;
  /** Machine stores to look into. */
  paths(): readonly string[];
};

/**
 * Who holds an adopted machine. A folder that names its host is enough, also while the host is silent: a job may run there
 * all the same. Throws when neither can be asked: what runs there decides, so nothing is guessed.
 */
export async function findHolder(deps: HolderDeps, id: string): Promise<Lease | null> {
  const { store, folders, docker, clock } = deps;
  const machine = store.machine(id);
  const host = machine === null ? null : deps.hostOf(machine);
  if (machine === null || host === null) return null;
  const asked = docker.jobContainers(host, clock.timeout(HOLDER_LIMIT_MS));
  const jobs = await asked.catch((error: unknown) => ({ error }));
  const about = { id, pool: machine.pool, address: host.address, port: host.port };
  const known = { folders, paths: deps.paths(), now: clock.now() };
  if (!('error' in jobs)) return relearnLease(known, about, jobs);
  const byFolder = await relearnLease(known, about, []);
  if (byFolder === null) throw jobs.error;
  return byFolder;
}
