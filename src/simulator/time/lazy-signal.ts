// A time limit as an AbortSignal that costs next to nothing while nobody waits on it: most limits of a simulated day are
// never reached. Only for the simulated ports: `AbortSignal.any` takes real signals only.
// It is a class because a day makes a million of them: methods must not be made anew for each.
import type { DurationMs, EpochMs } from '../../domain/units.ts';
import type { Timeline } from '../../sim/timeline.ts';

type Listener = (event: Event) => unknown;

class LazySignal {
  onabort = null;
  readonly #timeline: Timeline;
  readonly #ms: DurationMs;
  readonly #deadline: EpochMs;
  readonly #parent: AbortSignal | undefined;
  #waiting: Map<unknown, () => void> | null = null;

  constructor(timeline: Timeline, ms: DurationMs, parent: AbortSignal | undefined) {
    this.#timeline = timeline;
    this.#ms = ms;
    this.#deadline = timeline.now() + ms;
    this.#parent = parent;
  }

  get aborted(): boolean {
    return this.#parent?.aborted === true || this.#timeline.now() >= this.#deadline;
  }

  get reason(): unknown {
    if (!this.aborted) return undefined;
    if (this.#parent?.aborted === true) return this.#parent.reason;
    return new DOMException(`no answer within ${this.#ms} ms`, 'TimeoutError');
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  addEventListener(_type: string, listener: unknown): void {
    this.#waiting ??= new Map();
    if (this.#waiting.has(listener)) return;
    const tell = () => {
      this.removeEventListener('abort', listener);
      (listener as Listener)(new Event('abort'));
    };
    const callOff = this.#timeline.after(this.#deadline - this.#timeline.now(), tell);
    this.#parent?.addEventListener('abort', tell);
    this.#waiting.set(listener, () => {
      callOff();
      this.#parent?.removeEventListener('abort', tell);
    });
  }

  removeEventListener(_type: string, listener: unknown): void {
    this.#waiting?.get(listener)?.();
    this.#waiting?.delete(listener);
  }

  dispatchEvent(): boolean {
    return true;
  }
}

/** Aborts after `ms` of the timeline, or with `parent`. */
export function createLazySignal(timeline: Timeline, ms: DurationMs, parent?: AbortSignal): AbortSignal {
  return new LazySignal(timeline, ms, parent);
}
