// Which of two equal readings of an instance stays.
import { expect, test } from 'vitest';
import { createKnownInstances } from '../../../../src/adapters/aws/known-instances.ts';
import type { Instance } from '../../../../src/domain/instance.ts';

const reading = (over: Partial<Instance> = {}): Instance => ({
  id: 'i-1',
  state: 'running',
  stateReason: null,
  type: 'm5.large',
  zone: 'eu-central-1a',
  market: 'spot',
  imageId: 'ami-1',
  privateAddress: '10.0.0.7',
  publicAddress: null,
  launchedAt: 1_000,
  tags: { 'hostler:owner': 'us', 'hostler:pool': 'build' },
  ...over,
});

test('an instance that is read again unchanged is the same object', () => {
  const known = createKnownInstances();
  const first = reading();
  known.keep([first]);
  expect(known.same(reading())).toBe(first);
});

test.each<Partial<Instance>>([
  { state: 'shutting-down' },
  { stateReason: 'Server.SpotInstanceTermination' },
  { privateAddress: null },
  { tags: { 'hostler:owner': 'us', 'hostler:pool': 'test' } },
  { tags: { 'hostler:owner': 'us' } },
  { tags: { 'hostler:owner': 'us', 'hostler:pool': 'build', more: '' } },
])('a change of any field shows: %j', (over) => {
  const known = createKnownInstances();
  known.keep([reading()]);
  const changed = reading(over);
  expect(known.same(changed)).toBe(changed);
});

test('what the last whole listing did not hold is forgotten', () => {
  const known = createKnownInstances();
  known.keep([reading()]);
  known.keep([]);
  const again = reading();
  expect(known.same(again)).toBe(again);
});
