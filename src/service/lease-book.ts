// The lease rows: every step of a lease as one transaction that reads again what it changes, so that a tick, a second
// create and a release cannot hand out or end the same machine twice. Knows nothing of connections.
import type { LeaseRequest } from '../contract/api.ts';
import { HostlerError } from '../domain/error.ts';
import type { Lease } from '../domain/lease.ts';
import { type Machine, moveMachine } from '../domain/machine.ts';
import { type AdmitDeps, admitLease } from './admit-lease.ts';
import { afterLease, bestOf, isUsed } from './lease-steps.ts';

export type Granted = { lease: Lease; machine: Machine };

export type LeaseBook = {
  /** Stores the waiting lease of a create; when nobody waits before it, it gets a ready machine in the same transaction. */
  admit(request: LeaseRequest): { lease: Lease; granted: Granted | null };
  /** Gives the waiting lease the best ready machine. null when it does not wait any more or none is ready. */
  grant(name: string): Granted | null;
  /** Makes a granted lease the runner's. Throws `lease-gone` when it was taken back meanwhile. */
  commit(name: string): Lease;
  /** Makes a held lease that nobody used a granted one again, of the same machine. null when there is none, or it was used. */
  takeBack(name: string): Lease | null;
  /** Ends a lease in any state; its machine is ready, draining, or to be cleaned. null when there is none. */
  end(name: string): { lease: Lease; machine: Machine | null } | null;
};

/**
 * Until the commit a door can lose everything without harm, and what ends is found again as abandoned: only the commit
 * itself waits for the disk, which then has all before it too.
 */
const UNTIL_COMMIT = 'crash';

/** The book over one store. */
export function createLeaseBook(deps: AdmitDeps): LeaseBook {
  const { store, config, clock, line } = deps;

  function grant(name: string): Granted | null {
    // What cannot be committed is not handed out: the create waits until the disk takes writes again.
    if (store.trouble() !== null) return null;
    return store.transaction(() => {
      const now = clock.now();
      const lease = store.lease(name);
      if (lease === null || lease.state !== 'waiting') return null;
      const { isOpen = () => false } = deps;
      const machine = bestOf(store.machines(), lease.pool, ({ id }) => !isOpen(id));
      if (machine === null) return null;
      const leased = { ...moveMachine(machine, 'leased', now), lease: name };
      const next: Lease = { ...lease, state: 'granted', machine: machine.id, grantedAt: now };
      store.putMachine(leased);
      store.putLease(next);
      return { lease: next, machine: leased };
    }, UNTIL_COMMIT);
  }

  return {
    grant,
    admit: (request) =>
      store.transaction(() => {
        const lease = admitLease(deps, request);
        return { lease, granted: line.first(lease.pool) === null ? grant(lease.name) : null };
      }, UNTIL_COMMIT),
    commit: (name) =>
      store.transaction(() => {
        const lease = store.lease(name);
        // A door whose connection broke after the commit was stored asks again.
        if (lease?.state === 'held') return lease;
        if (lease === null || lease.state !== 'granted' || lease.machine === null)
          throw new HostlerError('lease-gone', `the lease ${name} was taken back`);
        const next: Lease = { ...lease, state: 'held', heldAt: clock.now() };
        store.putLease(next);
        return next;
      }),
    takeBack: (name) =>
      store.transaction(() => {
        const lease = store.lease(name);
        const machine = lease?.machine ? store.machine(lease.machine) : null;
        if (lease?.state !== 'held' || machine?.phase !== 'leased' || machine.lease !== name) return null;
        if (isUsed(lease) || machine.failedPings > 0 || machine.ending !== null) return null;
        const next: Lease = { ...lease, state: 'granted', heldAt: null };
        store.putLease(next);
        return next;
      }, UNTIL_COMMIT),
    end: (name) =>
      store.transaction(() => {
        const lease = store.lease(name);
        if (lease === null) return null;
        store.deleteLease(name);
        const machine = lease.machine === null ? null : store.machine(lease.machine);
        if (machine === null || machine.lease !== name) return { lease, machine: null };
        const now = clock.now();
        const after = afterLease(machine, lease, config.pool(lease.pool)?.maxBuilds ?? 0, now);
        const isLoose = after.phase === 'leased' && !after.cleaning;
        const next = isLoose ? moveMachine(after, after.ending === null ? 'ready' : 'draining', now) : after;
        store.putMachine(next);
        return { lease, machine: next };
      }, UNTIL_COMMIT),
  };
}
