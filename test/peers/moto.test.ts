// A second opinion on the wire format: the rules of the cloud port (test/contract/cloud-cases.ts) with hostler's adapter against
// moto, an EC2 stand-in that others wrote. Where moto is known to do otherwise than EC2 the rule must break just so; a
// difference that is no more fails, so that the list stays true.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { cloudCases } from '../contract/cloud-cases.ts';
import { motoDifferences } from './moto-differences.ts';
import { type Moto, motoSide, startMoto } from './moto-side.ts';

/** What a broken rule says, and what it met. */
function wordsOf(error: unknown): string {
  const met = error instanceof Error && 'actual' in error ? JSON.stringify(error.actual) : '';
  return `${String(error)} ${met}`;
}

const server = inject('motoServer');

describe.skipIf(server === null)('the cloud port against moto', () => {
  let moto: Moto;
  beforeAll(async () => {
    moto = await startMoto(server ?? '');
  });
  afterAll(() => moto.close());

  for (const { name, run } of cloudCases) {
    const known = motoDifferences[name];
    if (known === undefined) test(name, async () => await run(await motoSide(moto)));
    else
      test(`${name}: not here, moto ${known.does}`, async () => {
        const side = await motoSide(moto);
        const words = await run(side).then(
          () => 'nothing: moto does as EC2 does now, so take it off the list of differences',
          (error: unknown) => wordsOf(error),
        );
        expect(words).toMatch(known.seen);
      });
  }
});

test('each known difference names a rule of the suite', () => {
  const names = cloudCases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(motoDifferences).filter((name) => !names.includes(name))).toEqual([]);
});
