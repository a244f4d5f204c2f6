// Moves virtual time: runs one due thing, lets everything that was waiting for it go on (microtasks), then takes the next. No
// timer of the real world is involved, so a day lasts as long as its work.
// Must not know what runs. Trap: only a turn of the event loop drains all microtasks; awaiting a fixed number of them does not.
import type { EpochMs } from '../../domain/units.ts';
import type { VirtualTimeline } from '../../sim/timeline.ts';

/** Steps handed to the event loop at once: it drains microtasks between them, and its own round costs more than a step. */
const STEPS_TOGETHER = 256;

/**
 * Runs what falls due by `until`, or until `isOver` says so after a step. Resolves with true when time reached `until`. Rejects
 * with what a due thing threw.
 */
export function drive(
  timeline: VirtualTimeline,
  until: EpochMs,
  isOver: () => boolean = () => false,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let ended = false;
    let ahead = 0;
    const next = () => {
      ahead -= 1;
      if (ended) return;
      try {
        if (isOver()) {
          ended = true;
          resolve(false);
          return;
        }
        if (!timeline.step(until)) {
          timeline.advance(Math.max(0, until - timeline.now()));
          ended = true;
          resolve(true);
          return;
        }
      } catch (error) {
        ended = true;
        reject(error);
        return;
      }
      if (ahead === 0) more();
    };
    const more = () => {
      ahead = STEPS_TOGETHER;
      for (let left = ahead; left > 0; left -= 1) setImmediate(next);
    };
    more();
  });
}
