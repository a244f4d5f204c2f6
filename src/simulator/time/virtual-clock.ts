// The clock port of one simulated process. Its sleeps end with the process: what slept in a process that was killed never
// wakes. The wall clock may jump, the monotonic one never does.
// Trap: a day holds millions of sleeps on the same few signals, so each signal is listened to once.
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Timeline } from '../../sim/timeline.ts';
import type { ProcessLife } from '../daemon/process-life.ts';
import { createLazySignal } from './lazy-signal.ts';

/** What the machine's wall clock shows beside true time; shared by all processes of one machine. */
export type WallClock = { aheadMs: DurationMs };

/** Who waits on which signal; one listener a signal. */
function createSleepers() {
  const bySignal = new WeakMap<AbortSignal, Set<() => void>>();
  return (signal: AbortSignal): Set<() => void> => {
    const known = bySignal.get(signal);
    if (known !== undefined) return known;
    const sleepers = new Set<() => void>();
    bySignal.set(signal, sleepers);
    signal.addEventListener('abort', () => {
      for (const wake of sleepers) wake();
    });
    return sleepers;
  };
}

/** The clock of one process on a machine with that wall clock. */
export function createVirtualClock(timeline: Timeline, life: ProcessLife, wall: WallClock): Clock {
  const start = timeline.now();
  const done = Promise.resolve();
  const sleepersOn = createSleepers();
  return {
    // Whole milliseconds, as the system's clock gives them.
    now: () => Math.floor(timeline.now() + wall.aheadMs),
    monotonic: () => timeline.now() - start,
    sleep(ms, signal) {
      if (!life.isAlive()) return life.never;
      if (signal?.aborted === true) return done;
      return new Promise((resolve) => {
        const sleepers = signal === undefined ? null : sleepersOn(signal);
        const end = () => {
          callOff();
          sleepers?.delete(end);
          if (life.isAlive()) resolve();
        };
        const callOff = timeline.after(ms, end);
        sleepers?.add(end);
      });
    },
    timeout: (ms, parent) => createLazySignal(timeline, ms, parent),
  };
}
