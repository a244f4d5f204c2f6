// Moves a virtual timeline under a world whose parts wait on promises: one event, then everything that follows from it
// without time passing, then the next event. Only whoever runs a world may use this; its parts never do.
// Trap: only a turn of the event loop comes after all promises of a chain; waiting for a fixed number of them does not.
import type { VirtualTimeline } from './timeline.ts';

/** Steps handed to the event loop at once: promises settle between them, and its own round costs more than a step. */
const STEPS_TOGETHER = 256;

/**
 * Runs what falls due until then, or until `done` holds. Resolves with whether `done` held; rejects with what an event
 * threw.
 */
export function drive(
  timeline: VirtualTimeline,
  until: number,
  done: () => boolean = () => false,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let over = false;
    let ahead = 0;
    const end = (held: boolean): void => {
      over = true;
      resolve(held);
    };
    const step = (): void => {
      ahead -= 1;
      if (over) return;
      try {
        if (done()) end(true);
        else if (!timeline.step(until)) {
          timeline.advance(Math.max(0, until - timeline.now()));
          end(done());
        } else if (ahead === 0) goOn();
      } catch (error) {
        over = true;
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const goOn = (): void => {
      ahead = STEPS_TOGETHER;
      for (let left = STEPS_TOGETHER; left > 0; left -= 1) setImmediate(step);
    };
    goOn();
  });
}
