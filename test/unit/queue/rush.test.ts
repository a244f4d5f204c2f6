// The rush that idle machines would have had to meet, as the forecast learns it.
import { describe, expect, test } from 'vitest';
import { createRushWatch } from '../../../src/queue/rush.ts';

const BOOT_MS = 40_000;

/** Jobs at a time (and machines announced) each ten seconds; gives the rush at each. */
type Seen = number | [jobs: number, announced: number];
const rushes = (...seen: Seen[]) => look(seen, true);

function look(seen: Seen[], reuses: boolean): number[] {
  const watch = createRushWatch();
  return seen.map((one, index) => {
    const [jobs, announced] = typeof one === 'number' ? [one, 0] : one;
    return watch.see(index * 10_000, { jobs, announced, bootMs: BOOT_MS, reuses });
  });
}

describe('the rush', () => {
  test('is how many more jobs there are than a moment ago', () => {
    expect(rushes(0, 5, 5, 7)).toEqual([0, 5, 5, 7]);
  });

  test('reaches back one boot: then machines have come', () => {
    expect(rushes(0, 5, 5, 5, 5, 5, 6)).toEqual([0, 5, 5, 5, 5, 0, 1]);
  });

  test('is less by jobs that ended and left their machines', () => {
    expect(rushes(4, 4, 1, 4, 5)).toEqual([0, 0, 0, 3, 4]);
    expect(rushes(9, 9, 9, 9, 9, 9, 3)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test('counts each arrival where machines serve one job only', () => {
    expect(look([4, 4, 1, 4, 5], false)).toEqual([0, 0, 0, 3, 4]);
    expect(look([4, 5, 4, 5, 4, 5], false)).toEqual([0, 1, 1, 2, 2, 2]);
    expect(look([4, 5, 4, 5, 4, 5], true)).toEqual([0, 1, 0, 1, 0, 1]);
  });

  test('leaves out what was announced', () => {
    expect(rushes(2, [2, 3], 5, 6)).toEqual([0, 0, 3, 4]);
    expect(rushes([2, 3], [2, 3], 5, 6)).toEqual([0, 0, 0, 1]);
  });
});
