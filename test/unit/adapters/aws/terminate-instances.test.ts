// Bad ids never keep good instances alive, and finding them costs a bounded number of calls.
import { describe, expect, test } from 'vitest';
import { terminateInstances } from '../../../../src/adapters/aws/terminate-instances.ts';
import { type OutcomeKind, type OutcomeScope, refusal } from '../../../../src/domain/outcome.ts';

const ids = (count: number) => Array.from({ length: count }, (_, n) => `i-${n}`);

function cloudWith(
  bad: readonly string[],
  error: { kind: OutcomeKind; scope?: OutcomeScope; named?: boolean },
  tokens = 1_000,
) {
  const sizes: number[] = [];
  return {
    sizes,
    tokens: () => tokens,
    send: async (batch: readonly string[]) => {
      sizes.push(batch.length);
      const found = batch.filter((id) => bad.includes(id));
      if (found.length > 0)
        throw refusal('TerminateInstances', {
          kind: error.kind,
          scope: error.scope ?? 'call',
          code: 'Test',
          message:
            error.named === true ? `The instances '${found.join(', ')}' are bad` : 'one of them is bad',
        });
      return await Promise.resolve(batch);
    },
  };
}

const failed = (answers: Awaited<ReturnType<typeof terminateInstances>>) =>
  answers.flatMap((answer) => (answer.kind === 'failed' ? [answer.instance] : []));

describe('terminateInstances', () => {
  test('sends at most 1,000 ids in a call, each once', async () => {
    const cloud = cloudWith([], { kind: 'not-found' });
    const answers = await terminateInstances([...ids(2_300), 'i-0'], cloud);
    expect(cloud.sizes).toEqual([1_000, 1_000, 300]);
    expect(answers.map((answer) => answer.instance)).toEqual(ids(2_300));
  });

  test('ids that the error names are taken out at once', async () => {
    const cloud = cloudWith(['i-3', 'i-77'], { kind: 'not-found', named: true });
    expect(failed(await terminateInstances(ids(100), cloud))).toEqual(['i-3', 'i-77']);
    expect(cloud.sizes).toEqual([100, 98]);
  });

  test.each(['not-found', 'protected', 'invalid'] as const)(
    'unnamed %s ids are found by halving',
    async (kind) => {
      const cloud = cloudWith(['i-3', 'i-77'], { kind });
      expect(failed(await terminateInstances(ids(100), cloud))).toEqual(['i-3', 'i-77']);
      expect(cloud.sizes.length).toBeLessThan(40);
    },
  );

  test('an instance without the tags that permission hangs on is found too', async () => {
    const cloud = cloudWith(['i-3'], { kind: 'denied', scope: 'pool' });
    expect(failed(await terminateInstances(ids(10), cloud))).toEqual(['i-3']);
  });

  test.each([
    ['throttled', 'account'],
    ['denied', 'account'],
  ] as const)('%s stops at once', async (kind, scope) => {
    const cloud = cloudWith(['i-3'], { kind, scope });
    expect(failed(await terminateInstances(ids(2_000), cloud))).toHaveLength(2_000);
    expect(cloud.sizes).toHaveLength(1);
  });

  test('calls are bounded however many ids are bad', async () => {
    const cloud = cloudWith(ids(1_000), { kind: 'protected' });
    expect(failed(await terminateInstances(ids(1_000), cloud))).toHaveLength(1_000);
    expect(cloud.sizes.length).toBeLessThanOrEqual(110);
  });

  test('batches shrink with the resource tokens that are left', async () => {
    const cloud = cloudWith([], { kind: 'not-found' }, 30);
    await terminateInstances(ids(70), cloud);
    expect(cloud.sizes).toEqual([30, 30, 10]);
  });

  test('nothing to end is no call', async () => {
    const cloud = cloudWith([], { kind: 'not-found' });
    expect(await terminateInstances([], cloud)).toEqual([]);
    expect(cloud.sizes).toEqual([]);
  });
});
