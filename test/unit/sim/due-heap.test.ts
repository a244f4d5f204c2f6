import { describe, expect, test } from 'vitest';
import { createDueHeap, type Due } from '../../../src/sim/due-heap.ts';
import { createSeeded } from '../../../src/sim/seeded.ts';
import { createVirtualTimeline } from '../../../src/sim/timeline.ts';

const due = (at: number, order: number): Due => ({ at, order, work: () => undefined });

describe('what is due', () => {
  test.each([1, 2, 3, 4, 5])(
    'comes by instant, then by order of asking, whatever is called off (seed %i)',
    (seed) => {
      const random = createSeeded(seed);
      const heap = createDueHeap();
      const all = Array.from({ length: 2_000 }, (_, order) => due(Math.floor(random.float() * 300), order));
      for (const one of all) heap.add(one);
      const off = new Set(all.filter(() => random.float() < 0.7));
      for (const one of off) heap.callOff(one);
      const left = all.filter((one) => !off.has(one)).toSorted((a, b) => a.at - b.at || a.order - b.order);
      expect(heap.size()).toBe(left.length);
      const seen: Due[] = [];
      for (let one = heap.shift(); one !== null; one = heap.shift()) seen.push(one);
      expect(seen).toEqual(left);
      expect(heap.size()).toBe(0);
    },
  );

  test('lets go of what is called off, and bears it twice', () => {
    const heap = createDueHeap();
    const one = due(1, 1);
    heap.add(one);
    heap.callOff(one);
    heap.callOff(one);
    expect([one.work, heap.first(), heap.shift(), heap.size()]).toEqual([null, null, null, 0]);
  });
});

describe('a timeline moved step by step', () => {
  test('runs one thing at a time and stands still when nothing is due in time', () => {
    const timeline = createVirtualTimeline(0);
    const seen: string[] = [];
    timeline.after(5, () => seen.push('a'));
    timeline.after(5, () => seen.push('b'));
    const off = timeline.after(7, () => seen.push('never'));
    timeline.after(9, () => seen.push('c'));
    expect(timeline.nextAt()).toBe(5);
    expect(timeline.step(8)).toBe(true);
    expect(seen).toEqual(['a']);
    off();
    expect([timeline.step(8), timeline.step(8), timeline.now()]).toEqual([true, false, 5]);
    expect(timeline.nextAt()).toBe(9);
    timeline.advance(10);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect([timeline.nextAt(), timeline.now()]).toEqual([null, 15]);
  });

  test('bears being called off after it ran', () => {
    const timeline = createVirtualTimeline(0);
    const off = timeline.after(1, () => undefined);
    timeline.advance(2);
    off();
    timeline.after(1, () => undefined);
    expect(timeline.nextAt()).toBe(3);
  });
});
