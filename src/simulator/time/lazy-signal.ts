// A time limit as an AbortSignal that costs next to nothing while nobody waits on it: most limits of a simulated day are
// never reached. Only for the simulated ports: `AbortSignal.any` takes real signals only.
import type { DurationMs } from '../../domain/units.ts';
import type { Timeline } from '../../sim/timeline.ts';

type Listener = (event: Event) => unknown;

/** Aborts after `ms` of the timeline, or with `parent`. */
export function createLazySignal(timeline: Timeline, ms: DurationMs, parent?: AbortSignal): AbortSignal {
  const deadline = timeline.now() + ms;
  let waiting: Map<unknown, () => void> | null = null;

  const isAborted = () => parent?.aborted === true || timeline.now() >= deadline;
  const reasonOf = (): unknown => {
    if (!isAborted()) return undefined;
    const words = `no answer within ${ms} ms`;
    return parent?.aborted === true ? parent.reason : new DOMException(words, 'TimeoutError');
  };

  const remove = (_type: string, listener: unknown): void => {
    waiting?.get(listener)?.();
    waiting?.delete(listener);
  };
  const add = (_type: string, listener: unknown): void => {
    waiting ??= new Map();
    if (waiting.has(listener)) return;
    const tell = () => {
      remove('abort', listener);
      (listener as Listener)(new Event('abort'));
    };
    const callOff = timeline.after(deadline - timeline.now(), tell);
    parent?.addEventListener('abort', tell);
    waiting.set(listener, () => {
      callOff();
      parent?.removeEventListener('abort', tell);
    });
  };

  const signal = {
    get aborted() {
      return isAborted();
    },
    get reason() {
      return reasonOf();
    },
    onabort: null,
    throwIfAborted() {
      if (isAborted()) throw reasonOf();
    },
    addEventListener: add,
    removeEventListener: remove,
    dispatchEvent: () => true,
  };
  return signal as unknown as AbortSignal;
}
