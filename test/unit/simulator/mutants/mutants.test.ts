import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mutants } from '../../../../src/simulator/mutants/mutants.ts';

const root = join(import.meta.dirname, '../../../..');

describe('the list of mutants', () => {
  test('names each rule once, and twenty at least', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(20);
    expect(new Set(mutants.map(({ rule }) => rule)).size).toBe(mutants.length);
  });

  test('reaches every part', () => {
    const parts = ['planner', 'loop', 'store', 'act', 'leases', 'door'];
    expect(parts.filter((part) => !mutants.some((mutant) => mutant.part === part))).toEqual([]);
  });

  test('finds each text exactly once in the code as it stands', () => {
    const strayed = mutants.filter(
      ({ file, find }) => readFileSync(join(root, file), 'utf8').split(find).length !== 2,
    );
    expect(strayed.map(({ file, rule }) => `${file}: ${rule}`)).toEqual([]);
  });

  test('names checkers that are there', () => {
    const files = mutants.flatMap(({ checker }) => checker).filter((name) => name !== 'crash');
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test('changes what it replaces', () => {
    expect(mutants.filter(({ find, replace }) => find === replace)).toEqual([]);
  });
});
