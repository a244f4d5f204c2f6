// Commits that come in together are handed over together: each waits for the disk, and in a burst of doors one wait serves
// all that have arrived by then.
// Trap: a door goes on when it has its answer, so none is given before the whole batch is on disk.
import type { UseCases } from '../../service/use-cases.ts';

type Waiting = { name: string; resolve(): void; reject(error: unknown): void };

/** Gives the way to commit a lease; it settles when the lease is handed over, or is not. */
export function createCommitQueue(useCases: Pick<UseCases, 'commitLeases'>): (name: string) => Promise<void> {
  let waiting: Waiting[] = [];

  function handOver(): void {
    const batch = waiting;
    waiting = [];
    try {
      const answers = useCases.commitLeases(batch.map(({ name }) => name));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const error = answers[index] ?? null;
        if (error === null) resolve();
        else reject(error);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return (name) =>
    new Promise((resolve, reject) => {
      // After everything that the sockets hold now has been read.
      if (waiting.length === 0) setImmediate(handOver);
      waiting.push({ name, resolve, reject });
    });
}
