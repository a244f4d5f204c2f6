// A request over a simulated network: it reaches the other side after a while, does its work there, and the answer comes back.
// Both ends may die in between. Must not know what is asked.
// Trap: what was sent arrives even when the asker is dead by then; what was answered is lost when it is.
import type { DurationMs } from '../../domain/units.ts';
import type { Timeline } from '../../sim/timeline.ts';
import type { ProcessLife } from './process-life.ts';

export type LineOrder<T> = {
  /** Names the point for crashes; null = no effect outside, so no point. */
  what: string | null;
  thereMs: DurationMs;
  backMs: DurationMs;
  signal: AbortSignal;
  /** At the other side. */
  work(): T | Promise<T>;
};

export type NetworkLine = {
  /** Rejects with what the work threw, or with the signal's reason when that ends first. */
  ask<T>(order: LineOrder<T>): Promise<T>;
  /** Nothing ever comes back: rejects when the signal ends. */
  hang(signal: AbortSignal): Promise<never>;
};

/** What a signal that ended stands for. */
function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new DOMException('the wait was given up', 'AbortError');
}

/** The lines of one process. */
export function createNetworkLine(timeline: Timeline, life: ProcessLife): NetworkLine {
  function hang(signal: AbortSignal): Promise<never> {
    if (!life.isAlive()) return life.never;
    return new Promise((_resolve, reject) => {
      const end = () => {
        signal.removeEventListener('abort', end);
        if (life.isAlive()) reject(reasonOf(signal));
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end);
    });
  }

  function ask<T>(order: LineOrder<T>): Promise<T> {
    if (!life.isAlive()) return life.never;
    const { what, thereMs, backMs, signal } = order;
    return new Promise<T>((resolve, reject) => {
      if (what !== null) life.point(what, 'before');
      const settle = (finish: () => void) => {
        signal.removeEventListener('abort', end);
        if (life.isAlive()) finish();
      };
      const end = () => settle(() => reject(reasonOf(signal)));
      if (signal.aborted) return end();
      signal.addEventListener('abort', end);
      const back = (finish: () => void) => {
        if (what !== null) life.reached(what, 'after');
        timeline.after(backMs, () => settle(finish));
      };
      timeline.after(thereMs, () => {
        try {
          const done = order.work();
          if (done instanceof Promise)
            done.then(
              (value) => back(() => resolve(value)),
              (error: unknown) => back(() => reject(error)),
            );
          else back(() => resolve(done));
        } catch (error) {
          back(() => reject(error));
        }
      });
    });
  }

  return { ask, hang };
}
