// The life of a lease: asked for, granted inside the request, committed by the door, ended by the runner.
// Every step is one transaction that reads again what it changes, so that the tick, a second create and a release
// cannot hand out or end the same machine twice.
// Trap: the caller's connection is its life. While a lease is not held, its close takes everything back.
import type { LeaseEvent, LeaseRequest } from '../contract/api.ts';
import { HostlerError } from '../domain/error.ts';
import type { Lease } from '../domain/lease.ts';
import { type Machine, moveMachine } from '../domain/machine.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import { admitLease } from './admit-lease.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import { afterLease, bestOf } from './lease-steps.ts';
import type { WaitingLine } from './waiting-line.ts';

/** Sign of life to a waiting door, so that a dead link shows and the runner's log tells what is waited for. */
export const HEARTBEAT_MS: DurationMs = 15 * SECOND_MS;
/** A door reconnects within a second or two after a daemon's restart; its place is kept that long. */
export const RECONNECT_GRACE_MS: DurationMs = 30 * SECOND_MS;

/** The way to one door. `closed` is called once, when the door or its process is gone. */
export type LeaseConnection = {
  send(event: LeaseEvent): void;
  end(): void;
  onClosed(closed: () => void): void;
};

export type LeaseDeps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  journal: Journal;
  metrics: Metrics;
  line: WaitingLine;
  runnerStore: RunnerStore;
  /** The folder's files for a granted machine (contract/machine-files.ts, with our CA). */
  filesFor(lease: Lease, machine: Machine): { url: string; files: Readonly<Record<string, string>> };
  /** A machine whose lease ended is to be cleaned and made ready again. */
  startCleaning(machine: string): void;
  /** Look again soon. */
  nudge(): void;
  /** While the daemon stops, connections close without ending leases: the doors come back after the restart. */
  isStopping(): boolean;
  /** What a waiting create is told, e.g. `1 machine is booting`. */
  waitReason(pool: string): string;
};

export type Leases = {
  open(request: LeaseRequest, connection: LeaseConnection): Promise<void>;
  /** Throws `lease-gone` when the lease was taken back meanwhile. */
  commit(name: string): void;
  /** Ends a lease in any state. False when there is none. */
  end(name: string, code: ReasonCode): boolean;
  /** Hands ready machines to waiting creates, oldest first. */
  grantReady(pool: string): void;
  /** Once a second: time limits, signs of life, callers that never came back. */
  sweep(): void;
  connected(name: string): boolean;
};

/** The lease service of one daemon. */
export function createLeases(deps: LeaseDeps): Leases {
  const { store, config, clock, journal, metrics, line, runnerStore } = deps;
  const connections = new Map<string, LeaseConnection>();
  /** Last sign of life sent, by name. */
  const beats = new Map<string, EpochMs>();
  /** When this create asked; an inherited place in the line is older. */
  const askedAt = new Map<string, EpochMs>();
  const startedAt = clock.now();

  function finish(name: string, event: LeaseEvent | null): void {
    const connection = connections.get(name);
    connections.delete(name);
    beats.delete(name);
    askedAt.delete(name);
    line.remove(name);
    if (connection === undefined) return;
    if (event !== null) connection.send(event);
    connection.end();
  }

  function sendGranted(lease: Lease, machine: Machine): void {
    const { url, files } = deps.filesFor(lease, machine);
    connections
      .get(lease.name)
      ?.send({ event: 'granted', pool: lease.pool, machine: machine.id, url, files });
  }

  function grant(name: string): boolean {
    const now = clock.now();
    const granted = store.transaction(() => {
      const lease = store.lease(name);
      const machine = lease === null ? null : bestOf(store.machines(), lease.pool);
      if (lease === null || lease.state !== 'waiting' || machine === null) return null;
      const leased = { ...moveMachine(machine, 'leased', now), lease: name };
      const next: Lease = { ...lease, state: 'granted', machine: machine.id, grantedAt: now };
      store.putMachine(leased);
      store.putLease(next);
      return { lease: next, machine: leased };
    });
    if (granted === null) return false;
    line.remove(name);
    sendGranted(granted.lease, granted.machine);
    return true;
  }

  function end(name: string, code: ReasonCode): boolean {
    const now = clock.now();
    const ended = store.transaction(() => {
      const lease = store.lease(name);
      if (lease === null) return null;
      store.deleteLease(name);
      const machine = lease.machine === null ? null : store.machine(lease.machine);
      if (machine === null || machine.lease !== name) return { lease, machine: null };
      const after = afterLease(machine, lease, config.pool(lease.pool)?.maxBuilds ?? 0, now);
      const idle =
        after.phase !== 'leased' || after.cleaning
          ? after
          : moveMachine(after, after.ending === null ? 'ready' : 'draining', now);
      store.putMachine(idle);
      return { lease, machine: idle };
    });
    if (ended === null) return false;
    const { lease, machine } = ended;
    finish(
      name,
      lease.state === 'held'
        ? null
        : {
            event: 'failed',
            code: 'lease-gone',
            message: `${name} was given back while it was being created`,
          },
    );
    journal({
      code,
      pool: lease.pool,
      machine: lease.machine,
      lease: name,
      level: lease.state === 'waiting' ? 'debug' : 'info',
      detail: {
        jobs: lease.jobs.length,
        held_s: lease.heldAt === null ? 0 : Math.round((now - lease.heldAt) / SECOND_MS),
      },
    });
    metrics.leaseEnded(lease.pool, code);
    if (machine !== null) {
      if (machine.cleaning) deps.startCleaning(machine.id);
      else grantReady(machine.pool);
    }
    deps.nudge();
    return true;
  }

  function grantReady(pool: string): void {
    for (let next = line.first(pool); next !== null; next = line.first(pool)) {
      if (!grant(next.name)) return;
    }
  }

  /** The door or its process is gone: before the hand-over everything is taken back, after it the folder decides. */
  async function closed(name: string, connection: LeaseConnection): Promise<void> {
    if (connections.get(name) !== connection) return;
    connections.delete(name);
    beats.delete(name);
    const lease = store.lease(name);
    if (lease === null || deps.isStopping()) return;
    if (lease.state !== 'held') {
      line.remove(name);
      end(name, 'lease-dropped');
      return;
    }
    if (
      !(await runnerStore.stands(lease.store, name)) &&
      (await runnerStore.releases(lease.store)).every((release) => release.name !== name)
    ) {
      end(name, 'lease-dropped');
      await runnerStore.remove(lease.store, name);
    }
  }

  function fail(connection: LeaseConnection, error: HostlerError): void {
    connection.send({ event: 'failed', code: error.code, message: error.message });
    connection.end();
  }

  /** What stands under that name already: a lease to go on with, nothing, or a refusal. */
  async function existing(request: LeaseRequest): Promise<Lease | null> {
    const lease = store.lease(request.name);
    if (lease === null) return null;
    const taken = new HostlerError('lease-exists', `Host already exists: "${request.name}"`);
    if (connections.has(request.name)) throw taken;
    if (lease.state !== 'held') return lease;
    if (await runnerStore.stands(lease.store, request.name)) throw taken;
    end(request.name, 'lease-dropped');
    return null;
  }

  async function open(request: LeaseRequest, connection: LeaseConnection): Promise<void> {
    try {
      const known = await existing(request);
      if (connections.has(request.name))
        throw new HostlerError('lease-exists', `Host already exists: "${request.name}"`);
      const lease = known ?? admitLease(deps, request);
      const { name, pool, since } = lease;
      connections.set(name, connection);
      askedAt.set(name, clock.now());
      connection.onClosed(() => void closed(name, connection));
      const machine = lease.machine === null ? null : store.machine(lease.machine);
      if (lease.state === 'granted' && machine !== null) {
        sendGranted(lease, machine);
        return;
      }
      line.add({ name, pool, since, send: (event) => connection.send(event) });
      if (line.first(pool)?.name === name || bestOf(store.machines(), pool) !== null) grantReady(pool);
      if (line.get(name) === null) return;
      beat(name, pool, line.place(name));
      deps.nudge();
    } catch (error) {
      if (!(error instanceof HostlerError)) throw error;
      fail(connection, error);
    }
  }

  function beat(name: string, pool: string, place: number): void {
    beats.set(name, clock.now());
    connections.get(name)?.send({ event: 'waiting', pool, place, reason: deps.waitReason(pool) });
  }

  function timeOut(lease: Lease, waitMs: DurationMs): void {
    const message = `no machine within create_wait (${Math.round(waitMs / SECOND_MS)} s): ${deps.waitReason(lease.pool)}`;
    store.deleteLease(lease.name);
    line.leavePlace(lease.pool, lease.since, clock.now());
    journal({ code: 'lease-timeout', pool: lease.pool, lease: lease.name, level: 'warn', text: message });
    metrics.leaseEnded(lease.pool, 'lease-timeout');
    finish(lease.name, { event: 'failed', code: 'create-timeout', message });
  }

  return {
    open,
    end,
    grantReady,
    connected: (name) => connections.has(name),
    commit(name) {
      const now = clock.now();
      const lease = store.transaction(() => {
        const found = store.lease(name);
        if (found === null || found.state !== 'granted' || found.machine === null) return null;
        const next: Lease = { ...found, state: 'held', heldAt: now };
        store.putLease(next);
        return next;
      });
      if (lease === null) throw new HostlerError('lease-gone', `the lease ${name} was taken back`);
      const waitedMs = now - lease.since;
      metrics.jobWaited(lease.pool, waitedMs);
      journal({
        code: 'granted',
        pool: lease.pool,
        machine: lease.machine,
        lease: name,
        detail: { waited_ms: waitedMs },
      });
    },
    sweep() {
      const now = clock.now();
      for (const lease of store.leases()) {
        if (lease.state === 'held') continue;
        if (!connections.has(lease.name)) {
          if (now - startedAt > RECONNECT_GRACE_MS) end(lease.name, 'lease-dropped');
          continue;
        }
        const waitMs = config.pool(lease.pool)?.createWaitMs ?? 0;
        const waiter = line.get(lease.name);
        if (waiter === null) continue;
        if (now - (askedAt.get(lease.name) ?? lease.since) >= waitMs) timeOut(lease, waitMs);
        else if (now - (beats.get(lease.name) ?? 0) >= HEARTBEAT_MS)
          beat(lease.name, lease.pool, line.place(lease.name));
      }
    },
  };
}
