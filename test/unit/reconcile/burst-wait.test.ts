// How long creates that come in are waited for: until they are over or fill the launch calls, never long.
import { beforeEach, describe, expect, test } from 'vitest';
import { type BurstWait, createBurstWait } from '../../../src/reconcile/burst-wait.ts';

let now: number;
let pools: number;
let wait: BurstWait;
beforeEach(() => {
  now = 10_000;
  pools = 1;
  wait = createBurstWait({ monotonic: () => now }, () => pools);
});

/** Creates with these gaps before them, ms; whether the last one filled the calls. */
function come(...gaps: readonly number[]): boolean {
  let isFull = false;
  for (const gap of gaps) {
    now += gap;
    isFull = wait.came();
  }
  return isFull;
}

const even = (count: number, gap: number) => Array.from({ length: count }, () => gap);

describe('creates that come in', () => {
  test('are waited for until a quarter of a second is quiet', () => {
    expect(wait.left()).toBe(0);
    come(0, 5);
    expect(wait.left()).toBe(250);
    now += 200;
    expect(wait.left()).toBe(50);
    come(0);
    expect(wait.left()).toBe(250);
    now += 250;
    expect(wait.left()).toBe(0);
  });

  test('are waited for two seconds at most', () => {
    come(0, ...even(19, 100));
    expect(wait.left()).toBe(100);
    wait.over();
    expect(wait.left()).toBe(0);
    come(100, ...even(20, 100));
    expect(wait.left()).toBe(0);
  });

  test('are not waited for when they fill a launch call for each pool', () => {
    pools = 2;
    expect(come(...even(199, 1))).toBe(false);
    expect(wait.left()).toBeGreaterThan(0);
    expect(come(1)).toBe(true);
    expect(wait.left()).toBe(0);
    wait.over();
    expect(come(1)).toBe(false);
    expect(wait.left()).toBe(250);
  });
});
