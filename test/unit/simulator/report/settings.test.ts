import { describe, expect, test } from 'vitest';
import { readExample } from '../../../../src/simulator/report/example-config.ts';
import { readSettings, withSettings } from '../../../../src/simulator/report/settings.ts';

describe('settings to try', () => {
  test('are one point that changes nothing when none is given', () => {
    expect(readSettings([])).toEqual([{}]);
  });

  test('are each value with each other value', () => {
    expect(readSettings(['IdleCount=0..20:10', 'limit=5,6'])).toEqual([
      { IdleCount: '0', limit: '5' },
      { IdleCount: '0', limit: '6' },
      { IdleCount: '10', limit: '5' },
      { IdleCount: '10', limit: '6' },
      { IdleCount: '20', limit: '5' },
      { IdleCount: '20', limit: '6' },
    ]);
  });

  test('may step by fractions where the key is a factor', () => {
    expect(readSettings(['IdleScaleFactor=0.1..0.3:0.1']).map((point) => point['IdleScaleFactor'])).toEqual([
      '0.1',
      '0.2',
      '0.3',
    ]);
  });

  test('take a key whatever its case', () => {
    expect(readSettings(['idlecount=3', 'LIMIT=7', 'autoscaling.1.idletime=60'])).toEqual([
      { IdleCount: '3', limit: '7', 'autoscaling.1.IdleTime': '60' },
    ]);
  });

  test.each([
    'IdleCount',
    '=3',
    'IdleCount=',
    'IdleCount=x',
    'IdleCount=1.5',
    'IdleCount=5..1',
    'IdleCount=1..5:0',
    'IdleCount=-1',
    'Idle=3',
    'autoscaling=3',
    'autoscaling.0.limit=3',
    'toString=1',
    `limit=${'9'.repeat(300)}`,
  ])('refuse %s in one line that names what would be right', (text) => {
    expect(() => readSettings([text])).toThrow(expect.objectContaining({ code: 'usage' }));
    try {
      readSettings([text]);
    } catch (error) {
      expect((error as Error).message).toMatch(/^--set .{1,400}$/);
    }
  });

  test('are refused when there are too many', () => {
    expect(() => readSettings(['IdleCount=0..100', 'limit=0..100'])).toThrow(/more than 500/);
  });
});

describe('a configuration with settings', () => {
  test('has the value in the base of both schedules, and in no section', async () => {
    const config = await readExample();
    const [pool] = withSettings(config, { IdleCount: '3', IdleTime: '90' }).pools;
    expect(pool?.ownSchedule.base).toMatchObject({ idleCount: 3, idleTimeMs: 90_000 });
    expect(pool?.runnerSchedule.base).toMatchObject({ idleCount: 3, idleTimeMs: 90_000 });
    expect(pool?.ownSchedule.periods).toEqual(config.pools[0]?.ownSchedule.periods);
  });

  test('has the value of a section in that section alone', async () => {
    const [pool] = withSettings(await readExample(), { 'autoscaling.0.IdleCount': '2' }).pools;
    expect(pool?.ownSchedule.periods.map(({ idleCount }) => idleCount)).toEqual([2, 60]);
  });

  test('has no sections with autoscaling=none', async () => {
    const [pool] = withSettings(await readExample(), { autoscaling: 'none' }).pools;
    expect(pool?.ownSchedule.periods).toEqual([]);
    expect(pool?.runnerSchedule.periods).toEqual([]);
  });

  test('has the bounds that were set', async () => {
    const config = withSettings(await readExample(), {
      concurrent: '250',
      limit: '20',
      MaxBuilds: '1',
      MaxGrowthRate: '4',
    });
    expect(config.concurrent).toBe(250);
    expect(config.pools[0]).toMatchObject({ limit: 20, maxBuilds: 1, maxComing: 4 });
  });

  test('names the sections there are when one is not there', async () => {
    const config = await readExample();
    expect(() => withSettings(config, { 'autoscaling.2.IdleCount': '1' })).toThrow(
      /no pool has 3 autoscaling sections/,
    );
  });
});
