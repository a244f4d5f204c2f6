// How GitLab itself does: fine, away, slow, or refusing with 429. Whoever asks it something first asks its weather.
// Set by faults on purpose; the queue behind it goes on as if nothing were.
import type { Seeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';

/** What becomes of one call: how long its answer takes, and the HTTP status that comes instead of one, or null. */
export type CallWeather = { delayMs: number; refused: 429 | 502 | null };

export type GitlabWeather = {
  /** Answers nothing (502) until that moment. */
  awayUntil(at: number): void;
  /** Every answer takes that much longer until then. */
  slowUntil(at: number, delayMs: number): void;
  /** That share of calls is refused with 429 until then. */
  throttledUntil(at: number, share: number): void;
  /** What the next call meets. */
  call(): CallWeather;
};

export function createGitlabWeather(timeline: Timeline, random: Seeded): GitlabWeather {
  let away = Number.NEGATIVE_INFINITY;
  let slow = { until: Number.NEGATIVE_INFINITY, delayMs: 0 };
  let throttled = { until: Number.NEGATIVE_INFINITY, share: 0 };
  return {
    awayUntil(at) {
      away = at;
    },
    slowUntil(at, delayMs) {
      slow = { until: at, delayMs };
    },
    throttledUntil(at, share) {
      throttled = { until: at, share };
    },
    call() {
      const now = timeline.now();
      const delayMs = now < slow.until ? slow.delayMs : 0;
      if (now < away) return { delayMs, refused: 502 };
      if (now < throttled.until && random.float() < throttled.share) return { delayMs: 0, refused: 429 };
      return { delayMs, refused: null };
    },
  };
}
