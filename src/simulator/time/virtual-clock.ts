// The clock port of one simulated process. Its sleeps end with the process: what slept in a process that was killed never
// wakes. The wall clock may jump, the monotonic one never does.
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Timeline } from '../../sim/timeline.ts';
import type { ProcessLife } from '../daemon/process-life.ts';
import { createLazySignal } from './lazy-signal.ts';

/** What the machine's wall clock shows beside true time; shared by all processes of one machine. */
export type WallClock = { aheadMs: DurationMs };

/** The clock of one process on a machine with that wall clock. */
export function createVirtualClock(timeline: Timeline, life: ProcessLife, wall: WallClock): Clock {
  const start = timeline.now();
  const done = Promise.resolve();
  return {
    now: () => timeline.now() + wall.aheadMs,
    monotonic: () => timeline.now() - start,
    sleep(ms, signal) {
      if (!life.isAlive()) return life.never;
      if (signal?.aborted === true) return done;
      return new Promise((resolve) => {
        const end = () => {
          callOff();
          signal?.removeEventListener('abort', end);
          if (life.isAlive()) resolve();
        };
        const callOff = timeline.after(ms, end);
        signal?.addEventListener('abort', end);
      });
    },
    timeout: (ms, parent) => createLazySignal(timeline, ms, parent),
  };
}
