// Whether a busy host that gives no sign of life is gone, so that connections to it may be reset (which fails its job).
// Pure. The evidence and its limits: docs/adr/0013.
// Trap: a host that is merely slow must keep its job; and when this machine's own network is cut, all hosts look silent.
import type { InstanceState } from '../domain/instance.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';

/** No greeting, no Docker answer, no byte on any connection, and not even a handshake: the host or its network is gone. */
export const DEAF_MS: DurationMs = 60 * SECOND_MS;
/** The same, but its kernel still takes connections: that may be load, so it gets a little longer. */
export const MUTE_MS: DurationMs = 70 * SECOND_MS;
/** Looks that found nothing, at least: a clock that jumps or a process that stood still is no evidence. */
export const LEAST_HAILS = 6;
/** With EC2's word that the instance leaves, two looks do: it may be shutting down in an orderly way, job and all. */
export const HAILS_WHEN_LEAVING = 2;

export type Evidence = {
  /** Since the last sign of life of any kind. */
  silentMs: DurationMs;
  /** Hails in a row that brought nothing. */
  hails: number;
  /** How the last one ended. */
  hail: 'mute' | 'deaf';
  /** What EC2 shows of the instance; null = nothing, or too long ago. */
  state: InstanceState | null;
  /** EC2 has answered since the silence began: this machine's own network is well. */
  isCloudHeard: boolean;
};

export type SilenceVerdict = 'wait' | 'gone' | 'silent';

const leaving: ReadonlySet<InstanceState> = new Set(['shutting-down', 'stopping', 'stopped']);

/** `gone`: EC2 says so. `silent`: only silence says so, long enough. */
export function judgeSilence({ silentMs, hails, hail, state, isCloudHeard }: Evidence): SilenceVerdict {
  if (state === 'terminated') return 'gone';
  if (state !== null && leaving.has(state)) return hails >= HAILS_WHEN_LEAVING ? 'gone' : 'wait';
  if (hails < LEAST_HAILS || !isCloudHeard) return 'wait';
  return silentMs >= (hail === 'deaf' ? DEAF_MS : MUTE_MS) ? 'silent' : 'wait';
}
