import { describe, expect, test } from 'vitest';
import { createSeeded } from '../../../src/sim/seeded.ts';
import { createVirtualTimeline } from '../../../src/sim/timeline.ts';
import { ask, createFixture } from './sim-fixture.ts';

describe('a timeline moved by hand', () => {
  test('runs what falls due in order, each at its own instant', () => {
    const timeline = createVirtualTimeline(1_000);
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name}@${timeline.now()}`);
    timeline.after(20, note('late'));
    timeline.after(10, note('first'));
    timeline.after(10, () => {
      note('second')();
      timeline.after(5, note('born'));
    });
    const off = timeline.after(12, note('never'));
    off();
    timeline.advance(19);
    expect(seen).toEqual(['first@1010', 'second@1010', 'born@1015']);
    timeline.advance(1);
    expect(seen.at(-1)).toBe('late@1020');
    expect(timeline.now()).toBe(1_020);
  });
});

describe('seeds', () => {
  test('the same seed and calls make the same world', () => {
    const ids = (seed: number) => {
      const { region } = createFixture({ seed });
      return region.runInstances(ask({ maxCount: 5 })).map((instance) => instance.id);
    };
    expect(ids(3)).toEqual(ids(3));
    expect(ids(3)).not.toEqual(ids(4));
  });

  test('ids do not repeat', () => {
    const random = createSeeded(0);
    const ids = new Set(Array.from({ length: 20_000 }, () => random.hex(17)));
    expect(ids.size).toBe(20_000);
  });

  test('a region is what AWS could call one', () => {
    const { world } = createFixture();
    expect(world.region('us-gov-west-1').name).toBe('us-gov-west-1');
    expect(() => world.region('nowhere')).toThrow("'nowhere' is no region.");
  });
});
