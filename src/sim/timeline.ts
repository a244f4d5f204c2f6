// Time as the world sees it: now, and "run this later". The emulator gives it real time, tests and a simulator a
// timeline that they move by hand. The world itself owns no timer.
// Trap: what is due at the same instant runs in the order in which it was asked for; whole runs depend on that.
import { createDueHeap, type Due } from './due-heap.ts';

/** The world's clock. Milliseconds since 1970-01-01 UTC. */
export type Timeline = {
  now(): number;
  /** Runs `work` once after `ms`; the returned function calls it off. */
  after(ms: number, work: () => void): () => void;
};

export type VirtualTimeline = Timeline & {
  /** Moves time forward by `ms` and runs what falls due, each at its own instant. */
  advance(ms: number): void;
  /** When the next thing falls due, or null when nothing waits. */
  nextAt(): number | null;
  /**
   * Moves to the next thing that falls due by `until` and runs it alone, so that promises can settle before the one
   * after it; false, and time stands still, when there is none.
   */
  step(until: number): boolean;
};

/** A timeline that stands still until it is moved. */
export function createVirtualTimeline(start: number): VirtualTimeline {
  let now = start;
  let order = 0;
  const waiting = createDueHeap();

  const step = (until: number): boolean => {
    const next = waiting.first();
    if (next === null || next.at > until) return false;
    waiting.shift();
    const { work } = next;
    // Called off from now on: its canceller may come late.
    next.work = null;
    now = next.at;
    work?.();
    return true;
  };

  return {
    now: () => now,
    after(ms, work) {
      const due: Due = { at: now + Math.max(0, ms), order: order++, work };
      waiting.add(due);
      return () => waiting.callOff(due);
    },
    advance(ms) {
      const end = now + ms;
      while (step(end)) continue;
      now = end;
    },
    nextAt: () => waiting.first()?.at ?? null,
    step,
  };
}

/** Settles after `ms` of the timeline. */
export function pause(timeline: Timeline, ms: number): Promise<void> {
  return new Promise((resolve) => {
    timeline.after(ms, resolve);
  });
}
