// How long a burst of creates is waited for, so that it becomes one launch call: until creates stop coming, or until they fill
// the call and waiting saves nothing.
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import { MAX_BATCH } from '../planner/rest.ts';
import type { Clock } from '../ports/clock.ts';

/**
 * Quiet that ends a burst: forty doors that start at once on two busy cores come in over one to two seconds, with gaps of
 * up to 0.2 s …
 */
const QUIET_MS: DurationMs = 250;
/** … but it is waited for at most this long: a twentieth of a usual boot of 40 s. */
const LONGEST_MS: DurationMs = 2 * SECOND_MS;

export type BurstWait = {
  /** A create came. True when nothing is gained by waiting for more: they fill the launch calls of all pools. */
  came(): boolean;
  /** How long the creates that are coming in should still be waited for; 0 = they are over, or there are none. */
  left(): DurationMs;
  /** What came until now is being looked at. */
  over(): void;
};

type Burst = { firstAt: DurationMs; lastAt: DurationMs; creates: number };

/** No creates yet. `pools`: how many share the loop. */
export function createBurstWait(clock: Pick<Clock, 'monotonic'>, pools: () => number): BurstWait {
  let burst: Burst | null = null;
  const isFull = ({ creates }: Burst) => creates >= MAX_BATCH * pools();

  return {
    came() {
      const now = clock.monotonic();
      burst ??= { firstAt: now, lastAt: now, creates: 0 };
      burst.lastAt = now;
      burst.creates += 1;
      return isFull(burst);
    },
    left() {
      if (burst === null || isFull(burst)) return 0;
      const { firstAt, lastAt } = burst;
      return Math.max(0, Math.min(lastAt + QUIET_MS, firstAt + LONGEST_MS) - clock.monotonic());
    },
    over() {
      burst = null;
    },
  };
}
