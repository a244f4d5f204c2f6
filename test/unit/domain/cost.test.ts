// Reports over the ledger of costs, and what a stretch of a machine's life costs.
import { describe, expect, test } from 'vitest';
import {
  type CostEntry,
  type CostJob,
  costOfStretch,
  NO_JOB,
  reportCosts,
} from '../../../src/domain/cost.ts';
import { HOUR_MS, SECOND_MS } from '../../../src/domain/units.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const offering = { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' } as const;
const job = (id: string, project = 'g/p'): CostJob => ({
  id,
  url: `https://gitlab.example/${project}/-/jobs/${id}`,
  project: '7',
  pipeline: '99',
});
const entry = (over: Partial<CostEntry> = {}): CostEntry => ({
  from: NOON,
  until: NOON + HOUR_MS,
  pool: 'one',
  machine: 'm-1',
  lease: null,
  use: 'idle',
  job: null,
  offering,
  usd: 0.04,
  onDemandUsd: 0.1,
  ...over,
});

describe('a report', () => {
  const entries = [
    entry({ use: 'job', job: job('1'), usd: 0.3 }),
    entry({ use: 'job', job: job('2'), machine: 'm-2' }),
    entry({ use: 'job', job: job('3', 'g/other') }),
    entry(),
    entry({ use: 'job', job: job('4'), usd: null }),
  ];

  test('sums by project, the dearest first, with what no job used', () => {
    const { rows, total } = reportCosts(entries, 'project');
    expect(rows.map(({ key, usd }) => [key, Number(usd.toFixed(4))])).toEqual([
      ['g/p', 0.34],
      [NO_JOB, 0.04],
      ['g/other', 0.04],
    ]);
    expect(rows[0]).toMatchObject({
      jobs: 3,
      machines: 2,
      hours: 3,
      jobHours: 3,
      unpricedHours: 1,
      idleShare: 0,
    });
    expect(total).toMatchObject({ hours: 5, unpricedHours: 1, jobs: 4, url: null });
    expect(total.idleShare).toBeCloseTo(0.2);
  });

  test('counts what was saved only where both prices are known', () => {
    const rows = reportCosts([entry(), entry({ onDemandUsd: null }), entry({ usd: null })], 'pool').rows;
    expect(rows[0]?.savedUsd).toBeCloseTo(0.06);
  });

  test('gives each job its own row with its address, and pipelines and days theirs', () => {
    expect(reportCosts(entries, 'job').rows[0]).toMatchObject({
      key: '1',
      url: 'https://gitlab.example/g/p/-/jobs/1',
    });
    expect(reportCosts(entries, 'pipeline').rows[0]?.key).toBe('g/p 99');
    const days = [entry({ from: NOON + 24 * HOUR_MS, until: NOON + 25 * HOUR_MS }), entry()];
    expect(reportCosts(days, 'day').rows.map(({ key }) => key)).toEqual(['2026-11-23', '2026-11-24']);
  });

  test('names a project by its number when its path is unknown', () => {
    const nameless = entry({ use: 'job', job: { id: '5', url: null, project: '7', pipeline: null } });
    expect(reportCosts([nameless], 'project').rows[0]?.key).toBe('project 7');
    expect(reportCosts([nameless], 'pipeline').rows[0]?.key).toBe('project 7 (unknown pipeline)');
  });

  test('of nothing is nothing', () => {
    expect(reportCosts([], 'day')).toMatchObject({ rows: [], total: { usd: 0, hours: 0, idleShare: 0 } });
  });
});

describe('a stretch', () => {
  const stretch = { ms: 30 * SECOND_MS, lived: 30 * SECOND_MS, isLast: true };
  test('of a machine that ends within a minute costs the minute that EC2 bills', () => {
    expect(costOfStretch(0.6, stretch)).toBeCloseTo(0.01);
    expect(costOfStretch(0.6, { ...stretch, isLast: false })).toBeCloseTo(0.005);
    expect(costOfStretch(0.6, { ...stretch, lived: HOUR_MS })).toBeCloseTo(0.005);
  });
  test('without a known price costs nobody knows what', () => {
    expect(costOfStretch(null, stretch)).toBeNull();
  });
});
