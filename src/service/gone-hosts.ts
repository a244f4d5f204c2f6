// Follows hosts that runners hold to their end: when EC2 shows it while one holds it, connections to it are closed.
// Trap: a host that its runner gave back has nobody who waits on it, and must raise no alarm.
import type { JobSeen, Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import type { DurationMs } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import { type Closer, RESET_FOR_MS } from './close-connections.ts';

type Deps = { store: Store; clock: Clock; closer: Closer };

/** Who holds it, and the job that was last seen there: when the machine is gone, its lease is gone with it. */
type Hold = { lease: string; job: JobSeen | null };

type Lost = { machine: Machine; job: JobSeen | null; since: DurationMs; isClosed: boolean };

/** Containers that are gone leave no job that could be lost. */
function jobOf(lease: Lease | null): JobSeen | null {
  return lease === null || lease.containers === 0 ? null : (lease.jobs.at(-1) ?? null);
}

/** The follower; `look` every second. */
export function createGoneHosts({ store, clock, closer }: Deps): {
  /** Gives those whose connections were closed before, and are to be closed again. */
  look(machines: readonly Machine[], signal: AbortSignal): Machine[];
} {
  /** By machine. */
  const held = new Map<string, Hold>();
  const lost = new Map<string, Lost>();

  function follow(machines: readonly Machine[]): void {
    // Thousands, each second: no entries are made to go through, and what stands as it was is left.
    held.forEach(({ lease, job }, id) => {
      const machine = store.machine(id);
      const isTaken = machine?.ending === 'by-person' || machine?.ending === 'cleanup';
      const isReturned = store.lease(lease) === null && !isTaken;
      if (machine?.phase === 'gone')
        lost.set(id, { machine: { ...machine, lease }, job, since: clock.monotonic(), isClosed: false });
      if (machine?.phase === 'gone' || isReturned) held.delete(id);
    });
    for (const { id, phase, lease } of machines) {
      if (lease === null || phase === 'gone') continue;
      const job = jobOf(store.lease(lease));
      const known = held.get(id);
      if (known?.lease !== lease || known.job !== job) held.set(id, { lease, job });
    }
  }

  return {
    look(machines, signal) {
      follow(machines);
      const now = clock.monotonic();
      const again: Machine[] = [];
      for (const [id, one] of lost) {
        if (now - one.since > RESET_FOR_MS) lost.delete(id);
        if (one.isClosed) again.push(one.machine);
        else void closer.close(one.machine, 'its instance is gone', signal, one.job).catch(() => undefined);
        one.isClosed = true;
      }
      return again;
    },
  };
}
