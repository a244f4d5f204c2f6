// The real time behind the clock port: with random.ts the only place that sets timers for the daemon.
// Trap: Node fires timers longer than 2^31-1 ms at once, so waits are cut there; callers look again anyway.
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';

/** Milliseconds; the longest wait that Node's timers can hold (24.8 days). */
const LONGEST_WAIT_MS: DurationMs = 2 ** 31 - 1;

const within = (ms: DurationMs): DurationMs => Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);

/** Wall and monotonic clock of this process. Sleeps keep the process alive, time limits do not. */
export function createClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) {
          resolve();
          return;
        }
        const end = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, within(ms));
        signal?.addEventListener('abort', end);
      }),
    timeout: (ms, parent) => {
      const control = new AbortController();
      if (parent?.aborted === true) {
        control.abort(parent.reason);
        return control.signal;
      }
      const end = (reason: unknown) => {
        clearTimeout(timer);
        parent?.removeEventListener('abort', byParent);
        control.abort(reason);
      };
      const byParent = () => {
        end(parent?.reason);
      };
      const timer = setTimeout(() => {
        end(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'));
      }, within(ms)).unref();
      parent?.addEventListener('abort', byParent);
      return control.signal;
    },
  };
}
