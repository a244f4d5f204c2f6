import { describe, expect, test } from 'vitest';
import { describeAge, describeDuration, describeMoment } from '../../../../src/doors/cli/human-time.ts';
import { createPaint, plain } from '../../../../src/doors/cli/paint.ts';
import { drawTable } from '../../../../src/doors/cli/text-table.ts';

const paint = createPaint({ env: {}, isTty: false });

describe('lengths of time', () => {
  test.each([
    [0, '0s'],
    [-5_000, '0s'],
    [499, '0s'],
    [59_600, '1m'],
    [45_000, '45s'],
    [192_000, '3m 12s'],
    [3_600_000, '1h'],
    [7_500_000, '2h 5m'],
    [273_600_000, '3d 4h'],
    [86_460_000, '1d'],
  ])('%i ms are %s', (ms, text) => {
    expect(describeDuration(ms)).toBe(text);
  });

  test('no time and no date have no age', () => {
    expect(describeAge(null, 0)).toBe('-');
    expect(describeAge('soon', 0)).toBe('-');
  });
});

describe('moments', () => {
  const now = Date.UTC(2026, 2, 28, 23, 30);
  test.each([
    [Date.UTC(2026, 2, 28, 23, 59), 'UTC', '23:59 UTC'],
    [Date.UTC(2026, 2, 29, 0, 0), 'UTC', '2026-03-29 00:00 UTC'],
    [Date.UTC(2026, 2, 29, 1, 0), 'Europe/Berlin', '03:00 Europe/Berlin'],
    [Date.UTC(2026, 2, 29, 0, 0), 'Asia/Tokyo', '09:00 Asia/Tokyo'],
  ])('%i in %s is %s', (at, zone, text) => {
    expect(describeMoment(at, now, zone)).toBe(text);
  });
});

describe('tables', () => {
  test('columns line up; missing values are a dash; lines end without blanks', () => {
    const rows = [
      { name: 'a', count: 1, note: '' },
      { name: 'longer', count: null, note: 'x' },
    ];
    const lines = drawTable(
      rows,
      [
        { title: 'NAME', of: (row) => row.name },
        { title: 'N', of: (row) => row.count },
        { title: 'NOTE', of: (row) => row.note },
      ],
      paint,
    );
    expect(lines).toEqual(['NAME    N  NOTE', 'a       1', 'longer  -  x']);
  });

  test('colour does not move columns', () => {
    const colour = createPaint({ env: {}, isTty: true });
    const [, row] = drawTable(
      [{ a: 'x', b: '$&' }],
      [
        { title: 'AAAA', of: (entry) => entry.a, paint: colour.red },
        { title: 'B', of: (entry) => entry.b, paint: colour.red },
      ],
      colour,
    );
    expect(row).toBe('\u001b[31mx\u001b[39m     \u001b[31m$&\u001b[39m');
  });

  test('texts lose control characters', () => {
    expect(plain(' a\u001b[31m\nb\u0000 ')).toBe('a [31m b');
  });
});
