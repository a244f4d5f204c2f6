// After the database was lost: whose lease is on an adopted host? The runner's folders name the host's address, the
// host's containers name its jobs. What neither tells is nobody's.
// Trap: this must be asked before the machine is ready, or a host with a job would be handed out a second time.
import type { Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerHost, JobContainer } from '../ports/docker.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';

/** One look at an adopted host's containers. */
const HOLDER_LIMIT_MS: DurationMs = 10 * SECOND_MS;

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
 * gets a lease of its own name, which ends when its jobs have. null = nobody holds it.
 */
export async function relearnLease(
  deps: { store: Store; runnerStore: RunnerStore; paths: readonly string[]; now: EpochMs },
  machine: Adopted,
  jobs: readonly JobContainer[],
): Promise<Lease | null> {
  const { store, runnerStore, paths, now } = deps;
  const host = machine.address.includes(':') ? `[${machine.address}]` : machine.address;
  for (const path of paths) {
    const names = await runnerStore.names(path).catch(() => []);
    for (const name of names) {
      const mark = store.lease(name) === null ? await runnerStore.mark(path, name) : null;
      if (mark?.url === `tcp://${host}:${machine.port}`) return relearned(machine, { name, path }, jobs, now);
    }
  }
  if (!jobs.some((job) => job.running)) return null;
  return relearned(machine, { name: `unknown-${machine.id}`, path: paths[0] ?? '' }, jobs, now);
}

type HolderDeps = {
  store: Store;
  runnerStore: RunnerStore;
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
  const { store, runnerStore, docker, clock } = deps;
  const machine = store.machine(id);
  const host = machine === null ? null : deps.hostOf(machine);
  if (machine === null || host === null) return null;
  const asked = docker.jobContainers(host, clock.timeout(HOLDER_LIMIT_MS));
  const jobs = await asked.catch((error: unknown) => ({ error }));
  const about = { id, pool: machine.pool, address: host.address, port: host.port };
  const known = { store, runnerStore, paths: deps.paths(), now: clock.now() };
  if (!('error' in jobs)) return relearnLease(known, about, jobs);
  const byFolder = await relearnLease(known, about, []);
  if (byFolder === null) throw jobs.error;
  return byFolder;
}
