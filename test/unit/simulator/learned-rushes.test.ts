// The history that a forecast has of weeks before, made of jobs alone.
import { describe, expect, test } from 'vitest';
import { expectedAt } from '../../../src/queue/forecast.ts';
import type { Arrival } from '../../../src/sim/workload.ts';
import { learnedRushes } from '../../../src/simulator/run/learned-rushes.ts';

const DAY_MS = 86_400_000;
const startAt = Date.UTC(2026, 10, 9);
const TEN = 10 * 3_600_000;

/** Of two weeks: what is expected on the next Monday at ten. */
function expected(jobs: readonly Arrival[], lookahead: boolean): number | null {
  const weeks = [0, 7 * DAY_MS].flatMap((by) =>
    jobs.map((job) => ({
      ...job,
      atMs: job.atMs + by,
      ...(job.place && { place: { ...job.place, pipeline: `${job.place.pipeline} ${by}` } }),
    })),
  );
  const lengthMs = 14 * DAY_MS;
  const past = { arrivals: weeks, startAt, lengthMs, bootMs: 40_000, lookahead, reuses: true };
  return expectedAt(learnedRushes(past), startAt + lengthMs + TEN, 1);
}

const job = (stage: number, durationMs = 120_000): Arrival => ({
  atMs: TEN + 60_000,
  durationMs,
  tags: [],
  place: { pipeline: 'p', stage, stageName: `${stage}` },
});

describe('weeks that were learned', () => {
  test('know the jobs that came at once', () => {
    const burst = Array.from({ length: 7 }, () => ({ atMs: TEN + 60_000, durationMs: 60_000, tags: [] }));
    expect(expected(burst, false)).toBe(7);
    expect(expected([], false)).toBe(0);
  });

  test('know a large later stage, and with look-ahead nothing of it', () => {
    const pipeline = [job(0), ...Array.from({ length: 6 }, () => job(1))];
    expect(expected(pipeline, false)).toBe(5);
    expect(expected(pipeline, true)).toBe(1);
  });
});
