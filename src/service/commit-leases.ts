// The hand-over of granted leases: each must be on disk before its door goes on, and those that come together wait for the
// disk together. Nothing is told of a hand-over before it is durable.
// Trap: one lease that was taken back meanwhile must not undo the others of its batch.
import { HostlerError } from '../domain/error.ts';
import type { Lease } from '../domain/lease.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';
import type { LeaseBook } from './lease-book.ts';

export type Commits = {
  /** Throws `lease-gone` when the lease was taken back meanwhile, `state-unwritable` when the disk takes nothing. */
  commit(name: string): void;
  /**
   * The same for several in one durable transaction: null for each that is handed over, `lease-gone` for one that was
   * taken back. Throws `state-unwritable`, with none of them handed over.
   */
  commitAll(names: readonly string[]): readonly (HostlerError | null)[];
};

type Deps = { store: Store; clock: Clock; metrics: Metrics; journal: Journal; book: LeaseBook };

/** Hand-overs of one daemon. */
export function createCommits({ store, clock, metrics, journal, book }: Deps): Commits {
  function tell({ name, pool, machine, since }: Lease): void {
    const waitedMs = Math.max(0, clock.now() - since);
    metrics.jobWaited(pool, waitedMs);
    journal({ code: 'granted', pool, machine, lease: name, detail: { waited_ms: waitedMs } });
  }

  function commitOne(name: string): Lease | HostlerError {
    try {
      return book.commit(name);
    } catch (error) {
      if (error instanceof HostlerError && error.code === 'lease-gone') return error;
      throw error;
    }
  }

  function commitAll(names: readonly string[]): (HostlerError | null)[] {
    const done = store.transaction(() => names.map(commitOne));
    return done.map((each) => {
      if (each instanceof HostlerError) return each;
      tell(each);
      return null;
    });
  }

  return {
    commitAll,
    commit(name) {
      const [error = null] = commitAll([name]);
      if (error !== null) throw error;
    },
  };
}
