// What is usual at an hour of the week, learned from weeks with holidays and gaps.
import { describe, expect, test } from 'vitest';
import { HOUR_MS } from '../../../src/domain/units.ts';
import {
  expectedAt as expectedFor,
  forecastFrom,
  parseHistory,
  QUARTER_MS,
  type RushHistory,
  recordRush,
} from '../../../src/queue/forecast.ts';

/** With half of the quarters met, as a median. */
const expectedAt = (history: RushHistory, at: number, share = 0.5) => expectedFor(history, at, share);
const WEEK = 7 * 24 * HOUR_MS;
/** A Monday, 09:00 UTC. */
const MONDAY = Date.UTC(2026, 8, 7, 9);

function learned(peaks: readonly (number | null)[], at = MONDAY): RushHistory {
  const history: RushHistory = {};
  for (const [index, peak] of peaks.entries())
    if (peak !== null) recordRush(history, at + index * WEEK, peak);
  return history;
}

describe('the forecast', () => {
  test('meets the rush of as many quarters as it is asked to', () => {
    const history = learned([20, 24, 22, 30, 28]);
    expect([0.6, 0.8, 1].map((share) => expectedAt(history, MONDAY + 5 * WEEK, share))).toEqual([24, 28, 30]);
  });

  test('counts the quarters around, so that a pipeline that came later by chance is not missed', () => {
    const history = learned([0, 0]);
    for (const week of [0, 1])
      for (const by of [-2, -1, 1, 2]) recordRush(history, MONDAY + week * WEEK + by * QUARTER_MS, 8);
    expect(expectedAt(history, MONDAY + 2 * WEEK)).toBe(8);
  });

  test('awaits a batch of every week at its quarter of an hour, and no more of it once it has come', () => {
    const history = learned([25, 24, 25]);
    for (const week of [0, 1, 2])
      for (const by of [-2, -1, 1, 2]) recordRush(history, MONDAY + week * WEEK + by * QUARTER_MS, 3);
    const now = MONDAY + 3 * WEEK;
    expect(expectedAt(history, now, 0.8)).toBe(25);
    recordRush(history, now, 4);
    expect(expectedAt(history, now, 0.8)).toBe(25);
    recordRush(history, now, 26);
    expect(expectedAt(history, now, 0.5)).toBe(3);
  });

  test('is the median of the same quarter of an hour in past weeks', () => {
    expect(expectedAt(learned([20, 24, 22]), MONDAY + 3 * WEEK)).toBe(22);
  });

  test('is not moved by a holiday or by one rush', () => {
    expect(expectedAt(learned([20, 0, 22, 21, 23]), MONDAY + 5 * WEEK)).toBe(21);
    expect(expectedAt(learned([20, 900, 22, 21, 23]), MONDAY + 5 * WEEK)).toBe(22);
  });

  test('follows a lasting change, within six weeks', () => {
    const peaks = [5, 5, 5, 5, 5, 5, 30, 30, 30, 30];
    expect(expectedAt(learned(peaks), MONDAY + 10 * WEEK)).toBe(30);
  });

  test('says nothing before two weeks are known, and nothing of a quarter that it did not see', () => {
    expect(expectedAt(learned([20]), MONDAY + WEEK)).toBeNull();
    expect(expectedAt(learned([20, 20]), MONDAY + 2 * WEEK + QUARTER_MS)).toBeNull();
    expect(expectedAt(learned([20, 20]), MONDAY + 20 * WEEK)).toBeNull();
  });

  test('does not count the week that is going on', () => {
    const history = learned([20, 20]);
    recordRush(history, MONDAY + 2 * WEEK, 500);
    expect(expectedAt(history, MONDAY + 2 * WEEK)).toBe(20);
  });

  test('keeps the peak of a quarter, whatever comes after it', () => {
    const history: RushHistory = {};
    for (const week of [0, 1]) {
      for (const jobs of [3, 9, 4]) recordRush(history, MONDAY + week * WEEK + jobs, jobs);
    }
    expect(expectedAt(history, MONDAY + 2 * WEEK)).toBe(9);
  });

  test('looks some quarters ahead', () => {
    const history = learned([10, 10]);
    for (const week of [0, 1]) recordRush(history, MONDAY + week * WEEK + QUARTER_MS, 30);
    expect(forecastFrom(history, MONDAY + 2 * WEEK + 60_000, 1)).toEqual([
      { from: MONDAY + 2 * WEEK, jobs: 30 },
      { from: MONDAY + 2 * WEEK + QUARTER_MS, jobs: 30 },
    ]);
    expect(forecastFrom({}, MONDAY, 1)).toEqual([]);
  });

  test('is stored within bounds and read back, and anything else is no history', () => {
    const history: RushHistory = {};
    for (let at = MONDAY; at < MONDAY + 12 * WEEK; at += QUARTER_MS) recordRush(history, at, 1_000);
    const text = JSON.stringify(history);
    expect(text.length).toBeLessThan(70_000);
    expect(parseHistory(text)).toEqual(history);
    for (const odd of ['', '{', '[]', 'null', '7', '{"9999":[[1,2]]}', '{"x":[[1,2]]}', '{"3":7}'])
      expect(parseHistory(odd)).toEqual({});
    expect(parseHistory('{"3":[[1,2],[1],"x",[1,-1],[5,6]]}')).toEqual({
      3: [
        [1, 2],
        [5, 6],
      ],
    });
  });
});
