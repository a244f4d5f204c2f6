// One of EC2's request buckets, kept on our side so that EC2's own never runs dry. Pure over the time it is given.
// A throttling answer means that others use the account too: the bucket is drained, its refill halved, and the
// published rate regained along a straight line (additive increase, multiplicative decrease).
// Trap: `reserve` may take the balance below zero; that is what keeps waiting calls in order.
import type { DurationMs } from '../../domain/units.ts';

/** `size` tokens at rest, `perSecond` tokens a second. */
export type BucketLimits = { size: number; perSecond: number };

/** Refill is never slowed below a sixteenth: at EC2's smallest published rate (2/s) one call every 8 s still goes out. */
const SLOWEST_SHARE = 1 / 16;

/** Milliseconds from the slowest share back to the full rate: long enough to share with others, short beside a burst of jobs. */
const REGAIN_MS: DurationMs = 300_000;

/** Milliseconds; answers to calls that were already out are one sign, not many. */
const ONE_SIGN_MS: DurationMs = 1_000;

export type TokenBucket = {
  /** Whole tokens there now, never below 0. */
  available(now: DurationMs): number;
  /** Takes `count` tokens and says how long to wait for them; null (nothing taken) when that is beyond `maxWaitMs`. */
  reserve(count: number, now: DurationMs, maxWaitMs: DurationMs): DurationMs | null;
  /** Gives tokens back that EC2 did not charge for. */
  refund(count: number): void;
  /** EC2 said that calls come too fast. */
  throttled(now: DurationMs): void;
};

/** `now` is monotonic time in milliseconds throughout. */
export function createTokenBucket(limits: BucketLimits, start: DurationMs): TokenBucket {
  let tokens = limits.size;
  let share = 1;
  let at = start;
  let lastSign = Number.NEGATIVE_INFINITY;

  const advance = (now: DurationMs): void => {
    const elapsed = Math.max(0, now - at);
    at = Math.max(at, now);
    // The share climbs while tokens flow; its mean over the step is exact until it reaches 1, and never above.
    const before = share;
    share = Math.min(1, share + ((1 - SLOWEST_SHARE) * elapsed) / REGAIN_MS);
    const mean = (before + share) / 2;
    tokens = Math.min(limits.size, tokens + (limits.perSecond * mean * elapsed) / 1_000);
  };

  return {
    available: (now) => {
      advance(now);
      return Math.max(0, Math.floor(tokens));
    },
    reserve: (count, now, maxWaitMs) => {
      advance(now);
      const short = count - tokens;
      const waitMs = short <= 0 ? 0 : Math.ceil((short / (limits.perSecond * share)) * 1_000);
      if (waitMs > maxWaitMs) return null;
      tokens -= count;
      return waitMs;
    },
    refund: (count) => {
      tokens = Math.min(limits.size, tokens + count);
    },
    throttled: (now) => {
      advance(now);
      tokens = Math.min(tokens, 0);
      if (now - lastSign < ONE_SIGN_MS) return;
      lastSign = now;
      share = Math.max(SLOWEST_SHARE, share / 2);
    },
  };
}
