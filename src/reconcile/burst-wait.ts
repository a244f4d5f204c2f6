// How long a burst of creates is waited for, so that it becomes one launch call: until creates stop coming, or fill the call.
// What a gap means is learned from the burst itself: doors that come every few milliseconds are over sooner than those of a
// busy manager.
// Trap: a burst that goes on after it was thought over must not become a call for each gap.
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import { MAX_BATCH } from '../planner/rest.ts';
import type { Clock } from '../ports/clock.ts';

/** Quiet that ends any burst: forty doors that start at once on two busy cores have gaps of up to 0.2 s. */
const QUIET_MS: DurationMs = 250;
/** Quiet that ends a dense one: this many times its longest gap, never less than a few turns of the runner's loop. */
const GAPS = 3;
const DENSE_QUIET_MS: DurationMs = 100;
/** Creates whose gaps tell something. */
const TELLING = 8;
/** A burst is waited for at most this long: a twentieth of a usual boot of 40 s. */
const LONGEST_MS: DurationMs = 2 * SECOND_MS;

export type BurstWait = {
  /** A create came. True when nothing is gained by waiting for more: they fill the launch calls of all pools. */
  came(): boolean;
  /** How long the creates that are coming in should still be waited for; 0 = they are over, or there are none. */
  left(): DurationMs;
  /** What came until now is being looked at. */
  over(): void;
};

type Burst = { firstAt: DurationMs; lastAt: DurationMs; longestGap: DurationMs; creates: number };

/** No creates yet. `pools`: how many share the loop. */
export function createBurstWait(clock: Pick<Clock, 'monotonic'>, pools: () => number): BurstWait {
  let burst: Burst | null = null;
  let quietAt = Number.NEGATIVE_INFINITY;
  const isFull = ({ creates }: Burst) => creates >= MAX_BATCH * pools();

  return {
    came() {
      const now = clock.monotonic();
      burst ??= { firstAt: now, lastAt: now, longestGap: 0, creates: 0 };
      burst.longestGap = Math.max(burst.longestGap, now - burst.lastAt);
      burst.lastAt = now;
      burst.creates += 1;
      return isFull(burst);
    },
    left() {
      if (burst === null || isFull(burst)) return 0;
      const { firstAt, lastAt, longestGap, creates } = burst;
      const isRest = firstAt - quietAt < LONGEST_MS;
      const dense = Math.min(QUIET_MS, Math.max(DENSE_QUIET_MS, GAPS * longestGap));
      const quiet = creates < TELLING || isRest ? QUIET_MS : dense;
      return Math.max(0, Math.min(lastAt + quiet, firstAt + LONGEST_MS) - clock.monotonic());
    },
    over() {
      if (burst !== null && !isFull(burst)) quietAt = clock.monotonic();
      burst = null;
    },
  };
}
