// One life of a simulated process: it can be killed at any of its points (before and after each effect and each write), and
// from then on nothing of it happens any more. Code cannot be stopped from outside, so every port of a dead process throws
// `Crashed` where it answers at once and never answers where it answers later.
// Trap: work that was sent before the end (a call on the wire) still arrives; only its answer is lost.

/** Thrown to the code of a process that is dead: it must not go on. */
export class Crashed extends Error {
  constructor() {
    super('this process has ended');
    this.name = 'Crashed';
  }
}

/** Where a process can be killed: what is done there, and which side of it. */
export type Point = { what: string; side: 'before' | 'after' };

export type ProcessLife = {
  isAlive(): boolean;
  /** Throws Crashed when it is dead. */
  check(): void;
  /** A point in the process's own course: throws Crashed when it is, or becomes, dead here. */
  point(what: string, side: Point['side']): void;
  /** A point that is reached in the world (an answer on its way): kills without a word. */
  reached(what: string, side: Point['side']): void;
  kill(): void;
  /** Called once, when it ends by being killed or by `end`. */
  onEnd(told: () => void): void;
  /** It ended by itself. */
  end(): void;
  /** A promise that is never kept: what a dead process waits for. */
  never: Promise<never>;
};

/** A living process. `falls` says whether it is killed at a point. */
export function createProcessLife(falls: (point: Point) => boolean = () => false): ProcessLife {
  let isAlive = true;
  const told: (() => void)[] = [];
  const end = () => {
    if (!isAlive) return;
    isAlive = false;
    for (const tell of told.splice(0)) tell();
  };
  const check = () => {
    if (!isAlive) throw new Crashed();
  };
  const reached = (what: string, side: Point['side']) => {
    if (isAlive && falls({ what, side })) end();
  };
  return {
    isAlive: () => isAlive,
    check,
    reached,
    point(what, side) {
      check();
      reached(what, side);
      check();
    },
    kill: end,
    end,
    onEnd(tell) {
      if (isAlive) told.push(tell);
      else tell();
    },
    never: new Promise<never>(() => undefined),
  };
}
