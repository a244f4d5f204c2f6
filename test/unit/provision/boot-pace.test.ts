// When a host that boots is tried again: quick steps only while it is expected, and never too many of all hosts together.
import { describe, expect, test } from 'vitest';
import { bootPause, usualBoot } from '../../../src/provision/boot-pace.ts';

/** Moments at which a host is tried until `untilMs` after its launch. */
function triesUntil(untilMs: number, boots: readonly number[], crowd = 1): number[] {
  const usual = usualBoot(boots);
  const tries: number[] = [];
  for (let at = 0, pause = 100; at < untilMs; pause = bootPause(pause, { ageMs: at, usual, crowd })) {
    tries.push(at);
    at += pause;
  }
  return tries;
}

const gaps = (tries: readonly number[]) => tries.slice(1).map((at, index) => at - (tries[index] ?? 0));

/** The longest gap between tries of which the first is at `from` or later. */
const longestAfter = (tries: readonly number[], from: number) =>
  Math.max(...gaps(tries).filter((_, index) => (tries[index] ?? 0) >= from));

describe('a host that boots is tried again', () => {
  test('at leisure while it cannot be up yet, and in quick steps when its pool’s hosts usually come', () => {
    const tries = triesUntil(45_000, [42_000, 44_000, 43_000]);
    expect(tries.filter((at) => at < 34_000).length).toBeLessThan(42);
    expect(longestAfter(tries, 36_700)).toBeLessThanOrEqual(200);
  });

  test('at leisure again when it is late', () => {
    const tries = triesUntil(120_000, [42_000]);
    expect(tries.filter((at) => at > 52_000).length).toBeLessThan(70);
  });

  test('by what is common while nothing is known of its pool', () => {
    const tries = triesUntil(90_000, []);
    expect(longestAfter(tries, 21_000)).toBe(1_000);
    expect(longestAfter(triesUntil(55_000, []), 21_000)).toBe(200);
    expect(tries.filter((at) => at < 20_000).length).toBeLessThan(30);
  });

  test('no sooner than a crowd of a thousand may be tried, and never later than a second', () => {
    expect(longestAfter(triesUntil(45_000, [42_000], 500), 37_000)).toBe(500);
    expect(longestAfter(triesUntil(45_000, [42_000], 5_000), 37_000)).toBe(1_000);
  });
});
