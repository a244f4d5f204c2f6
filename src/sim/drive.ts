// Moves a virtual timeline under a world whose parts wait on promises: one event, then everything that follows from it
// without time passing, then the next event. Only whoever runs a world may use this; its parts never do.
import type { VirtualTimeline } from './timeline.ts';

/** Lets all promises settle that can without time passing. */
export function settle(): Promise<void> {
  // A turn of the event loop comes only after the last of a chain of promises.
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Runs what falls due until then, or until `done` holds. Returns whether `done` held. */
export async function drive(
  timeline: VirtualTimeline,
  until: number,
  done: () => boolean = () => false,
): Promise<boolean> {
  await settle();
  while (!done()) {
    if (!timeline.step(until)) {
      timeline.advance(Math.max(0, until - timeline.now()));
      return done();
    }
    await settle();
  }
  return true;
}
