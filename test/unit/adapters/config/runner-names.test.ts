import { describe, expect, test } from 'vitest';
import { namePrefixes, shortTokens, slug, unique } from '../../../../src/adapters/config/runner-names.ts';

describe('short tokens', () => {
  test('hold the forms of old and new releases', () => {
    expect(shortTokens('glrt-acceptance00000000')).toEqual(expect.arrayContaining(['acceptanc', 'glrt-acc']));
  });

  test.each([
    ['glrt-t1_abcdefghij', 'abcdefghi'],
    ['t2_abcdefghij', 'abcdefghi'],
    ['glrtr-abcdefghij', 'abcdefghi'],
    ['glcbt-abcdefghij', 'abcdefghi'],
    ['GR1348941abcdefghij', 'abcdefghi'],
    ['mycompany-glrt-abcdef', 'mycompany'],
    ['glrt-ABCDEFGHIJ', 'abcdefghi'],
    ['glrt-_-abcdefg', 'abcdefg'],
  ])('%s is shortened to %s by newer releases', (token, short) => {
    expect(shortTokens(token)).toContain(short);
  });

  test('a token shorter than nine characters is kept whole', () => {
    expect(shortTokens('abc')).toEqual(['abc']);
  });

  test('no token has no form', () => {
    expect(shortTokens('')).toEqual([]);
  });

  test('names begin with the token and what stands before %s', () => {
    expect(namePrefixes('abc', 'ci-%s-x')).toEqual(['runner-abc-ci-']);
  });
});

describe('pool ids', () => {
  test.each([
    ['GitLab AWS Autoscaler', 'gitlab-aws-autoscaler'],
    ['Über #1 (spot)', 'uber-1-spot'],
    ['ビルド', 'runner-1'],
    ['--x--', 'x'],
    ['a'.repeat(100), 'a'.repeat(63)],
  ])('%s becomes a slug', (name, id) => {
    expect(slug(name, 'runner-1')).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
    expect(slug(name, 'runner-1')).toBe(id);
  });

  test('equal ones are numbered in the order of the file', () => {
    const taken = new Set<string>();
    expect(['x', 'x', 'y', 'x'].map((name) => unique(name, taken))).toEqual(['x', 'x-2', 'y', 'x-3']);
  });
});
