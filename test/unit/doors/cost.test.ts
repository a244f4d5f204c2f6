// `hostler cost`: what it takes as a time, and what it prints.
import { describe, expect, test } from 'vitest';
import type { CostReply } from '../../../src/contract/api.ts';
import { csvOf, readSince } from '../../../src/doors/cli/cost.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const row = {
  key: 'g/p',
  url: null,
  usd: 1.25,
  on_demand_usd: 4,
  saved_usd: 2.75,
  hours: 10,
  job_hours: 9,
  unpriced_hours: 0,
  idle_share: 0.1,
  machines: 2,
  jobs: 3,
};
const reply = (key: string): CostReply => ({
  by: 'project',
  since: '2026-11-16T12:00:00.000Z',
  until: '2026-11-23T12:00:00.000Z',
  rows: [{ ...row, key }],
  total: { ...row, key: 'total' },
});

describe('--since', () => {
  test('takes a length of time or a moment', () => {
    expect(readSince('7d', NOW)).toBe(NOW - 7 * 24 * 3_600_000);
    expect(readSince('12h', NOW)).toBe(NOW - 12 * 3_600_000);
    expect(readSince('2026-11-20T00:00:00Z', NOW)).toBe(Date.UTC(2026, 10, 20));
  });
  test('refuses anything else in words', () => {
    expect(() => readSince('lately', NOW)).toThrow(/such as 7d or 12h/);
  });
});

describe('CSV', () => {
  test('has one line of names and one a row', () => {
    expect(csvOf(reply('g/p'))).toBe(
      'key,url,usd,on_demand_usd,saved_usd,hours,job_hours,unpriced_hours,idle_share,machines,jobs\r\ng/p,,1.25,4,2.75,10,9,0,0.1,2,3\r\n',
    );
  });
  test('gives a spreadsheet nothing to run or to take apart', () => {
    expect(csvOf(reply('=1+1,"x"'))).toContain('\n"\'=1+1,""x""",');
  });
});
