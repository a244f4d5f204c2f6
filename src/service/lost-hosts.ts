// A lease that ends from our side while its folder stands: the host is gone, or a person took it. The folder then says so
// to every door call, so that the runner removes it; and since the runner asks only for its newest idle machine, the
// folder goes by itself soon after: no ghost fills one of its slots.
// Trap: the row goes first; a word in a folder whose lease still stands would cost the runner a living host.
import { type Lease, untilBadWord } from '../domain/lease.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import type { Leases } from './leases.ts';

/** From the word to the folder's end: longer than a call, or a job's preparation with its three tries, that reads it now. */
const GHOST_MS: DurationMs = 30 * SECOND_MS;

export type LostHosts = {
  /** Ends the lease and leaves word of why. A name without a lease is nothing. */
  lose(name: string, code: ReasonCode, why: string): void;
  /** Only the word, for a lease whose row is gone already. */
  tell(lease: Lease, why: string): void;
};

type Deps = {
  store: Store;
  runnerStore: RunnerStore;
  clock: Clock;
  /** The daemon ends: what was not done yet is left to the door, which finds the host dead by itself. */
  stop: AbortSignal;
  leases(): Leases;
  /** Follows work that nobody waits for. */
  track(work: Promise<void>): void;
};

/** The ends that come from our side. */
export function createLostHosts({ store, runnerStore, clock, stop, leases, track }: Deps): LostHosts {
  async function leaveWord(lease: Lease, why: string): Promise<void> {
    const early = untilBadWord(lease, clock.now());
    if (early > 0) await clock.sleep(early, stop);
    if (stop.aborted) return;
    await runnerStore.putHealth(lease.store, lease.name, { kind: 'gone', why });
    await clock.sleep(GHOST_MS, stop);
    // A new create may have the name by now.
    if (!stop.aborted && store.lease(lease.name) === null) await runnerStore.remove(lease.store, lease.name);
  }
  const tell = (lease: Lease, why: string) => track(leaveWord(lease, why));
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
