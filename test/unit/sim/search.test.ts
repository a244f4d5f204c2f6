import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matching, pageOf } from '../../../src/sim/search.ts';
import { codeOf } from './sim-fixture.ts';

type Thing = { order: number; name: string; tags: Map<string, string> };
const thing = (order: number, name: string, tags: Record<string, string> = {}): Thing => ({
  order,
  name,
  tags: new Map(Object.entries(tags)),
});
const fields = { name: (one: Thing) => [one.name] };
const names = (things: Thing[], ...filters: [string, ...string[]][]) =>
  matching(
    things,
    filters.map(([name, ...values]) => ({ name, values })),
    fields,
  ).map((one) => one.name);

describe('filters', () => {
  const things = [thing(0, 'web.a', { team: 'x' }), thing(1, 'web.b', { team: 'y' }), thing(2, 'db', {})];

  test('values of one filter are alternatives, filters add up', () => {
    expect(names(things, ['name', 'web.a', 'db'])).toEqual(['web.a', 'db']);
    expect(names(things, ['name', 'web.*'], ['tag:team', 'y'])).toEqual(['web.b']);
  });

  test('* and ? are wildcards, a backslash takes their meaning, case counts', () => {
    expect(names(things, ['name', 'web?a'])).toEqual(['web.a']);
    expect(names(things, ['name', 'w*'])).toEqual(['web.a', 'web.b']);
    expect(names([...things, thing(3, 'w*')], ['name', 'w\\*'])).toEqual(['w*']);
    expect(names(things, ['name', 'DB'])).toEqual([]);
    expect(names(things, ['name', 'web.'])).toEqual([]);
  });

  test('tags are found by key, value and pair', () => {
    expect(names(things, ['tag-key', 'team'])).toEqual(['web.a', 'web.b']);
    expect(names(things, ['tag:team', '*'])).toEqual(['web.a', 'web.b']);
    expect(names(things, ['tag:toString', '*'])).toEqual([]);
  });

  test('an unknown filter is an error, as are more than 200 values', () => {
    expect(codeOf(() => names(things, ['colour', 'red']))).toBe('InvalidParameterValue');
    expect(codeOf(() => names(things, ['constructor', 'red']))).toBe('InvalidParameterValue');
    const many = Array.from({ length: 201 }, (_, at) => `n${at}`);
    expect(codeOf(() => names(things, ['name', ...many]))).toBe('FilterLimitExceeded');
  });
});

describe('pages', () => {
  const all = Array.from({ length: 23 }, (_, at) => thing(at * 2, `n${at}`));

  test('pages together show everything once, whatever is born or goes between them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 30 }),
        fc.array(fc.nat({ max: 60 }), { maxLength: 10 }),
        (maxResults, gone) => {
          const seen: number[] = [];
          let nextToken: string | null = null;
          let things = all;
          do {
            const page: { things: readonly Thing[]; nextToken: string | null } = pageOf(things, {
              maxResults,
              nextToken,
            });
            seen.push(...page.things.map((one) => one.order));
            nextToken = page.nextToken;
            things = things
              .filter((one) => !gone.includes(one.order))
              .concat(thing(1_000 + seen.length, 'new'));
          } while (nextToken !== null && seen.length < 200);
          expect(new Set(seen).size).toBe(seen.length);
          const stayed = all.filter((one) => !gone.includes(one.order)).map((one) => one.order);
          expect(seen).toEqual(expect.arrayContaining(stayed));
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each([4, 0, -1, 1001])('a page of %i is refused', (maxResults) => {
    expect(codeOf(() => pageOf(all, { maxResults, nextToken: null }))).toBe('InvalidParameterValue');
  });

  test('a token that was not given out is refused', () => {
    expect(codeOf(() => pageOf(all, { maxResults: 5, nextToken: 'guess' }))).toBe('InvalidNextToken');
  });
});
