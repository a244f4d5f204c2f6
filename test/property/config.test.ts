// Configuration files as people and machines write them: what stands there is what counts, hostler's table goes over the runner's,
// the environment over both, sections do not mind their neighbours, and any line of a period is read or refused in words.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { readCronLine } from '../../src/adapters/config/cron-line.ts';
import { readConfig } from '../../src/adapters/config/load.ts';
import type { PoolSpec } from '../../src/domain/config.ts';
import { createConfigFolder, runnerText } from '../support/config-folder.ts';

const folder = createConfigFolder();
afterAll(() => folder.end());

const RUNS = { numRuns: 60 };

type Wish = {
  idleCount: number;
  idleTimeS: number;
  maxBuilds: number;
  limit: number;
  growth: number;
  /** Of hostler's own table; null = not there. */
  own: { idleCount: number; idleTime: { text: string; ms: number } } | null;
};

/** A length of time as it is written, with what it means. */
const length = fc
  .tuple(
    fc.integer({ min: 1, max: 90 }),
    fc.constantFrom(['s', 1_000] as const, ['m', 60_000] as const, ['h', 3_600_000] as const),
  )
  .map(([figure, [unit, ms]]) => ({ text: `${figure}${unit}`, ms: figure * ms }));

const wish: fc.Arbitrary<Wish> = fc.record({
  idleCount: fc.integer({ min: 0, max: 40 }),
  idleTimeS: fc.integer({ min: 0, max: 7_200 }),
  maxBuilds: fc.integer({ min: 0, max: 100 }),
  limit: fc.integer({ min: 1, max: 200 }),
  growth: fc.integer({ min: 0, max: 20 }),
  own: fc.option(fc.record({ idleCount: fc.integer({ min: 0, max: 40 }), idleTime: length })),
});

function textOf(wishes: readonly (readonly [string, Wish])[]): string {
  return runnerText(
    ...wishes.map(([name, { idleCount, idleTimeS, maxBuilds, limit, growth, own }]) => ({
      name,
      token: `glrt-${name.padEnd(16, 'x')}`,
      limit,
      machine: `IdleCount = ${idleCount}\nIdleTime = ${idleTimeS}\nMaxBuilds = ${maxBuilds}\nMaxGrowthRate = ${growth}`,
      after:
        own === null
          ? ''
          : `  [runners.hostler]\n    idle_count = ${own.idleCount}\n    idle_time = "${own.idleTime.text}"\n`,
    })),
  );
}

async function poolsOf(
  text: string,
  env: Record<string, string> = {},
): Promise<ReadonlyMap<string, PoolSpec>> {
  const { config, issues } = await readConfig({
    path: folder.write('any.toml', text),
    env: { HOME: '/h', ...env },
  });
  if (config === null) throw new Error(issues.map(({ message }) => message).join('\n'));
  return new Map(config.pools.map((pool) => [pool.id, pool]));
}

const names = ['one', 'two', 'three'] as const;
const several = fc
  .array(wish, { minLength: 1, maxLength: 3 })
  .map((wishes) => wishes.map((each, index) => [names[index] ?? 'one', each] as const));

describe('a file', () => {
  test('means what stands in it', async () => {
    await fc.assert(
      fc.asyncProperty(several, async (wishes) => {
        const pools = await poolsOf(textOf(wishes));
        expect(pools.size).toBe(wishes.length);
        for (const [name, { idleCount, idleTimeS, maxBuilds, limit, growth, own }] of wishes) {
          const runner = { idleCount, idleTimeMs: idleTimeS * 1_000 };
          expect(pools.get(name)).toMatchObject({
            limit,
            maxBuilds,
            maxComing: growth,
            runnerSchedule: { base: runner },
            ownSchedule: {
              base: own === null ? runner : { idleCount: own.idleCount, idleTimeMs: own.idleTime.ms },
            },
          });
        }
      }),
      RUNS,
    );
  });

  test('gives each section the same pool whatever order they stand in', async () => {
    await fc.assert(
      fc.asyncProperty(several, async (wishes) => {
        const [there, back] = [await poolsOf(textOf(wishes)), await poolsOf(textOf(wishes.toReversed()))];
        for (const [name] of wishes) expect(back.get(name)).toEqual(there.get(name));
      }),
      RUNS,
    );
  });

  test('gives way to the environment, key by key', async () => {
    await fc.assert(
      fc.asyncProperty(wish, fc.integer({ min: 0, max: 40 }), async (asked, count) => {
        const text = textOf([['one', asked]]);
        const plain = await poolsOf(text);
        const pools = await poolsOf(text, { HOSTLER_POOL_ONE__IDLE_COUNT: String(count) });
        const base = plain.get('one')?.ownSchedule.base;
        expect(pools.get('one')?.ownSchedule.base).toEqual({ ...base, idleCount: count });
        expect(pools.get('one')?.runnerSchedule).toEqual(plain.get('one')?.runnerSchedule);
      }),
      RUNS,
    );
  });
});

describe('a line of a period', () => {
  const piece = fc.constantFrom(...'* 0 5 9-17 */15 1,3 mon-fri sat L W # ? / - , 2030 61 x é'.split(' '));
  const line = fc.oneof(
    fc.array(piece, { maxLength: 9 }).map((parts) => parts.join(' ')),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
  );

  test('is read, or refused in one line of words', () => {
    fc.assert(
      fc.property(line, (text) => {
        const read = readCronLine(text);
        if ('wrong' in read) expect(read.wrong).toMatch(/^\S.*$/);
        else expect(read.cron?.split(' ').length ?? 7).toBe(7);
      }),
      { numRuns: 2_000 },
    );
  });

  test('that was read is read the same again', () => {
    fc.assert(
      fc.property(line, (text) => {
        const read = readCronLine(text);
        if ('wrong' in read || read.cron === null) return;
        expect(readCronLine(read.cron)).toMatchObject({ cron: read.cron });
      }),
      { numRuns: 2_000 },
    );
  });
});
