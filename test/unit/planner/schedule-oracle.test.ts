// The calendar against a slow reader of the same lines that looks at every minute: fields compared with local time.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IdlePolicy, Period, Schedule } from '../../../src/domain/config.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { nextChangeAt, policyAt } from '../../../src/planner/schedule.ts';

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Tokyo',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const formats = new Map<string, Intl.DateTimeFormat>();

type Local = { minute: number; hour: number; day: number; month: number; weekday: number; year: number };

function local(at: number, zone: string): Local {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      weekday: 'short',
    });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
  return {
    minute: Number(parts['minute']),
    hour: Number(parts['hour']),
    day: Number(parts['day']),
    month: Number(parts['month']),
    weekday: weekdays.indexOf((parts['weekday'] ?? '').toLowerCase()),
    year: Number(parts['year']),
  };
}

/** A field as the generator makes it: all, or ranges with steps. */
type Field = { text: string; takes(value: number): boolean };
const everything: Field = { text: '*', takes: () => true };

function field(low: number, high: number): fc.Arbitrary<Field> {
  const range = fc
    .tuple(
      fc.integer({ min: low, max: high }),
      fc.integer({ min: low, max: high }),
      fc.integer({ min: 1, max: 4 }),
    )
    .map(([one, two, step]): Field => {
      const [from, to] = [Math.min(one, two), Math.max(one, two)];
      return {
        text: `${from}-${to}/${step}`,
        takes: (value) => value >= from && value <= to && (value - from) % step === 0,
      };
    });
  const list = fc.array(range, { minLength: 1, maxLength: 3 }).map(
    (ranges): Field => ({
      text: ranges.map(({ text }) => text).join(','),
      takes: (value) => ranges.some((each) => each.takes(value)),
    }),
  );
  return fc.oneof({ weight: 2, arbitrary: fc.constant(everything) }, list);
}

const line = fc
  .record({
    minute: fc.oneof({ weight: 3, arbitrary: fc.constant(everything) }, field(0, 59)),
    hour: field(0, 23),
    day: fc.oneof({ weight: 4, arbitrary: fc.constant(everything) }, field(1, 31)),
    month: fc.oneof({ weight: 4, arbitrary: fc.constant(everything) }, field(1, 12)),
    weekday: field(0, 6),
    zone: fc.constantFrom(...zones),
  })
  .map(({ minute, hour, day, month, weekday, zone }) => ({
    zone,
    text: `* ${minute.text} ${hour.text} ${day.text} ${month.text} ${weekday.text} *`,
    holds(at: number): boolean {
      const now = local(at, zone);
      const [byDay, byWeekday] = [day.takes(now.day), weekday.takes(now.weekday)];
      const either = day.text !== '*' && weekday.text !== '*';
      const onDay = either ? byDay || byWeekday : byDay && byWeekday;
      return minute.takes(now.minute) && hour.takes(now.hour) && month.takes(now.month) && onDay;
    },
  }));

function policy(idleCount: number): IdlePolicy {
  return { idleCount, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 0 };
}

/** Around the clock changes of 2026 in Berlin, New York and Lord Howe, and days without any. */
const starts = fc
  .tuple(
    fc.constantFrom(
      '2026-03-28T12:00:00Z',
      '2026-10-24T12:00:00Z',
      '2026-03-07T20:00:00Z',
      '2026-10-31T20:00:00Z',
      '2026-04-04T06:00:00Z',
      '2026-10-03T06:00:00Z',
      '2026-12-31T06:00:00Z',
      '2028-02-28T06:00:00Z',
    ),
    fc.integer({ min: 0, max: 24 * 60 - 1 }),
  )
  .map(([day, minutes]) => Date.parse(day) + minutes * MINUTE_MS);

describe('the calendar and a reader minute by minute agree', () => {
  test('on the policy in force and on its next change', { timeout: 60_000 }, () => {
    const property = fc.property(fc.array(line, { minLength: 1, maxLength: 3 }), starts, (lines, start) => {
      const periods = lines.map(
        ({ text, zone }, index): Period => ({
          ...policy(index + 1),
          cron: [text],
          written: [text],
          timezone: zone,
        }),
      );
      const schedule: Schedule = { base: policy(0), periods };
      const slow = (at: number) => lines.findLastIndex((each) => each.holds(at)) + 1;
      const first = slow(start);
      let change: number | null = null;
      for (let at = start; at < start + 30 * HOUR_MS && change === null; at += MINUTE_MS) {
        const expected = slow(at);
        expect(policyAt(schedule, at).policy.idleCount).toBe(expected);
        if (expected !== first) change = at;
      }
      const answer = nextChangeAt(schedule, start);
      if (change !== null) expect(answer).toBe(change);
      else if (answer !== null) {
        expect(answer).toBeGreaterThanOrEqual(start + 30 * HOUR_MS);
        expect(slow(answer)).not.toBe(first);
        expect(slow(answer - MINUTE_MS)).toBe(first);
      }
    });
    fc.assert(property, { numRuns: 100, endOnFailure: false });
  });
});
