import { describe, expect, test } from 'vitest';
import { type Arrival, makeWorkload } from '../../../src/sim/workload.ts';

const MONDAY = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;
const frame = { startAt: MONDAY, days: 7, seed: 1 };
const make = (text: string, more: Partial<typeof frame> = {}) => makeWorkload(text, { ...frame, ...more });

/** Jobs that come in that hour of a day, from 0 = the Monday. */
const inHour = (jobs: readonly Arrival[], day: number, hour: number): number =>
  jobs.filter(({ atMs }) => Math.floor(atMs / HOUR) === day * 24 + hour).length;

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

describe('a workload', () => {
  test('is the same for the same seed and another for another', () => {
    expect(make('week')).toEqual(make('week'));
    expect(make('week')).not.toEqual(make('week', { seed: 2 }));
  });

  test('begins with its oldest job', () => {
    const times = make('poisson:30/h+burst:10@600').map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('keeps the jobs of one source when another is added', () => {
    const alone = make('poisson:30/h');
    const both = make('poisson:30/h+burst:10@0,1m,sigma=0');
    expect(both.filter(({ durationMs, atMs }) => !(atMs === 0 && durationMs === 60_000))).toEqual(alone);
  });

  test('takes a burst at a moment, all of one duration when sigma is 0', () => {
    const jobs = make('burst:200@90,2s,sigma=0,tags=docker;linux');
    expect(jobs).toHaveLength(200);
    expect(jobs[7]).toEqual({ atMs: 90_000, durationMs: 2_000, tags: ['docker', 'linux'] });
  });

  test.each([
    ['burst:5@2m', 120_000],
    ['burst:5@1h', HOUR],
    ['burst:5', 0],
  ])('reads the moment of %s', (text, atMs) => {
    expect(make(text)[0]?.atMs).toBe(atMs);
  });

  test('spreads a steady stream over its days at its rate', () => {
    const jobs = make('poisson:60/h');
    expect(Math.abs(jobs.length - 60 * 24 * 7)).toBeLessThan(300);
    expect(jobs.at(-1)?.atMs).toBeLessThan(7 * 24 * HOUR);
  });

  test('draws durations around their median, none beyond an hour', () => {
    const jobs = make('poisson:600/h,4m');
    const durations = jobs.map(({ durationMs }) => durationMs);
    expect(Math.abs(median(durations) - 240_000)).toBeLessThan(8_000);
    expect(Math.max(...durations)).toBeLessThanOrEqual(3_000_000);
    expect(Math.min(...durations)).toBeGreaterThanOrEqual(1_000);
  });

  test('has fewer jobs at lunch than before and after, next to none at night, a batch at two', () => {
    const jobs = make('week:1000/h');
    const [morning, lunch, afternoon] = [10, 12, 14].map((hour) => inHour(jobs, 1, hour));
    expect(morning).toBeGreaterThan(800);
    expect(lunch).toBeLessThan(0.8 * (morning ?? 0));
    expect(afternoon).toBeGreaterThan(800);
    expect(inHour(jobs, 1, 4)).toBeLessThan(60);
    expect(inHour(jobs, 1, 2)).toBeGreaterThan(500);
    expect(inHour(jobs, 6, 2)).toBeGreaterThanOrEqual(500);
    expect(inHour(jobs, 5, 11)).toBeLessThan(100);
  });

  describe('of pipelines with stages', () => {
    const jobs = make('week:400/h', { days: 3 });
    const pipelines = [...Map.groupBy(jobs, ({ place }) => place?.pipeline).values()];
    const stagesOf = (some: readonly Arrival[]) => [...new Set(some.map(({ place }) => place?.stageName))];

    test('has five jobs a pipeline in the mean, as without stages', () => {
      expect(Math.abs(jobs.length / pipelines.length - 5)).toBeLessThan(0.4);
      expect(Math.abs(jobs.length / make('week:400/h,stages=1', { days: 3 }).length - 1)).toBeLessThan(0.1);
    });

    test('builds before it tests and deploys last; a single job tests', () => {
      for (const some of pipelines) {
        const order = some.map(({ place }) => place?.stage ?? -1);
        expect(order).toEqual(order.toSorted((a, b) => a - b));
        expect(new Set(some.map(({ atMs }) => atMs)).size).toBe(1);
        if (some.length === 1) expect(stagesOf(some)).toEqual(['test']);
        if (some.length >= 3) expect(stagesOf(some)).toEqual(['build', 'test', 'deploy']);
      }
    });

    test('repeats names in a project, each with a length of its own', () => {
      const byName = [...Map.groupBy(jobs, ({ project, name }) => `${project} ${name}`).values()];
      const often = byName.filter(
        (some) => some.length >= 30 && !(some[0]?.name ?? '').startsWith('nightly'),
      );
      expect(often.length).toBeGreaterThan(20);
      const logs = often.map((some) => some.map(({ durationMs }) => Math.log(durationMs)));
      const spread = (of: readonly number[]) => {
        const mean = of.reduce((sum, one) => sum + one, 0) / of.length;
        return Math.sqrt(of.reduce((sum, one) => sum + (one - mean) ** 2, 0) / of.length);
      };
      const within = logs.map(spread).reduce((sum, one) => sum + one, 0) / logs.length;
      expect(within).toBeGreaterThan(0.2);
      expect(within).toBeLessThan(0.4);
      expect(spread(logs.flat())).toBeGreaterThan(0.7);
    });

    test('lets as many jobs fail as it says', () => {
      const failed = jobs.filter(({ fails }) => fails === true).length;
      expect(Math.abs(failed / jobs.length - 0.02)).toBeLessThan(0.006);
      expect(make('week,fail=0').some(({ fails }) => fails === true)).toBe(false);
    });

    test('may be two stages, or none', () => {
      expect(make('week,stages=2').some(({ place }) => place?.stageName === 'deploy')).toBe(false);
      expect(make('week,stages=1').every(({ place }) => place === undefined)).toBe(true);
    });
  });

  test('goes by the clock wherever it begins', () => {
    const jobs = make('week:1000/h', { startAt: MONDAY + 12 * HOUR, days: 1 });
    expect(inHour(jobs, 0, 2)).toBeGreaterThan(800);
    expect(inHour(jobs, 0, 14)).toBeGreaterThan(500);
  });

  test.each([
    'burst',
    'burst:x@0',
    'burst:10@soon',
    'poisson:0/h',
    'poisson:60',
    'poisson:9999999/h',
    'week:many',
    'month',
    '',
    'burst:1@0,fast',
    'burst:1@0,sigma=-1',
    'week,stages=4',
    'burst:1@0,stages=2',
    'week,fail=2',
  ])('refuses %j in one line that says what can be written', (text) => {
    expect(() => make(text, { days: 30 })).toThrow(
      /^workload "[^\n]*write burst:200@0, poisson:60\/h or week[^\n]*$/,
    );
  });
});
