// The bound on handshakes.
import { expect, test } from 'vitest';
import { createSlots } from '../../../../src/adapters/ssh/slots.ts';

const never = () => new AbortController().signal;

/** Takes a slot in the background; the list tells who got one. */
function enter(slots: ReturnType<typeof createSlots>, name: string, got: string[], signal = never()) {
  return slots.take(signal).then((release) => {
    got.push(release === null ? `${name} left` : name);
    return release;
  });
}

test('no more slots are out than there are, and the newest waiter goes first', async () => {
  const slots = createSlots(1);
  const got: string[] = [];
  const first = await enter(slots, 'first', got);
  const second = enter(slots, 'second', got);
  const third = enter(slots, 'third', got);
  expect(got).toEqual(['first']);
  first?.();
  first?.();
  (await third)?.();
  (await second)?.();
  expect(got).toEqual(['first', 'third', 'second']);
  expect(await enter(slots, 'fourth', got)).not.toBeNull();
});

test('who gives up leaves the line', async () => {
  const slots = createSlots(1);
  const got: string[] = [];
  const first = await enter(slots, 'first', got);
  const stop = new AbortController();
  const second = enter(slots, 'second', got, stop.signal);
  const third = enter(slots, 'third', got);
  stop.abort();
  await second;
  first?.();
  await third;
  expect(got).toEqual(['first', 'second left', 'third']);
  expect(await slots.take(stop.signal)).toBeNull();
});
