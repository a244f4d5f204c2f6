import { describe, expect, test } from 'vitest';
import type { IdlePolicy, Period, Schedule } from '../../../src/domain/config.ts';
import {
  lineProblem,
  nextChangeAt,
  nextChanges,
  policiesWithin,
  policyAt,
} from '../../../src/planner/schedule.ts';

function policy(idleCount: number, idleTimeMs = 0): IdlePolicy {
  return { idleCount, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs };
}

function period(cron: string | string[], idleCount: number, timezone = 'UTC'): Period {
  const lines = typeof cron === 'string' ? [cron] : cron;
  return { ...policy(idleCount), cron: lines, written: lines, timezone };
}

function schedule(...periods: Period[]): Schedule {
  return { base: policy(0), periods };
}

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
const idle = (from: Schedule, text: string): number => policyAt(from, at(text)).policy.idleCount;

/** Every change from `from` to `to`, as text. */
function changes(from: Schedule, start: string, end: string): string[] {
  return nextChanges(from, at(start), 50)
    .filter((change) => change.at < at(end))
    .map((change) => `${iso(change.at)} ${change.policy.idleCount}`);
}

const office = '* * 9-17 * * 1-5 *';

describe('which period is in force', () => {
  test('base values count outside all periods', () => {
    expect(policyAt(schedule(period(office, 10)), at('2026-11-23T08:59:59Z'))).toEqual({
      policy: policy(0),
      period: null,
    });
  });

  test('the last section that holds wins, whatever the others say', () => {
    const both = schedule(period(office, 10), period('* * 12 * * * *', 3));
    expect(policyAt(both, at('2026-11-23T12:30:00Z')).period).toBe(1);
    expect(policyAt(both, at('2026-11-23T11:30:00Z')).period).toBe(0);
  });

  test('one of several lines is enough', () => {
    const lines = schedule(period(['* * 6 * * * *', '* * 20 * * * *'], 4));
    expect([idle(lines, '2026-11-23T06:10:00Z'), idle(lines, '2026-11-23T20:10:00Z')]).toEqual([4, 4]);
    expect(idle(lines, '2026-11-23T07:10:00Z')).toBe(0);
  });

  test('the last second of a period belongs to it, and milliseconds are cut', () => {
    const day = schedule(period(office, 10));
    expect(idle(day, '2026-11-23T17:59:59.999Z')).toBe(10);
    expect(idle(day, '2026-11-23T18:00:00.000Z')).toBe(0);
    expect(iso(nextChangeAt(day, at('2026-11-23T17:59:59.500Z')))).toBe('2026-11-23T18:00:00.000Z');
  });

  test('a period without lines never holds', () => {
    expect(nextChangeAt(schedule(period([], 5)), at('2026-11-23T00:00:00Z'))).toBeNull();
  });
});

describe('the next change', () => {
  test('skips over edges that change nothing', () => {
    const nested = schedule(
      period('* * * * * * *', 5),
      period('* * 12 * * * *', 5),
      period('* * 20 * * * *', 7),
    );
    expect(iso(nextChangeAt(nested, at('2026-11-23T10:00:00Z')))).toBe('2026-11-23T20:00:00.000Z');
  });

  test('is none for a section that always holds and hides all before it', () => {
    const hidden = schedule(period('*/7 * * * * * *', 5), period('* * * * * * *', 1));
    expect(nextChangeAt(hidden, at('2026-11-23T10:00:00Z'))).toBeNull();
  });

  test('is none when nothing differs but the name of the period', () => {
    expect(nextChangeAt(schedule(period(office, 0)), at('2026-11-23T10:00:00Z'))).toBeNull();
  });

  test('is found over months and years', () => {
    const rare = schedule(period('* * * 29 2 * *', 3));
    expect(iso(nextChangeAt(rare, at('2026-11-23T10:00:00Z')))).toBe('2028-02-29T00:00:00.000Z');
    const years = schedule(period('* * * * * * 2026-2028', 3));
    expect(iso(nextChangeAt(years, at('2026-11-23T10:00:00Z')))).toBe('2029-01-01T00:00:00.000Z');
  });

  test('goes second by second only where a line does', () => {
    const blink = schedule(period('30-39 * * * * * *', 1));
    expect(changes(blink, '2026-11-23T10:00:00Z', '2026-11-23T10:02:00Z')).toEqual([
      '2026-11-23T10:00:30.000Z 1',
      '2026-11-23T10:00:40.000Z 0',
      '2026-11-23T10:01:30.000Z 1',
      '2026-11-23T10:01:40.000Z 0',
    ]);
  });

  test('is the same answer at every moment before it', () => {
    const day = schedule(period(office, 10));
    const answers = ['2026-11-23T18:00:00Z', '2026-11-23T23:00:00Z', '2026-11-24T08:59:59Z'].map((text) =>
      iso(nextChangeAt(day, at(text))),
    );
    expect(new Set(answers)).toEqual(new Set(['2026-11-24T09:00:00.000Z']));
  });

  test('an earlier moment is asked anew after a later one', () => {
    const day = schedule(period(office, 10));
    nextChangeAt(day, at('2026-11-24T19:00:00Z'));
    expect(iso(nextChangeAt(day, at('2026-11-23T19:00:00Z')))).toBe('2026-11-24T09:00:00.000Z');
  });

  test('a week of working days and week-ends changes at midnight and at office hours', () => {
    const seeds = schedule(period(office, 50), period('* * * * * 6,0 *', 5));
    expect(changes(seeds, '2026-11-27T17:00:00Z', '2026-11-30T10:00:00Z')).toEqual([
      '2026-11-27T18:00:00.000Z 0',
      '2026-11-28T00:00:00.000Z 5',
      '2026-11-30T00:00:00.000Z 0',
      '2026-11-30T09:00:00.000Z 50',
    ]);
  });
});

describe('clock changes', () => {
  test('Tokyo has none: nine o’clock is midnight UTC all year', () => {
    const tokyo = schedule(period(office, 10, 'Asia/Tokyo'));
    expect(changes(tokyo, '2026-03-27T12:00:00Z', '2026-03-31T00:00:00Z')).toEqual([
      '2026-03-30T00:00:00.000Z 10',
      '2026-03-30T09:00:00.000Z 0',
    ]);
    expect(changes(tokyo, '2026-10-26T12:00:00Z', '2026-10-27T10:00:00Z')).toEqual([
      '2026-10-27T00:00:00.000Z 10',
      '2026-10-27T09:00:00.000Z 0',
    ]);
  });

  test('Berlin keeps its office hours in spring and autumn', () => {
    const berlin = schedule(period('* * 9-17 * * * *', 10, 'Europe/Berlin'));
    expect(changes(berlin, '2026-03-28T07:00:00Z', '2026-03-29T20:00:00Z')).toEqual([
      '2026-03-28T08:00:00.000Z 10',
      '2026-03-28T17:00:00.000Z 0',
      '2026-03-29T07:00:00.000Z 10',
      '2026-03-29T16:00:00.000Z 0',
    ]);
    expect(changes(berlin, '2026-10-24T06:00:00Z', '2026-10-25T20:00:00Z')).toEqual([
      '2026-10-24T07:00:00.000Z 10',
      '2026-10-24T16:00:00.000Z 0',
      '2026-10-25T08:00:00.000Z 10',
      '2026-10-25T17:00:00.000Z 0',
    ]);
  });

  test('the hour that spring leaves out in Berlin holds nothing', () => {
    const two = schedule(period('* * 2 * * * *', 10, 'Europe/Berlin'));
    expect(changes(two, '2026-03-28T12:00:00Z', '2026-03-30T12:00:00Z')).toEqual([
      '2026-03-30T00:00:00.000Z 10',
      '2026-03-30T01:00:00.000Z 0',
    ]);
  });

  test('the hour that autumn repeats in Berlin holds twice, without a gap', () => {
    const two = schedule(period('* * 2 * * * *', 10, 'Europe/Berlin'));
    expect(changes(two, '2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z')).toEqual([
      '2026-10-25T00:00:00.000Z 10',
      '2026-10-25T02:00:00.000Z 0',
    ]);
    const half = schedule(period('* 0-29 2 * * * *', 10, 'Europe/Berlin'));
    expect(changes(half, '2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z')).toEqual([
      '2026-10-25T00:00:00.000Z 10',
      '2026-10-25T00:30:00.000Z 0',
      '2026-10-25T01:00:00.000Z 10',
      '2026-10-25T01:30:00.000Z 0',
    ]);
  });

  test('New York moves a week and more from Berlin, both ways', () => {
    const day = schedule(period('* * 9-17 * * * *', 10, 'America/New_York'));
    expect(changes(day, '2026-03-07T13:00:00Z', '2026-03-08T23:00:00Z')).toEqual([
      '2026-03-07T14:00:00.000Z 10',
      '2026-03-07T23:00:00.000Z 0',
      '2026-03-08T13:00:00.000Z 10',
      '2026-03-08T22:00:00.000Z 0',
    ]);
    expect(changes(day, '2026-10-31T12:00:00Z', '2026-11-01T23:30:00Z')).toEqual([
      '2026-10-31T13:00:00.000Z 10',
      '2026-10-31T22:00:00.000Z 0',
      '2026-11-01T14:00:00.000Z 10',
      '2026-11-01T23:00:00.000Z 0',
    ]);
  });

  test('New York’s one o’clock holds twice in autumn and its two o’clock not at all in spring', () => {
    const one = schedule(period('* * 1 * * * *', 10, 'America/New_York'));
    expect(changes(one, '2026-10-31T12:00:00Z', '2026-11-01T12:00:00Z')).toEqual([
      '2026-11-01T05:00:00.000Z 10',
      '2026-11-01T07:00:00.000Z 0',
    ]);
    const two = schedule(period('* * 2 * * * *', 10, 'America/New_York'));
    expect(changes(two, '2026-03-07T12:00:00Z', '2026-03-09T12:00:00Z')).toEqual([
      '2026-03-09T06:00:00.000Z 10',
      '2026-03-09T07:00:00.000Z 0',
    ]);
  });

  test('a week-end ends with the local midnight', () => {
    const weekend = schedule(period('* * * * * 6,0 *', 1, 'Europe/Berlin'));
    expect(changes(weekend, '2026-10-23T12:00:00Z', '2026-10-27T00:00:00Z')).toEqual([
      '2026-10-23T22:00:00.000Z 1',
      '2026-10-25T23:00:00.000Z 0',
    ]);
  });
});

describe('a window of time', () => {
  const day = schedule(period(office, 10), period('* * 12 * * * *', 3));

  test('gives every policy in force in it, the first at its start', () => {
    const seen = policiesWithin(day, at('2026-11-23T08:30:00Z'), at('2026-11-23T12:00:00Z'));
    expect(seen.map(({ idleCount }) => idleCount)).toEqual([0, 10, 3]);
  });

  test('includes what begins with its last moment', () => {
    const seen = policiesWithin(day, at('2026-11-23T08:59:00Z'), at('2026-11-23T09:00:00Z'));
    expect(seen.map(({ idleCount }) => idleCount)).toEqual([0, 10]);
  });

  test('of no length gives the policy in force', () => {
    const now = at('2026-11-23T12:30:00Z');
    expect(policiesWithin(day, now, now)).toEqual([{ ...policyAt(day, now).policy }]);
  });
});

describe('what is wrong with a line', () => {
  const from = at('2026-11-23T00:00:00Z');

  test('a good one has no problem', () => {
    expect(lineProblem(office, 'Asia/Tokyo', from)).toBeNull();
  });

  test('a day that no year has never comes', () => {
    expect(lineProblem('* * * 30 2 * *', 'UTC', from)).toBe('never');
    expect(lineProblem('* * * * * * 2020', 'UTC', from)).toBe('never');
  });

  test('an unknown zone and a wrong hour are named', () => {
    expect(lineProblem(office, 'Asia/Tokio', from)).toMatchObject({ wrong: expect.stringMatching(/Tokio/) });
    expect(lineProblem('* * 25 * * * *', 'UTC', from)).toEqual({ wrong: 'Invalid value for hour: 25' });
  });
});
