import { describe, expect, test } from 'vitest';
import type { IdlePolicy, Schedule } from '../../../../src/domain/config.ts';
import { advise } from '../../../../src/simulator/report/advise.ts';
import { estimate } from '../../../../src/simulator/report/estimate.ts';
import { dailyBatches, officeHours } from '../../../../src/simulator/report/find-periods.ts';
import { makeWorkload } from '../../../../src/simulator/report/workloads.ts';

const MONDAY = Date.UTC(2026, 10, 23);
const DAY_MS = 86_400_000;
const week = makeWorkload('week:60/h', { startAt: MONDAY, days: 7, seed: 1 });

function holding(policy: Partial<IdlePolicy>): Schedule {
  const none = { idleCount: 0, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 60_000 };
  return { base: { ...none, ...policy }, periods: [] };
}

const frame = { startAt: MONDAY, endMs: 7 * DAY_MS, comesAfterMs: 43_500, handOverMs: 1_700, limit: 0 };
const job = (atMs: number, durationMs = 60_000) => ({ atMs, durationMs, tags: [] });

describe('an estimate', () => {
  test('lets a job wait for one boot where nothing idles', () => {
    const { wait, machines } = estimate({
      ...frame,
      arrivals: [job(0)],
      schedule: holding({}),
      endMs: 600_000,
    });
    expect(wait.max).toBe(45.2);
    expect(machines).toBe(1);
  });

  test('serves as many at once as idle, and the others a boot later', () => {
    const arrivals = [job(100_000), job(100_000), job(100_000)];
    const { wait } = estimate({ ...frame, arrivals, schedule: holding({ idleCount: 2 }), endMs: 600_000 });
    expect([wait.p50, wait.max]).toEqual([1.7, 45.2]);
  });

  test('gives a machine to the next job before it idles out', () => {
    const arrivals = [job(0), job(120_000)];
    const { machines, wait } = estimate({
      ...frame,
      arrivals,
      schedule: holding({ idleTimeMs: 60_000 }),
      endMs: 600_000,
    });
    expect(machines).toBe(1);
    expect(wait.p50).toBe(1.7);
  });

  test('never has more machines than limit', () => {
    const arrivals = Array.from({ length: 10 }, () => job(0));
    const { machines, wait } = estimate({
      ...frame,
      arrivals,
      schedule: holding({}),
      limit: 2,
      endMs: 3_600_000,
    });
    expect(machines).toBe(2);
    expect(wait.max).toBeGreaterThan(250);
  });

  test('idles more and waits less with a greater count', () => {
    const all = [0, 4, 8, 16].map((idleCount) =>
      estimate({ ...frame, arrivals: week, schedule: holding({ idleCount }) }),
    );
    expect(all.map(({ idleHours }) => idleHours)).toEqual(
      all.map(({ idleHours }) => idleHours).toSorted((a, b) => a - b),
    );
    expect(all.map(({ wait }) => wait.p95)).toEqual(
      all.map(({ wait }) => wait.p95).toSorted((a, b) => b - a),
    );
  });
});

describe('a recorded week', () => {
  test('shows its office hours', () => {
    expect(officeHours(week, MONDAY, 7)).toMatchObject({
      from: expect.toSatisfy((hour: number) => hour >= 6 && hour <= 8),
    });
    expect(officeHours(week, MONDAY, 2)).toBeNull();
  });

  test('shows the batch that comes every night', () => {
    expect(dailyBatches(week, MONDAY, 7)).toEqual([{ minuteOfDay: 120, jobs: 30 }]);
  });

  test('gets an advice that keeps the wait, and a longer wait that costs no more', () => {
    const { best, curve } = advise({
      arrivals: week,
      startAt: MONDAY,
      days: 7,
      bootMs: 40_000,
      waitP95S: 20,
      limit: 60,
    });
    expect(best?.estimate.wait.p95).toBeLessThanOrEqual(20);
    const idle = curve.flatMap(({ advice }) => (advice === null ? [] : [advice.estimate.idleHours]));
    expect(idle).toEqual(idle.toSorted((a, b) => b - a));
  });

  test('gets none where limit is too low for any', () => {
    const { best } = advise({
      arrivals: week,
      startAt: MONDAY,
      days: 7,
      bootMs: 40_000,
      waitP95S: 5,
      limit: 1,
    });
    expect(best).toBeNull();
  });
});
