import { describe, expect, test } from 'vitest';
import { drawAdviceFile, drawAdvicePage } from '../../../../src/simulator/report/draw-advice.ts';
import type { Curve } from '../../../../src/simulator/report/draw-curve.ts';

const curve: Curve = {
  spots: [
    { p95: 5, idleHours: 300 },
    { p95: 12, idleHours: 200 },
    { p95: 12, idleHours: 260 },
    { p95: 40, idleHours: 100 },
    { p95: Number.POSITIVE_INFINITY, idleHours: 20 },
    { p95: 20, idleHours: 5_000 },
  ],
  marked: [
    { name: '4 / <9>', p95: 5, idleHours: 300 },
    { name: '1 / 6', p95: 12, idleHours: 200 },
    { name: '0 / 2', p95: 40, idleHours: 100 },
  ],
  chosen: { name: '1 / 6', p95: 12, idleHours: 200 },
  waitP95S: 15,
};
const page = drawAdvicePage({ about: 'a & b', lines: ['IdleCount = 1'], curve, ahead: ['x < y'], runs: [] });
const file = drawAdviceFile('a & b', curve);

describe('the curve of an advice', () => {
  test.each([
    ['page', page],
    ['file', file],
  ])('fetches nothing and runs nothing as a %s', (_what, text) => {
    expect(text.replace('http://www.w3.org/2000/svg', '')).not.toMatch(
      /https?:|<script|@import|url\(|<link|<img/,
    );
    expect(text).toContain('prefers-color-scheme:dark');
  });

  test('shows each setting that has a wait and is in sight, the wait asked for, and the chosen one', () => {
    expect(file.match(/class="dot"/g)).toHaveLength(4);
    expect(file.match(/class="mark"/g)).toHaveLength(2);
    expect(file.match(/class="chosen"/g)).toHaveLength(1);
    expect(file).toContain('asked: 15 s');
    expect(file).toMatch(/<desc>5 settings\. Asked for 15 s: 1 \/ 6 with 12 s and 200 idle machine-hours/);
  });

  test('draws the cheapest for each wait as steps down', () => {
    const path = /class="line" d="([^"]+)"/.exec(file)?.[1] ?? '';
    const heights = [...path.matchAll(/V([\d.]+)/g)].map((match) => Number(match[1]));
    expect(heights).toHaveLength(3);
    expect(heights).toEqual(heights.toSorted((a, b) => a - b));
  });

  test('lets no name break the drawing', () => {
    for (const text of [page, file]) {
      expect(text).not.toContain('<9>');
      expect(text).not.toContain('a & b');
    }
    expect(page).toContain('x &lt; y');
  });
});
