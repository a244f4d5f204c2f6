// Who is due, the longest overdue first, for rounds that may start only a few of very many.
// Trap: a round that begins at the head of the list each time never comes to its tail once more are due than it may start.

import type { DurationMs } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';

/** One who may be due: since when, on the monotonic clock. */
export type Due<T> = { who: T; at: DurationMs };

export type DueLine<T> = {
  /** At most `most` of those in line; the first of them have waited longest. */
  take(most: number): T[];
  /** How many are in line still. */
  left(): number;
};

/**
 * A line over `seek`, which looks through everybody and so is asked only when the line is used up, or `everyMs` old: what
 * it said may be outdated by then, so whoever is taken must be looked at again.
 */
export function createDueLine<T>(clock: Clock, everyMs: DurationMs, seek: () => Due<T>[]): DueLine<T> {
  let line: Due<T>[] = [];
  let head = 0;
  let soughtAt = Number.NEGATIVE_INFINITY;
  return {
    take(most) {
      const now = clock.monotonic();
      if (head >= line.length || now - soughtAt >= everyMs) {
        soughtAt = now;
        line = seek().toSorted((a, b) => a.at - b.at);
        head = 0;
      }
      const taken = line.slice(head, head + most);
      head += taken.length;
      return taken.map(({ who }) => who);
    },
    left: () => line.length - head,
  };
}
