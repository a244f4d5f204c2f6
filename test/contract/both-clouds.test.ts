// The rules of the cloud port (cloud-cases.ts) on our own model of EC2: the adapter on the emulated cloud (real HTTP, real time)
// and the port that the simulated daemon meets (no HTTP, virtual time). moto is the third: test/peers/moto.test.ts.
import { describe, expect, test } from 'vitest';
import { idsOf, wordsOf } from '../support/cloud/side.ts';
import { emulatedSide, simulatedSide } from '../support/cloud/world-sides.ts';
import { cloudCases } from './cloud-cases.ts';

describe.each([
  ['on the emulated cloud', emulatedSide],
  ['in the simulator', simulatedSide],
] as const)('the cloud port %s', (_where, begin) => {
  test.each(cloudCases.map((one) => [one.name, one] as const))('%s', async (_name, { options, run }) => {
    await run(await begin(options));
  });
});

describe('the simulated wire', () => {
  test('a lost answer of a fleet is unknown, and the token finds its machines', async () => {
    const side = await simulatedSide();
    const { launch, many } = wordsOf(side);
    side.trouble.set('CreateFleet', 'lost-answer');
    expect(await launch('t-1', 3, many)).toMatchObject({ kind: 'unknown' });
    const made = side.world.instances().map(({ id }) => id);
    expect(made).toHaveLength(3);
    expect(idsOf(await launch('t-1', 3, many))).toEqual(made.toSorted());
  });

  test.each([
    ['throttled', { kind: 'refused', outcome: { kind: 'throttled' } }, 0],
    ['failed', { kind: 'unknown' }, 0],
    ['duplicated', { kind: 'launched' }, 2],
  ] as const)('a %s launch', async (trouble, expected, machines) => {
    const side = await simulatedSide();
    side.trouble.set('RunInstances', trouble);
    expect(await wordsOf(side).launch('t-1', 2)).toMatchObject(expected);
    expect(side.world.instances()).toHaveLength(machines);
  });
});
