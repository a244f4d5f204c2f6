// The world's timeline on real time. Runs on the monotonic clock, so that a moved system clock ends no instance.
import type { Timeline } from '../sim/timeline.ts';

export type RealTimeline = Timeline & {
  /** Calls off all that is still to come. */
  close(): void;
};

export function createRealTimeline(): RealTimeline {
  const started = Date.now() - performance.now();
  const timers = new Set<NodeJS.Timeout>();
  return {
    now: () => Math.round(started + performance.now()),
    after(ms, work) {
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          work();
        },
        Math.max(0, ms),
      );
      timers.add(timer);
      return () => {
        clearTimeout(timer);
        timers.delete(timer);
      };
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
