// Names and templates that come from the runner's file and its calls: whatever token and MachineName it has, the pool of a
// create is found, and what is asked of a machine's record is answered or refused in words.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { namePrefixes, shortTokens, slug, unique } from '../../src/adapters/config/runner-names.ts';
import { HostlerError } from '../../src/domain/error.ts';
import { compileTemplate } from '../../src/doors/docker-machine/go-template.ts';
import { choosePool } from '../../src/planner/choose-pool.ts';
import { createMachineNames } from '../../src/sim/runner/machine-names.ts';
import { createSeeded } from '../../src/sim/seeded.ts';
import { NOON, poolSpec } from '../support/builders.ts';

const RUNS = { numRuns: 300 };

const body = fc.string({
  unit: fc.constantFrom(...'abcXYZ0189-_'.split('')),
  minLength: 9,
  maxLength: 24,
});
const token = fc
  .tuple(fc.constantFrom('', 'glrt-', 'glrt-t1_', 't2_', 'glrtr-', 'glcbt-', 'GR1348941'), body)
  .map(([prefix, rest]) => prefix + rest)
  // A token that leaves nothing of itself gives names that no section can be told by.
  .filter((text) =>
    /[a-z0-9]/i.test(text.replace(/^(glrt-(t\d_)?|t\d_|glrtr-|glcbt-|GR1348941)/, '').slice(0, 8)),
  );
const part = fc.string({ unit: fc.constantFrom(...'abcxyz019-'.split('')), maxLength: 12 });
const machineName = fc.tuple(part, part).map(([head, tail]) => `${head}%s${tail}`);
const release = fc.constantFrom(15 as const, 19 as const);

describe('a machine name that the runner makes', () => {
  test('begins as its section says, with any token and MachineName', () => {
    fc.assert(
      fc.property(token, machineName, release, fc.nat(), (text, pattern, kind, seed) => {
        const made = createMachineNames({ token: text, machineName: pattern }, createSeeded(seed), kind);
        const name = made.next(NOON);
        expect(namePrefixes(text, pattern).some((prefix) => name.startsWith(prefix))).toBe(true);
      }),
      RUNS,
    );
  });

  test('finds its pool among others whose tokens and names differ', () => {
    const sections = fc.uniqueArray(fc.tuple(token, machineName), {
      minLength: 1,
      maxLength: 6,
      // Sections that share a short form are told apart by their options, which is another rule.
      comparator: ([one], [other]) => shortTokens(one).some((form) => shortTokens(other).includes(form)),
    });
    fc.assert(
      fc.property(sections, release, fc.nat(), (drawn, kind, seed) => {
        const pools = drawn.map(([text, pattern], index) =>
          poolSpec({ id: `pool-${index}`, namePrefixes: namePrefixes(text, pattern) }),
        );
        for (const [index, [text, pattern]] of drawn.entries()) {
          const name = createMachineNames(
            { token: text, machineName: pattern },
            createSeeded(seed + index),
            kind,
          ).next(NOON);
          const rivals = pools.filter(({ namePrefixes: all }) => all.some((each) => name.startsWith(each)));
          const chosen = choosePool(pools, { name, driver: 'amazonec2', options: [] });
          expect(rivals.map(({ id }) => id)).toContain(chosen?.pool.id);
          if (rivals.length === 1) expect(chosen?.pool.id).toBe(`pool-${index}`);
        }
      }),
      RUNS,
    );
  });

  test('finds the same pool whatever order its options come in, and some pool always', () => {
    const options = fc.uniqueArray(
      fc
        .tuple(fc.constantFrom('region', 'zone', 'tags', 'ami'), part)
        .map(([key, value]) => `amazonec2-${key}=${value}`),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(
        fc.array(options, { minLength: 1, maxLength: 4 }),
        fc.string(),
        fc.nat(),
        (lists, name, at) => {
          const pools = lists.map((list, index) =>
            poolSpec({ id: `pool-${index}`, namePrefixes: ['runner-same-'], options: list }),
          );
          const asked = lists[at % lists.length] ?? [];
          const shuffled = asked.toReversed();
          const one = choosePool(pools, { name: `runner-same-${name}`, driver: 'amazonec2', options: asked });
          const other = choosePool(pools, {
            name: `runner-same-${name}`,
            driver: 'amazonec2',
            options: shuffled,
          });
          expect(one).not.toBeNull();
          expect(other).toEqual(one);
        },
      ),
      RUNS,
    );
  });
});

describe("a pool's id", () => {
  test('is a plain word of at most 63 characters, unique, and stays when it is made again', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 90 }), { maxLength: 12 }), (texts) => {
        const make = () => {
          const taken = new Set<string>();
          return texts.map((text) => unique(slug(text, 'pool'), taken));
        };
        const made = make();
        expect(new Set(made).size).toBe(texts.length);
        for (const id of made) expect(id).toMatch(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
        expect(make()).toEqual(made);
        for (const id of made) expect(slug(id, 'pool')).toBe(id);
      }),
      RUNS,
    );
  });
});

describe('a template of inspect', () => {
  const key = fc.string({ unit: fc.constantFrom(...'abcXYZ_019'.split('')), minLength: 1, maxLength: 6 });
  const leaf = fc.oneof(fc.string(), fc.boolean(), fc.integer());
  const { tree } = fc.letrec<{ tree: unknown; branch: unknown }>((tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, leaf, tie('branch')),
    branch: fc.dictionary(key, tie('tree'), { minKeys: 1, maxKeys: 4 }),
  }));
  const record = fc.dictionary(key, tree, { minKeys: 1, maxKeys: 4 });

  /** Every path of a record with what stands there. */
  function paths(value: unknown, before: readonly string[] = []): [string, unknown][] {
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]): [string, unknown][] => [
      [[...before, name].join('.'), inner],
      ...paths(inner, [...before, name]),
    ]);
  }

  test('gives the text at any path as it is, and its JSON', () => {
    fc.assert(
      fc.property(record, (data) => {
        for (const [path, value] of paths(data)) {
          if (typeof value === 'string') expect(compileTemplate(`{{.${path}}}`)(data)).toBe(value);
          expect(JSON.parse(compileTemplate(`{{json .${path}}}`)(data))).toEqual(value);
          expect(JSON.parse(compileTemplate(`{{ .${path} | prettyjson }}`)(data))).toEqual(value);
        }
      }),
      RUNS,
    );
  });

  test('leaves text around it alone and says of a path that is not there that it has no value', () => {
    const plain = fc.string().filter((text) => !text.includes('{'));
    fc.assert(
      fc.property(plain, plain, fc.array(key, { minLength: 1, maxLength: 4 }), (head, tail, path) => {
        const filled = compileTemplate(`${head}{{.${path.join('.')}}}${tail}`)({});
        expect(filled).toBe(`${head}<no value>${tail}`);
      }),
      RUNS,
    );
  });

  test('is filled or refused in one line, never anything else', () => {
    const pieces = fc.constantFrom(
      '{{',
      '}}',
      '.',
      'Name',
      ' ',
      '|',
      'json',
      '"',
      '\\',
      '-',
      'range',
      '\n',
      '$x',
      '🚚',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        try {
          expect(typeof compileTemplate(parts.join(''))({ Name: 'm' })).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(HostlerError);
          expect(error).toMatchObject({ code: 'usage' });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
