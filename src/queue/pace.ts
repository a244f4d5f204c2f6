// How fast GitLab may be asked: a share of its limit, slowly filled, and pauses after refusals and failures.
// One pace stands before all calls to one GitLab. Pure but for its own counters: time comes in with each question.
// Traps: the bucket stays small, so that the end of an outage brings no burst; Retry-After can be minutes away and is kept.
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';

/** Calls a minute: GitLab's default for a project's jobs by one user, everywhere (facts: gitlab-queue 7). */
export const USUAL_LIMIT = 600;
/** Part of the limit that is used, for all calls together (facts: polite poller). */
export const USED_SHARE = 0.25;
/** Answers awaited at the same time (facts: polite poller). */
export const MOST_IN_FLIGHT = 4;
/** Calls that may go out at once after a rest: small, so that nearly all of the budget is a steady flow. */
export const BURST_CALLS = 2;
/** Below this part of what GitLab says is left, everything slows down. */
const LOW_REMAINING = 0.2;
/** The slowest that a low remainder makes it, against the usual pace. */
const SLOWEST = 0.1;
/** GitLab's application limits answer 429 without Retry-After; their window is a minute. */
const UNSAID_PAUSE_MS: DurationMs = MINUTE_MS;
const FIRST_PAUSE_MS: DurationMs = SECOND_MS;
const LAST_PAUSE_MS: DurationMs = MINUTE_MS;
/** A pause that GitLab asks for is believed up to here: a wrong header must not end the watch. */
const LONGEST_ASKED_MS: DurationMs = 30 * MINUTE_MS;

/** Added by chance to a pause that GitLab asked for: its other callers come back at that moment too. */
const ASKED_SPREAD = 0.1;

export type PaceReport = {
  outcome: 'ok' | 'unchanged' | 'refused' | 'throttled' | 'failed';
  limit: number | null;
  remaining: number | null;
  retryAt: EpochMs | null;
};

export type PaceState = {
  /** Calls a minute that may go out. */
  callsPerMinute: number;
  /** GitLab's own limit, where it says one. */
  limit: number | null;
  remaining: number | null;
  /** No call before; 0 = none is held back. */
  pausedUntil: EpochMs;
  /** Failures in a row. */
  failures: number;
  inFlight: number;
};

export type Pace = {
  /** Takes a call's place, or says how long to wait; Infinity: until an answer comes. */
  take(now: EpochMs): DurationMs;
  /** Its answer. `chance` (0 up to 1) spreads the pause. */
  settle(report: PaceReport, now: EpochMs, chance: number): void;
  /** A call that was never sent. */
  giveBack(): void;
  state(): PaceState;
};

/** Pause after the nth failure in a row: 1 s doubling up to a minute, a fifth of it by chance. */
export function pauseAfter(failures: number, chance: number): DurationMs {
  const full = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(full * (0.8 + 0.2 * chance));
}

/** A pace that has not asked anything yet. */
export function createPace(begun: EpochMs): Pace {
  let tokens = BURST_CALLS;
  let filledAt = begun;
  let limit: number | null = null;
  let remaining: number | null = null;
  let pausedUntil: EpochMs = 0;
  let failures = 0;
  let inFlight = 0;

  const callsPerMinute = (): number => {
    const known = limit === null ? USUAL_LIMIT : Math.min(limit, USUAL_LIMIT);
    const full = Math.max(1, known * USED_SHARE);
    if (limit === null || remaining === null || limit <= 0) return full;
    const left = remaining / limit;
    return left >= LOW_REMAINING ? full : Math.max(1, full * Math.max(SLOWEST, left / LOW_REMAINING));
  };

  /** In any minute go out at most what the bucket held and what it got: together the calls of a minute. */
  const perMs = (): number => Math.max(1, callsPerMinute() - BURST_CALLS) / MINUTE_MS;

  function fill(now: EpochMs): void {
    // A clock set back must not stop the watch.
    const passed = Math.max(0, now - filledAt);
    tokens = Math.min(BURST_CALLS, tokens + passed * perMs());
    filledAt = now;
  }

  return {
    take(now) {
      fill(now);
      // After a failure one call feels the way.
      if (inFlight >= (failures > 0 ? 1 : MOST_IN_FLIGHT)) return Infinity;
      if (now < pausedUntil) {
        // A clock that was set back must not make a pause of hours.
        pausedUntil = Math.min(pausedUntil, now + LONGEST_ASKED_MS * (1 + ASKED_SPREAD));
        return pausedUntil - now;
      }
      if (tokens < 1) return Math.ceil((1 - tokens) / perMs());
      tokens -= 1;
      inFlight += 1;
      return 0;
    },
    settle(report, now, chance) {
      inFlight = Math.max(0, inFlight - 1);
      if (report.limit !== null && report.limit > 0) limit = report.limit;
      if (report.remaining !== null) remaining = report.remaining;
      if (report.outcome !== 'throttled' && report.outcome !== 'failed') {
        failures = 0;
        return;
      }
      failures += 1;
      const asked = report.retryAt === null ? 0 : Math.min(report.retryAt - now, LONGEST_ASKED_MS);
      const unsaid = report.outcome === 'throttled' ? UNSAID_PAUSE_MS : pauseAfter(failures, chance);
      const spread = 1 + ASKED_SPREAD * chance;
      pausedUntil = Math.max(pausedUntil, now + Math.ceil(asked > 0 ? asked * spread : unsaid));
      tokens = Math.min(tokens, 1);
    },
    giveBack() {
      inFlight = Math.max(0, inFlight - 1);
    },
    state: () => ({ callsPerMinute: callsPerMinute(), limit, remaining, pausedUntil, failures, inFlight }),
  };
}
