// The life of a lease as the doors see it: asked for, granted inside the request, committed, ended by the runner.
// The rows are lease-book.ts; here are the connections, the time limits and the words.
// Trap: the caller's connection is its life. While a lease is not held, its close takes everything back.
import type { LeaseRequest } from '../contract/api.ts';
import { type ErrorCode, HostlerError, messageOf } from '../domain/error.ts';
import type { JobSeen, Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import { drainingError } from './admit-lease.ts';
import { type Commits, createCommits } from './commit-leases.ts';
import type { CurrentConfig } from './current-config.ts';
import { createDoorConnections, type DoorConnections, type LeaseConnection } from './door-connections.ts';
import type { Journal } from './journal.ts';
import { createLeaseBook, type Granted, type LeaseBook } from './lease-book.ts';
import type { WaitingLine } from './waiting-line.ts';

/** Sign of life to a waiting door, so that a dead link shows and the runner's log tells what is waited for. */
export const HEARTBEAT_MS: DurationMs = 15 * SECOND_MS;
/** A door reconnects within a second or two after a daemon's restart; its place is kept that long. */
export const RECONNECT_GRACE_MS: DurationMs = 30 * SECOND_MS;

export type LeaseDeps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  log: Log;
  journal: Journal;
  metrics: Metrics;
  line: WaitingLine;
  runnerStore: RunnerStore;
  /** The folder's files for a granted machine (contract/machine-files.ts, with our CA). */
  filesFor(lease: Lease, machine: Machine): { url: string; files: Readonly<Record<string, string>> };
  /** A machine whose lease ended is to be cleaned and made ready again. */
  /** `job`: what ran on it at the last look of its lease. */
  startCleaning(machine: string, job: JobSeen | null): void;
  /** Look again soon. */
  nudge(): void;
  /** While the daemon stops, connections close without ending leases: the doors come back after the restart. */
  isStopping(): boolean;
  /** See AdmitDeps. */
  isOpen?(machine: string): boolean;
  /** What a waiting create is told, e.g. `1 machine is booting`. */
  waitReason(pool: string): string;
};

export type Leases = Commits & {
  open(request: LeaseRequest, connection: LeaseConnection): Promise<void>;
  /** Ends a lease in any state. False when there is none. */
  end(name: string, code: ReasonCode): boolean;
  /** Ends the wait of a create with these words to its door. False when it does not wait. */
  refuse(name: string, reason: ReasonCode, error: HostlerError): boolean;
  /** When nothing is done to NAME's folder any more: a create that was ended cannot finish it after this. */
  folderSettled(name: string): Promise<void>;
  /** Hands ready machines to waiting creates, oldest first. */
  grantReady(pool: string): void;
  /** Once a second: time limits, signs of life, callers that never came back. */
  sweep(): void;
};

type Context = LeaseDeps & {
  book: LeaseBook;
  doors: DoorConnections;
  /** Work on a name's folder that its next create must wait for. */
  folderWork: Map<string, Promise<void>>;
};

/** Follows work on NAME's folder, one after the other; it never rejects. A store that cannot be changed is left as it is. */
function atFolder({ folderWork, log }: Context, name: string, work: () => Promise<void>): void {
  const before = folderWork.get(name) ?? Promise.resolve();
  const done: Promise<void> = before
    .then(work)
    .catch((error: unknown) =>
      log.warn('a machine folder cannot be read or changed', { lease: name, error: messageOf(error) }),
    )
    .finally(() => {
      if (folderWork.get(name) === done) folderWork.delete(name);
    });
  folderWork.set(name, done);
}

function sendGranted({ doors, line, clock, filesFor }: Context, { lease, machine }: Granted): void {
  line.remove(lease.name);
  const { url, files } = filesFor(lease, machine);
  doors.send(
    lease.name,
    { event: 'granted', pool: lease.pool, machine: machine.id, url, files },
    clock.monotonic(),
  );
}

function grantReady(context: Context, pool: string): void {
  const { line, book } = context;
  for (let next = line.first(pool); next !== null; next = line.first(pool)) {
    const granted = book.grant(next.name);
    if (granted === null) return;
    sendGranted(context, granted);
  }
}

function tellWaiting({ doors, line, clock, waitReason }: Context, lease: Lease): void {
  const { name, pool } = lease;
  doors.send(
    name,
    { event: 'waiting', pool, place: line.place(name), reason: waitReason(pool) },
    clock.monotonic(),
  );
}

function end(context: Context, name: string, code: ReasonCode): boolean {
  const { book, doors, line, clock, journal, metrics } = context;
  const ended = book.end(name);
  if (ended === null) return false;
  const { lease, machine } = ended;
  line.remove(name);
  // Its create may be about to rename the folder: without it, it fails instead of leaving a folder that nobody holds.
  const isHalfMade = lease.state === 'granted' || (lease.state === 'held' && doors.has(name));
  if (isHalfMade) atFolder(context, name, () => context.runnerStore.removeHalfMade(lease.store, name));
  const message = `${name} was given back while it was being created`;
  doors.finish(name, lease.state === 'held' ? null : { event: 'failed', code: 'lease-gone', message });
  const heldMs = lease.heldAt === null ? 0 : clock.now() - lease.heldAt;
  journal({
    code,
    pool: lease.pool,
    machine: lease.machine,
    lease: name,
    level: lease.state === 'waiting' ? 'debug' : 'info',
    detail: { jobs: lease.jobs.length, held_s: Math.round(heldMs / SECOND_MS) },
  });
  metrics.leaseEnded(lease.pool, code);
  if (machine?.cleaning === true)
    context.startCleaning(machine.id, lease.containers > 0 ? (lease.jobs.at(-1) ?? null) : null);
  else if (machine !== null) grantReady(context, machine.pool);
  context.nudge();
  return true;
}

/** The door or its process is gone: before the hand-over everything is taken back, after it the folder decides. */
async function closed(context: Context, name: string): Promise<void> {
  const { store, runnerStore } = context;
  const lease = store.lease(name);
  if (lease === null || context.isStopping()) return;
  // A store that cannot be read throws here, and the lease stays: missing data never frees a host.
  if (lease.state === 'held') {
    if (await runnerStore.stands(lease.store, name)) return;
    const releases = await runnerStore.releases(lease.store);
    if (releases.some((release) => release.name === name)) return;
  }
  end(context, name, 'lease-dropped');
  // A door killed between commit and rename leaves a half-made folder with a client key in it.
  if (lease.state === 'held') await runnerStore.removeHalfMade(lease.store, name);
}

/** Hears of the door's end, also while other work on the folder is under way. */
function serveDoor(context: Context, request: LeaseRequest, connection: LeaseConnection): void {
  const { doors, clock, isStopping } = context;
  const { name, pid } = request;
  doors.add(name, connection, { pid, now: clock.monotonic() });
  connection.onClosed(() => {
    if (isStopping() || !doors.is(name, connection)) return;
    doors.forget(name);
    atFolder(context, name, () => closed(context, name));
  });
}

/** What stands under that name already: a lease to go on with after a restart, nothing, or a refusal. */
async function existing(context: Context, request: LeaseRequest): Promise<Lease | null> {
  const { store, doors, runnerStore, folderWork, book } = context;
  const { name } = request;
  const taken = () => new HostlerError('lease-exists', `Host already exists: "${name}"`);
  if (folderWork.has(name)) await folderWork.get(name);
  // A daemon that stood still may hear a door ask again before it hears that the first connection broke.
  if (doors.isFrom(name, request.pid)) doors.finish(name, null);
  if (doors.has(name)) throw taken();
  const lease = store.lease(name);
  if (lease === null || lease.state !== 'held') return lease;
  // Given back, and nobody read it yet: read later, it would end the new lease of that name.
  const isReleased = await runnerStore.isReleased(lease.store, name);
  if (!isReleased && (await runnerStore.stands(lease.store, name))) throw taken();
  if (doors.has(name)) throw taken();
  // The door of a commit whose answer was lost comes back for the same machine, if nobody used it since.
  const again = isReleased ? null : book.takeBack(name);
  if (again === null) end(context, name, isReleased ? 'lease-ended' : 'lease-dropped');
  if (isReleased) await runnerStore.takeRelease(lease.store, name);
  return again;
}

async function open(context: Context, request: LeaseRequest, connection: LeaseConnection): Promise<void> {
  const { store, book, doors, line } = context;
  const known = await existing(context, request);
  const { name } = request;
  if (doors.has(name)) throw new HostlerError('lease-exists', `Host already exists: "${name}"`);
  const { lease, granted } = known === null ? book.admit(request) : { lease: known, granted: null };
  serveDoor(context, request, connection);
  const machine = lease.machine === null ? null : store.machine(lease.machine);
  if (granted !== null) sendGranted(context, granted);
  else if (lease.state === 'granted' && machine !== null) sendGranted(context, { lease, machine });
  else {
    line.add({ name, pool: lease.pool, since: lease.since });
    grantReady(context, lease.pool);
    if (line.get(name) !== null) tellWaiting(context, lease);
  }
  context.nudge();
}

/** Ends the wait of a create that gets nothing; its place is kept for the runner's next try. */
function refuse(context: Context, lease: Lease, reason: ReasonCode, error: HostlerError): void {
  const { store, line, clock, journal, metrics, doors } = context;
  const { name, pool } = lease;
  const { code, message } = error;
  store.deleteLease(name);
  line.remove(name);
  line.leavePlace(pool, lease.since, clock.monotonic());
  journal({ code: reason, pool, lease: name, level: 'warn', text: message });
  metrics.leaseEnded(pool, reason);
  doors.finish(name, { event: 'failed', code, message });
}

function timeOut(context: Context, lease: Lease, waitMs: DurationMs): void {
  const seconds = Math.round(waitMs / SECOND_MS);
  const why = context.waitReason(lease.pool);
  const error = new HostlerError('create-timeout', `no machine within create_wait (${seconds} s): ${why}`);
  refuse(context, lease, 'lease-timeout', error);
}

function sweepOne(context: Context, lease: Lease, daemonAgeMs: DurationMs): void {
  const { doors, line, clock, config } = context;
  const askedAt = doors.askedAt(lease.name);
  if (askedAt === null) {
    if (daemonAgeMs > RECONNECT_GRACE_MS) end(context, lease.name, 'lease-dropped');
    return;
  }
  if (line.get(lease.name) === null) return;
  // Waits are lengths of time: a clock that was set neither ends nor prolongs one.
  const now = clock.monotonic();
  const spec = config.pool(lease.pool);
  if (spec === null) {
    const text = `pool ${lease.pool} left the configuration while ${lease.name} waited; the next create finds another`;
    return refuse(context, lease, 'pool-removed', new HostlerError('pool-unknown', text));
  }
  // What waits is refused like what comes: nobody should wait out create_wait for a pool that hands out nothing.
  if (context.store.memory(lease.pool)?.draining === true)
    return refuse(context, lease, 'draining-pool', drainingError(lease.pool));
  const waitMs = spec.createWaitMs;
  // From this create's own start: an inherited place in the line is older.
  if (now - askedAt >= waitMs) timeOut(context, lease, waitMs);
  else if (now - (doors.heardAt(lease.name) ?? 0) >= HEARTBEAT_MS) tellWaiting(context, lease);
}

/** What a door is told; its answer has begun, so nobody else can tell it any more. */
function refusalOf(error: unknown): { code: ErrorCode; message: string } {
  if (error instanceof HostlerError) return { code: error.code, message: error.message };
  return { code: 'internal', message: `the lease could not be made: ${messageOf(error)}` };
}

/** The lease service of one daemon. */
export function createLeases(deps: LeaseDeps): Leases {
  const { store, clock, metrics, journal } = deps;
  const [book, doors, folderWork] = [createLeaseBook(deps), createDoorConnections(), new Map()];
  const context: Context = { ...deps, book, doors, folderWork };
  const startedAt = clock.monotonic();
  return {
    async open(request, connection) {
      try {
        await open(context, request, connection);
      } catch (error) {
        connection.send({ event: 'failed', ...refusalOf(error) });
        connection.end();
      }
    },
    end: (name, code) => end(context, name, code),
    refuse(name, reason, error) {
      const lease = store.lease(name);
      if (lease?.state !== 'waiting') return false;
      refuse(context, lease, reason, error);
      return true;
    },
    folderSettled: async (name) => context.folderWork.get(name),
    grantReady: (pool) => grantReady(context, pool),
    ...createCommits({ store, clock, metrics, journal, book }),
    sweep() {
      for (const lease of store.leases()) {
        if (lease.state !== 'held') sweepOne(context, lease, clock.monotonic() - startedAt);
      }
    },
  };
}
