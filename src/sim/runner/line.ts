// Jobs of one section that wait for a machine, and the bound on creates that run at once. A machine that comes free is
// told to the first in line, who then looks for it himself: between word and look somebody else may take it.
// Trap: a word that nobody hears is gone. A job whose word was lost waits for another, and if none comes, without end.

export type Place = {
  called: Promise<void>;
  /** Whether the word came; the place is used up then. */
  heard(): boolean;
  leave(): void;
};

export type Line = {
  /** Takes the end of the line. */
  wait(): Place;
  /** Tells the first in line that a machine is free. */
  announce(): void;
  waiting(): number;
  /** Runs `work` as soon as fewer than `most` (0 = no bound) run. */
  grow(most: number, work: () => Promise<void>): Promise<void>;
};

/** `missed`: whether the first in line misses the word this time. */
export function createLine(missed: () => boolean): Line {
  const places = new Set<() => void>();
  const held: (() => void)[] = [];
  let growing = 0;

  return {
    wait() {
      const { promise, resolve } = Promise.withResolvers<void>();
      places.add(resolve);
      return {
        called: promise,
        heard: () => !places.has(resolve),
        leave: () => void places.delete(resolve),
      };
    },
    announce() {
      const first = places.values().next().value;
      if (first === undefined || missed()) return;
      places.delete(first);
      first();
    },
    waiting: () => places.size,
    async grow(most, work) {
      const isFull = (): boolean => most > 0 && growing >= most;
      while (isFull()) {
        const { promise, resolve } = Promise.withResolvers<void>();
        held.push(resolve);
        await promise;
      }
      growing += 1;
      await work();
      growing -= 1;
      held.shift()?.();
    },
  };
}
