// The world's timeline on real time. Runs on the monotonic clock, so that a moved system clock ends no instance.
// Trap: a timer of Node holds 24 days at most and fires at once beyond; what is later is waited for in parts.
import type { Timeline } from '../sim/timeline.ts';

export type RealTimeline = Timeline & {
  /** Calls off all that is still to come. */
  close(): void;
};

/** The most that a timer of Node takes. */
const LONGEST_MS = 2 ** 31 - 1;

export function createRealTimeline(): RealTimeline {
  const started = Date.now() - performance.now();
  const running = new Set<() => void>();
  return {
    now: () => Math.round(started + performance.now()),
    after(ms, work) {
      let timer: NodeJS.Timeout;
      const off = (): void => {
        clearTimeout(timer);
        running.delete(off);
      };
      const wait = (left: number): void => {
        timer = setTimeout(
          () => {
            if (left > LONGEST_MS) return wait(left - LONGEST_MS);
            running.delete(off);
            work();
          },
          Math.min(LONGEST_MS, Math.max(0, left)),
        );
      };
      running.add(off);
      wait(ms);
      return off;
    },
    close() {
      for (const off of running) off();
    },
  };
}
