// A clock that a test moves by hand: sleepers wake when time passes them, in order. Nothing waits for real.
import type { Clock } from '../../src/ports/clock.ts';

type Sleeper = { at: number; wake(): void };

export type HandClock = Clock & {
  /** Moves both clocks and wakes who is due, letting what they started settle in between. */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock alone: a jump. */
  jump(ms: number): void;
};

/** Lets promises that are ready run. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 20; round++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A hand clock that stands at `start` (epoch milliseconds). */
export function createHandClock(start: number): HandClock {
  let steady = 0;
  let offset = start;
  let sleepers: Sleeper[] = [];
  const at = (ms: number, wake: () => void): Sleeper => {
    const sleeper = { at: steady + ms, wake };
    sleepers.push(sleeper);
    return sleeper;
  };
  return {
    now: () => offset + steady,
    monotonic: () => steady,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const sleeper = at(ms, resolve);
        signal?.addEventListener('abort', () => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          resolve();
        });
      }),
    timeout(ms, parent) {
      const control = new AbortController();
      at(ms, () => control.abort(new Error('time limit')));
      return parent === undefined ? control.signal : AbortSignal.any([control.signal, parent]);
    },
    jump(ms) {
      offset += ms;
    },
    async advance(ms) {
      const until = steady + ms;
      await settle();
      for (;;) {
        const [next] = sleepers.filter((sleeper) => sleeper.at <= until).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        sleepers = sleepers.filter((other) => other !== next);
        steady = Math.max(steady, next.at);
        next.wake();
        await settle();
      }
      steady = until;
      await settle();
    },
  };
}
