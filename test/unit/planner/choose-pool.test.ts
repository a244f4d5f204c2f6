import { describe, expect, test } from 'vitest';
import { choosePool } from '../../../src/planner/choose-pool.ts';
import { poolSpec } from '../../support/builders.ts';

const a = poolSpec({
  id: 'a',
  namePrefixes: ['runner-abc-'],
  options: ['amazonec2-region=x', 'amazonec2-zone=a'],
});
const b = poolSpec({
  id: 'b',
  namePrefixes: ['runner-abc-big-'],
  options: ['amazonec2-region=x', 'amazonec2-zone=b'],
});
const twin = poolSpec({ ...b, id: 'twin', options: ['amazonec2-region=y'] });
const asked = { name: 'runner-other-1', driver: 'amazonec2', options: [] as string[] };

describe('the pool of a create', () => {
  test.each([
    ['runner-abc-1795369107-f408441a', 'a', 'name'],
    ['runner-abc-big-1795369107-f408441a', 'b', 'name'],
  ])('is the one with the longest prefix of the name: %s', (name, pool, how) => {
    const chosen = choosePool([a, b], { ...asked, name });
    expect([chosen?.pool.id, chosen?.how]).toEqual([pool, how]);
  });

  test('is found by equal options, in any order, when no prefix fits', () => {
    const chosen = choosePool([a, b], { ...asked, options: ['amazonec2-zone=b', 'amazonec2-region=x'] });
    expect([chosen?.pool.id, chosen?.how]).toEqual(['b', 'options']);
  });

  test('ignores options that hold the machine name', () => {
    const options = ['amazonec2-tags=name,runner-other-1', 'amazonec2-region=x', 'amazonec2-zone=b'];
    expect(choosePool([a, b], { ...asked, options })?.pool.id).toBe('b');
  });

  test('does not match options of another driver', () => {
    const chosen = choosePool([a, b], { ...asked, driver: 'generic', options: b.options });
    expect([chosen?.pool.id, chosen?.how]).toEqual(['a', 'first']);
  });

  test('is decided by options among pools that share the prefix', () => {
    const chosen = choosePool([b, twin], { ...asked, name: 'runner-abc-big-1', options: twin.options });
    expect([chosen?.pool.id, chosen?.how]).toEqual(['twin', 'options']);
  });

  test('is the first of those that share the prefix, with a warning, when options do not tell', () => {
    const chosen = choosePool([a, b, twin], { ...asked, name: 'runner-abc-big-1', options: ['other=1'] });
    expect([chosen?.pool.id, chosen?.how]).toEqual(['b', 'first']);
  });

  test('is the first in the file when nothing fits, and none when there are no pools', () => {
    expect(choosePool([a, b], asked)?.how).toBe('first');
    expect(choosePool([], asked)).toBeNull();
  });
});
