// Work that is started and tracked but never awaited by a tick: calls under way, provisioning, notes to folders. Only the
// daemon's end waits for it. Trap: a failure here has no caller, so it is logged and nothing else.
import { messageOf } from '../domain/error.ts';
import type { Log } from '../ports/log.ts';

export type Background = { track(work: Promise<void>): void; settled(): Promise<void> };

/** Nothing under way yet. */
export function createBackground(log: Log): Background {
  const running = new Set<Promise<void>>();
  return {
    track(work) {
      const settled: Promise<void> = work
        .catch((error: unknown) => log.error('background work failed', { error: messageOf(error) }))
        .finally(() => running.delete(settled));
      running.add(settled);
    },
    settled: async () => void (await Promise.all(running)),
  };
}
