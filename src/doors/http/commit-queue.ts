// Commits that come in together are handed over together: each waits for the disk, and in a burst of doors one wait serves
// all that have arrived by then. A batch is closed when the socket has fallen quiet, not at the first commit: doors whose
// requests are being read right now will commit within the millisecond.
// Trap: a door goes on when it has its answer, so none is given before the whole batch is on disk.
import type { UseCases } from '../../service/use-cases.ts';

type Waiting = { name: string; resolve(): void; reject(error: unknown): void };

/** Turns of the event loop without a request after which a batch is closed: a new connection's request comes a turn after it. */
const QUIET_TURNS = 2;
/** Turns after which it is closed in any case; a turn that brings requests takes a millisecond or two. */
const MOST_TURNS = 16;
/** Commits in one batch: one wait for the disk shared by so many is nothing already. */
const MOST_COMMITS = 64;

export type CommitQueue = {
  /** Settles when the lease is handed over, or is not. */
  commit(name: string): Promise<void>;
  /** A request came in: more commits may follow. */
  heard(): void;
};

/** The commits of one socket. */
export function createCommitQueue(useCases: Pick<UseCases, 'commitLeases'>): CommitQueue {
  let waiting: Waiting[] = [];
  let requests = 0;

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

  /** Runs after everything that the sockets held in this turn has been read. */
  function turn(turns: number, quiet: number, known: number): void {
    const quietNow = requests === known ? quiet + 1 : 0;
    if (quietNow >= QUIET_TURNS || turns >= MOST_TURNS || waiting.length >= MOST_COMMITS) handOver();
    else setImmediate(turn, turns + 1, quietNow, requests);
  }

  return {
    heard() {
      requests += 1;
    },
    commit: (name) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(turn, 1, 0, requests);
        waiting.push({ name, resolve, reject });
      }),
  };
}
