// How fast GitLab may be asked: what headers, refusals and outages make of it, on virtual time.
import { describe, expect, test } from 'vitest';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { createPace, type Pace, type PaceReport, pauseAfter } from '../../../src/queue/pace.ts';

const BEGUN = Date.UTC(2026, 10, 23, 12);
const fine: PaceReport = { outcome: 'ok', limit: null, remaining: null, retryAt: null };

/** Calls that go out from `from` for `ms`, each answered at once by `answer`. */
function flood(pace: Pace, from: number, ms: number, answer: (now: number) => PaceReport): number[] {
  const calls: number[] = [];
  for (let now = from; now < from + ms; now += 50) {
    while (pace.take(now) === 0) {
      calls.push(now);
      pace.settle(answer(now), now, 0.5);
    }
  }
  return calls;
}

describe('the pace', () => {
  test('is a quarter of the usual limit when GitLab names none', () => {
    const pace = createPace(BEGUN);
    const first = flood(pace, BEGUN, MINUTE_MS, () => fine).length;
    expect(first).toBeGreaterThanOrEqual(148);
    expect(first).toBeLessThanOrEqual(150);
    expect(flood(pace, BEGUN + MINUTE_MS, MINUTE_MS, () => fine).length).toBeLessThanOrEqual(150);
  });

  test('is a quarter of what GitLab names when that is less, and not more when it is more', () => {
    const small = createPace(BEGUN);
    const limited = { ...fine, limit: 120, remaining: 100 };
    flood(small, BEGUN, MINUTE_MS, () => limited);
    expect(flood(small, BEGUN + MINUTE_MS, MINUTE_MS, () => limited).length).toBeLessThanOrEqual(30);
    const big = createPace(BEGUN);
    flood(big, BEGUN, MINUTE_MS, () => ({ ...fine, limit: 2_000, remaining: 1_900 }));
    expect(big.state().callsPerMinute).toBe(150);
  });

  test('slows down when little is left of the limit, and never stops for it', () => {
    const pace = createPace(BEGUN);
    pace.take(BEGUN);
    pace.settle({ ...fine, limit: 600, remaining: 60 }, BEGUN, 0);
    expect(pace.state().callsPerMinute).toBe(75);
    pace.take(BEGUN);
    pace.settle({ ...fine, limit: 600, remaining: 0 }, BEGUN, 0);
    expect(pace.state().callsPerMinute).toBe(15);
  });

  test('has at most four answers outstanding', () => {
    const pace = createPace(BEGUN);
    let now = BEGUN;
    for (let call = 0; call < 4; call++) {
      now += 10 * SECOND_MS;
      expect(pace.take(now)).toBe(0);
    }
    expect(pace.take(now + MINUTE_MS)).toBe(Infinity);
    pace.giveBack();
    expect(pace.take(now + MINUTE_MS)).toBe(0);
  });

  test('waits as long as GitLab asks, a little longer by chance', () => {
    const pace = createPace(BEGUN);
    pace.take(BEGUN);
    pace.settle({ ...fine, outcome: 'throttled', retryAt: BEGUN + 100 * SECOND_MS }, BEGUN, 1);
    expect(pace.take(BEGUN + 99 * SECOND_MS)).toBeGreaterThan(0);
    expect(Math.round(pace.state().pausedUntil / SECOND_MS)).toBe(BEGUN / SECOND_MS + 110);
  });

  test('waits a minute after a refusal that does not say how long', () => {
    const pace = createPace(BEGUN);
    pace.take(BEGUN);
    pace.settle({ ...fine, outcome: 'throttled' }, BEGUN, 0);
    expect(pace.state().pausedUntil).toBe(BEGUN + MINUTE_MS);
  });

  test('does not believe a pause of days, nor one that lies behind', () => {
    const pace = createPace(BEGUN);
    pace.take(BEGUN);
    pace.settle({ ...fine, outcome: 'throttled', retryAt: BEGUN + 90 * 24 * 60 * MINUTE_MS }, BEGUN, 0);
    expect(pace.state().pausedUntil).toBe(BEGUN + 30 * MINUTE_MS);
    const other = createPace(BEGUN);
    other.take(BEGUN);
    other.settle({ ...fine, outcome: 'throttled', retryAt: BEGUN - 5 }, BEGUN, 0);
    expect(other.state().pausedUntil).toBe(BEGUN + MINUTE_MS);
  });

  test('waits 1 s after a failure, doubling up to a minute', () => {
    expect([1, 2, 3, 6, 7, 50].map((failures) => pauseAfter(failures, 1))).toEqual([
      1_000, 2_000, 4_000, 32_000, 60_000, 60_000,
    ]);
    expect(pauseAfter(1, 0)).toBe(800);
  });

  test('feels its way with single calls through an outage of 30 min and makes no burst at its end', () => {
    const pace = createPace(BEGUN);
    const back = BEGUN + 30 * MINUTE_MS;
    const down = flood(pace, BEGUN, 30 * MINUTE_MS, () => ({ ...fine, outcome: 'failed' }));
    expect(down.length).toBeLessThanOrEqual(45);
    const after = flood(pace, back, 5 * MINUTE_MS, () => fine);
    for (const at of after) {
      const inSecond = after.filter((other) => other > at - SECOND_MS && other <= at).length;
      const inMinute = after.filter((other) => other > at - MINUTE_MS && other <= at).length;
      expect(inSecond).toBeLessThanOrEqual(5);
      expect(inMinute).toBeLessThanOrEqual(150);
    }
    expect(pace.state().failures).toBe(0);
  });

  test('goes on when the clock is set back', () => {
    const pace = createPace(BEGUN);
    flood(pace, BEGUN, SECOND_MS, () => fine);
    expect(flood(pace, BEGUN - 60 * MINUTE_MS, MINUTE_MS, () => fine).length).toBeGreaterThan(100);
  });
});
