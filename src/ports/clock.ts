// Time as a port: the only way in to now, sleeping and time limits.
import type { DurationMs, EpochMs } from '../domain/units.ts';

export interface Clock {
  now(): EpochMs;
  /** Never jumps; for durations. */
  monotonic(): DurationMs;
  /** Ends early (resolved, not rejected) when the signal aborts. */
  sleep(ms: DurationMs, signal?: AbortSignal): Promise<void>;
  /** Aborts after ms; also when `parent` aborts. */
  timeout(ms: DurationMs, parent?: AbortSignal): AbortSignal;
}
