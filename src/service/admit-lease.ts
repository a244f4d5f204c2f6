// Takes a create in: which pool it belongs to, which place in the line it gets. Stores the waiting lease and the store
// folder it came from before anything else happens.
import type { LeaseRequest } from '../contract/api.ts';
import { HostlerError } from '../domain/error.ts';
import type { Lease } from '../domain/lease.ts';
import { choosePool } from '../planner/choose-pool.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import { newLease } from './lease-steps.ts';
import type { WaitingLine } from './waiting-line.ts';

export type AdmitDeps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  journal: Journal;
  line: WaitingLine;
  /** A machine that is called ready, but nobody has looked since the start: not to be handed out yet. */
  isOpen?(machine: string): boolean;
};

/** What a create is told while its pool is being drained. */
export function drainingError(pool: string): HostlerError {
  return new HostlerError(
    'pool-draining',
    `pool ${pool} is being drained; hostler resume ${pool} opens it again`,
  );
}

/** The stored waiting lease. Throws `pool-unknown` or `pool-draining`. */
export function admitLease(deps: AdmitDeps, request: LeaseRequest): Lease {
  const { store, config, clock, journal, line } = deps;
  const choice = choosePool(config.get().pools, request);
  if (choice === null) {
    throw new HostlerError(
      'pool-unknown',
      `no [[runners]] section with executor docker+machine fits ${request.name}`,
    );
  }
  const pool = choice.pool.id;
  if (store.memory(pool)?.draining === true) {
    throw drainingError(pool);
  }
  if (choice.how === 'first' && config.get().pools.length > 1) {
    const text = 'neither the name nor the options fit a pool; the first one serves it';
    journal({ code: 'lease-waiting', pool, lease: request.name, level: 'warn', text });
  }
  const now = clock.now();
  const lease = newLease(request, pool, line.takePlace(pool, clock.monotonic()) ?? now);
  store.transaction(() => {
    store.addStore(request.store);
    store.putLease(lease);
  });
  return lease;
}
