// How soon a host that boots is tried again: at leisure while it cannot be up yet, in quick steps around the time at which
// hosts of its pool usually come up, at leisure again when it is late. Pure.
// Trap: a thousand hosts may boot at once; what all of them are tried together is bounded, not what one is.
import { type DurationMs, SECOND_MS } from '../domain/units.ts';

/** Pauses between attempts: a host that just came up is found within a tenth of a second, one that boots is not bothered. */
export const FIRST_PAUSE_MS: DurationMs = 100;
const LONGEST_PAUSE_MS: DurationMs = SECOND_MS;
const PAUSE_GROWTH = 1.5;

/** While a host is expected: a fifth of a second is a tenth of what its provisioning takes. */
const EXPECTED_PAUSE_MS: DurationMs = 200;
/** Attempts of all hosts together: a refused one costs the manager some 0.1 ms, so a tenth of its main thread at most. */
const ATTEMPTS_A_SECOND = 1_000;

/** Shares of the fastest and the slowest boot seen, launch to ready, between which a host is expected to let us in. */
const EARLIEST_SHARE = 0.85;
const LATEST_SHARE = 1.15;

/** From when to when after its launch a host is expected to let us in. */
export type UsualBoot = { fromMs: DurationMs; toMs: DurationMs };

/** Common types and images let us in 25 to 40 s after the launch (published measurements); slower ones are met at leisure. */
const COMMON_BOOT: UsualBoot = { fromMs: 20 * SECOND_MS, toMs: 60 * SECOND_MS };

/** By the boots that a pool has seen, launch to ready; before the first, what is common. */
export function usualBoot(boots: readonly DurationMs[]): UsualBoot {
  if (boots.length === 0) return COMMON_BOOT;
  return { fromMs: Math.min(...boots) * EARLIEST_SHARE, toMs: Math.max(...boots) * LATEST_SHARE };
}

/** The pause after `pause`, for what has no usual time. */
export function nextPause(pause: DurationMs): DurationMs {
  return Math.min(pause * PAUSE_GROWTH, LONGEST_PAUSE_MS);
}

/** The pause after `pause` for a host that was launched `ageMs` ago, while `crowd` hosts in all are waited for. */
export function bootPause(
  pause: DurationMs,
  { ageMs, usual, crowd }: { ageMs: DurationMs; usual: UsualBoot; crowd: number },
): DurationMs {
  const isExpected = ageMs >= usual.fromMs && ageMs <= usual.toMs;
  if (!isExpected) return nextPause(pause);
  const fairMs = (crowd / ATTEMPTS_A_SECOND) * SECOND_MS;
  return Math.min(Math.max(EXPECTED_PAUSE_MS, fairMs), LONGEST_PAUSE_MS);
}
