// Time as the world sees it: now, and "run this later". The emulator gives it real time, tests and a simulator a
// timeline that they move by hand. The world itself owns no timer.
// Trap: what is due at the same instant runs in the order in which it was asked for; whole runs depend on that.

/** The world's clock. Milliseconds since 1970-01-01 UTC. */
export type Timeline = {
  now(): number;
  /** Runs `work` once after `ms`; the returned function calls it off. */
  after(ms: number, work: () => void): () => void;
};

export type VirtualTimeline = Timeline & {
  /** Moves time forward by `ms` and runs what falls due, each at its own instant. */
  advance(ms: number): void;
};

type Due = { at: number; order: number; work: () => void };

/** A timeline that stands still until it is moved. */
export function createVirtualTimeline(start: number): VirtualTimeline {
  let now = start;
  let order = 0;
  const waiting = new Set<Due>();

  const next = (limit: number): Due | null => {
    let first: Due | null = null;
    for (const due of waiting) {
      if (due.at > limit) continue;
      if (first === null || due.at < first.at || (due.at === first.at && due.order < first.order))
        first = due;
    }
    return first;
  };

  return {
    now: () => now,
    after(ms, work) {
      const due = { at: now + Math.max(0, ms), order: order++, work };
      waiting.add(due);
      return () => waiting.delete(due);
    },
    advance(ms) {
      const end = now + ms;
      for (let due = next(end); due !== null; due = next(end)) {
        waiting.delete(due);
        now = due.at;
        due.work();
      }
      now = end;
    },
  };
}
