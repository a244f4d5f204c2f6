// A clock that runs on real time and can be moved forward: for daemons with real sockets whose day must pass in seconds.
// Wall and monotonic clock move together, so that hours pass for the daemon; only `set` looks like a clock that was set.
// Trap: time limits stay real, or each move would cut off every call that is under way.
import { createClock } from '../../src/adapters/system/clock.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../../src/domain/units.ts';
import type { Clock } from '../../src/ports/clock.ts';

type Sleeper = { at: DurationMs; timer: NodeJS.Timeout; wake(): void };

export type MovedClock = Clock & {
  /** Lets this much time pass at once and wakes who slept through it. */
  pass(ms: DurationMs): void;
  /** Passes the time up to that moment; not back. */
  passTo(at: EpochMs): void;
  /** Sets the wall clock forward or back; no time passes. */
  set(by: DurationMs): void;
  /** Lets time run some twenty times faster while `work` goes on: what happens every few seconds need not be waited for. */
  hurry<T>(work: () => Promise<T>): Promise<T>;
};

/** A clock that stands at `start` now and runs on. */
export function createMovedClock(start: EpochMs): MovedClock {
  const real = createClock();
  const begun = real.monotonic();
  const sleepers = new Set<Sleeper>();
  let passed: DurationMs = 0;
  let wallAhead: DurationMs = 0;
  const monotonic = () => real.monotonic() - begun + passed;
  const now = () => Math.round(start + wallAhead + monotonic());

  function pass(ms: DurationMs): void {
    passed += Math.max(0, ms);
    for (const sleeper of [...sleepers].toSorted((a, b) => a.at - b.at)) {
      clearTimeout(sleeper.timer);
      sleeper.timer = setTimeout(sleeper.wake, Math.max(0, sleeper.at - monotonic()));
    }
  }

  return {
    now,
    monotonic,
    pass,
    passTo: (at) => pass(at - now()),
    set(by) {
      wallAhead += by;
    },
    async hurry(work) {
      const hands = setInterval(() => pass(SECOND_MS), 50);
      try {
        return await work();
      } finally {
        clearInterval(hands);
      }
    },
    timeout: (ms, parent) => real.timeout(ms, parent),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const wake = () => {
          clearTimeout(sleeper.timer);
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const sleeper: Sleeper = {
          at: monotonic() + ms,
          wake,
          timer: setTimeout(() => wake(), Math.max(0, ms)),
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', wake);
      }),
  };
}
