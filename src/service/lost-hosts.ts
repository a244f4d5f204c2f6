// A lease that ends from our side while its folder stands: the host is gone, or a person took it. The folder then says so
// to every door call, so that the runner removes it and no ghost fills one of its slots.
// Trap: the row goes first; a word in a folder whose lease still stands would cost the runner a living host.
import type { Lease } from '../domain/lease.ts';
import type { ReasonCode } from '../domain/reason.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import type { Leases } from './leases.ts';

export type LostHosts = {
  /** Ends the lease and leaves word of why. A name without a lease is nothing. */
  lose(name: string, code: ReasonCode, why: string): void;
  /** Only the word, for a lease whose row is gone already. */
  tell(lease: Lease, why: string): void;
};

type Deps = {
  store: Store;
  runnerStore: RunnerStore;
  leases(): Leases;
  /** Follows work that nobody waits for. */
  track(work: Promise<void>): void;
};

/** The ends that come from our side. */
export function createLostHosts({ store, runnerStore, leases, track }: Deps): LostHosts {
  const tell = (lease: Lease, why: string) =>
    track(runnerStore.putHealth(lease.store, lease.name, { kind: 'gone', why }));
  return {
    tell,
    lose(name, code, why) {
      const lease = store.lease(name);
      if (lease === null) return;
      leases().end(name, code);
      tell(lease, why);
    },
  };
}
