// A bound for work that costs main-thread time, so that 200 hosts that come up together do not stall everything else.
// Trap: the newest waiter goes first. A host under way needs a second connection; in a fair line it would wait behind
// the first connections of all others, and every host would be ready only with the last one.

export interface Slots {
  /** Resolves with the way to give the slot back, or null when the signal ended first. */
  take(signal: AbortSignal): Promise<(() => void) | null>;
}

/** At most `count` slots are out at a time. */
export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];

  function release(): void {
    free += 1;
    waiting.pop()?.();
  }

  function hold(): () => void {
    free -= 1;
    let held = true;
    return () => {
      if (held) release();
      held = false;
    };
  }

  return {
    take(signal) {
      if (signal.aborted) return Promise.resolve(null);
      if (free > 0) return Promise.resolve(hold());
      return new Promise((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', leave);
          resolve(hold());
        };
        const leave = () => {
          waiting.splice(waiting.indexOf(wake), 1);
          resolve(null);
        };
        waiting.push(wake);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
