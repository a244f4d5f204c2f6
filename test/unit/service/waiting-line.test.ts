// Who is served next: the oldest, by pool, with places kept for creates that are tried again.
import { describe, expect, test } from 'vitest';
import { createWaitingLine, PLACE_KEPT_MS, type Waiter } from '../../../src/service/waiting-line.ts';

const waiter = (name: string, since: number, pool = 'build'): Waiter => ({ name, pool, since });

describe('the waiting line', () => {
  test('serves the oldest first, whatever order they came in, ties by name', () => {
    const line = createWaitingLine();
    for (const each of [waiter('c', 30), waiter('a', 10), waiter('z', 20), waiter('b', 20)]) line.add(each);
    expect(line.of('build').map(({ name }) => name)).toEqual(['a', 'b', 'z', 'c']);
    expect(line.first('build')?.name).toBe('a');
    expect(line.place('z')).toBe(3);
  });

  test('keeps pools apart', () => {
    const line = createWaitingLine();
    line.add(waiter('a', 1, 'one'));
    line.add(waiter('b', 2, 'two'));
    expect(line.first('two')?.name).toBe('b');
    expect(line.place('b')).toBe(1);
    expect(line.first('three')).toBeNull();
  });

  test('a name stands in it once', () => {
    const line = createWaitingLine();
    line.add(waiter('a', 5));
    line.add(waiter('a', 1));
    expect(line.of('build').map(({ since }) => since)).toEqual([1]);
    line.remove('a');
    line.remove('a');
    expect(line.size()).toBe(0);
    expect(line.place('a')).toBe(0);
  });

  test("the pool's next create inherits a place that was left behind, once and for a while only", () => {
    const line = createWaitingLine();
    line.leavePlace('build', 100, 1_000);
    line.leavePlace('build', 50, 1_000);
    expect(line.takePlace('other', 1_001)).toBeNull();
    expect(line.takePlace('build', 1_001)).toBe(50);
    expect(line.takePlace('build', 1_001)).toBe(100);
    expect(line.takePlace('build', 1_001)).toBeNull();
    line.leavePlace('build', 100, 2_000);
    expect(line.takePlace('build', 2_000 + PLACE_KEPT_MS)).toBeNull();
  });
});
