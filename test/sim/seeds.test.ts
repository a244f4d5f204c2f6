// A slice of `npm run sim` for every test run: some seeds under all faults, some crash points, and that a seed repeats.
import { describe, expect, test } from 'vitest';
import { crashEverywhere } from '../../src/simulator/crash-everywhere.ts';
import { faultNames, parseFaults } from '../../src/simulator/faults/fault-names.ts';
import { runSeed } from '../../src/simulator/run-seed.ts';

/** Hours of faults: short, since each seed pays for its quiet end too. */
const HOURS = 3;

describe('a seed', () => {
  test.each([1, 3, 4, 5])('%i keeps every rule under all faults and comes to rest', async (seed) => {
    const { breaches, jobs } = await runSeed({ seed, faults: faultNames, hours: HOURS });
    expect(breaches).toEqual([]);
    expect(jobs).toBeGreaterThan(100);
  });

  test.each([21, 77])('%i with pipelines, look-ahead and forecast keeps every rule, too', async (seed) => {
    const { breaches, ends } = await runSeed({ seed, faults: faultNames, hours: HOURS });
    expect(breaches).toEqual([]);
    // A lost job skipped what came after it: these were pipelines.
    expect(ends['skipped']).toBeGreaterThan(0);
  });

  test('without faults loses no job', async () => {
    const { breaches, ends } = await runSeed({ seed: 7, faults: [], hours: HOURS });
    expect(breaches).toEqual([]);
    expect(Object.keys(ends)).toEqual(['success']);
  });

  test('played twice says and does the same, to the last line', async () => {
    const once = await runSeed({ seed: 11, faults: faultNames, hours: 2 });
    const again = await runSeed({ seed: 11, faults: faultNames, hours: 2 });
    expect(again).toEqual(once);
    const other = await runSeed({ seed: 12, faults: faultNames, hours: 2 });
    expect(other.hash).not.toBe(once.hash);
  });
});

describe('a story', () => {
  test('of 30 jobs survives a crash at ten of its writes and effects', async () => {
    const { points, all, breaches } = await crashEverywhere({ sample: 10 });
    expect(points).toBe(10);
    expect(all).toBeGreaterThanOrEqual(200);
    expect(breaches).toEqual([]);
  });
});

describe('names of faults', () => {
  test('are all, none or some with commas; a wrong one is no list', () => {
    expect(parseFaults('all')).toEqual(faultNames);
    expect(parseFaults('none')).toEqual([]);
    expect(parseFaults('crash,clock-jump')).toEqual(['crash', 'clock-jump']);
    expect(parseFaults('crash,cash')).toBeNull();
  });
});
