// What was pending, kept over a restart: it holds for two hours and no longer, whatever stands in the database.
import { describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { createQueueMemory } from '../../../src/service/queue-memory.ts';
import { NOON } from '../../support/builders.ts';

function facts(text: string | null = null) {
  const written: string[] = [];
  let fact = text;
  return {
    written,
    fact: () => fact,
    putFact: (_: string, value: string) => {
      fact = value;
      written.push(value);
    },
  };
}

const seen = (jobs: number, at = NOON) => new Map([['linux', { jobs, at }]]);

describe('the memory of the queue', () => {
  test('gives back what was pending, held, with the time it was seen', () => {
    const store = facts();
    createQueueMemory(store).save(seen(3), NOON);
    const group = createQueueMemory(store).group('linux', NOON + HOUR_MS);
    expect(group).toEqual({ pools: ['linux'], observedAt: NOON, held: true, queuedAt: [NOON, NOON, NOON] });
    expect(createQueueMemory(store).group('other', NOON)).toBe(null);
  });

  test('ends after two hours, and once the queue was seen', () => {
    const store = facts();
    createQueueMemory(store).save(seen(3), NOON);
    const memory = createQueueMemory(store);
    expect(memory.group('linux', NOON + 2 * HOUR_MS + 1)).toBe(null);
    memory.forget('linux');
    expect(memory.group('linux', NOON)).toBe(null);
  });

  test('writes only what is other than before, or old', () => {
    const store = facts();
    const memory = createQueueMemory(store);
    memory.save(seen(0), NOON);
    memory.save(seen(2), NOON);
    memory.save(seen(2), NOON + 1_000);
    expect(store.written).toHaveLength(1 + 1);
    memory.save(seen(2, NOON + MINUTE_MS), NOON + MINUTE_MS);
    expect(store.written).toHaveLength(3);
    memory.save(seen(0), NOON + MINUTE_MS);
    memory.save(seen(0), NOON + HOUR_MS);
    expect(store.written).toHaveLength(4);
  });

  test('keeps what it does not know better yet', () => {
    const store = facts();
    createQueueMemory(store).save(seen(3), NOON);
    createQueueMemory(store).save(seen(0), NOON + 1_000);
    expect(createQueueMemory(store).group('linux', NOON + 2_000)?.queuedAt).toHaveLength(3);
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '7',
    '{"linux":3}',
    '{"linux":{"jobs":-1,"at":1}}',
    '{"linux":{"jobs":1e9,"at":1}}',
  ])('takes %s for nothing', (text) => {
    expect(createQueueMemory(facts(text)).group('linux', NOON)).toBe(null);
  });
});
