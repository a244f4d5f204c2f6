// Which types fit a need, which quota they count against, and how a launch of several places goes out.
import { describe, expect, test } from 'vitest';
import {
  MAX_TYPES,
  quotaClassOf,
  quotaOf,
  type TypeFacts,
  typesFor,
  wayFor,
} from '../../../src/domain/offering.ts';

const facts = (type: string, over: Partial<TypeFacts> = {}): TypeFacts => ({
  type,
  vcpus: 4,
  memoryMib: 16 * 1024,
  architectures: ['x86_64'],
  markets: ['spot', 'on-demand'],
  isNitro: true,
  isMetal: false,
  isBurstable: false,
  hasAccelerator: false,
  ...over,
});

const needs = (vcpus: [number, number | null], memory: [number, number | null] = [1, null]) => ({
  vcpus: { least: vcpus[0], most: vcpus[1] },
  memoryGib: { least: memory[0], most: memory[1] },
  architecture: 'x86_64' as const,
});

const names = (found: readonly TypeFacts[]) => found.map(({ type }) => type);

describe('typesFor', () => {
  test('takes both ends of a range in, the smallest type first', () => {
    const catalogue = [
      facts('m5.4xlarge', { vcpus: 16 }),
      facts('m5.2xlarge', { vcpus: 8, memoryMib: 32 * 1024 }),
      facts('c5.2xlarge', { vcpus: 8 }),
      facts('m5.xlarge'),
      facts('m5.large', { vcpus: 2 }),
    ];
    expect(names(typesFor(needs([4, 8]), catalogue))).toEqual(['m5.xlarge', 'c5.2xlarge', 'm5.2xlarge']);
    expect(names(typesFor(needs([4, 8], [32, 32]), catalogue))).toEqual(['m5.2xlarge']);
    expect(names(typesFor(needs([16, null]), catalogue))).toEqual(['m5.4xlarge']);
  });

  test.each<[string, Partial<TypeFacts>]>([
    ['another processor', { architectures: ['arm64'] }],
    ['what came before Nitro', { isNitro: false }],
    ['other families', { type: 'd3en.2xlarge' }],
    ['bare metal', { isMetal: true }],
    ['burstable types', { isBurstable: true }],
    ['accelerators', { hasAccelerator: true }],
  ])('leaves out %s', (_what, over) => {
    expect(typesFor(needs([4, 8]), [facts('m5.xlarge', over)])).toEqual([]);
  });

  test('is bounded, whatever EC2 has', () => {
    const many = Array.from({ length: 500 }, (_, at) => facts(`m${at}.xlarge`));
    expect(typesFor(needs([4, 4]), many)).toHaveLength(MAX_TYPES);
  });
});

describe('quotas', () => {
  test.each([
    ['m5.large', 'standard'],
    ['c7gn.xlarge', 'standard'],
    ['t3.medium', 'standard'],
    ['i4i.large', 'standard'],
    ['d3.xlarge', 'standard'],
    ['z1d.large', 'standard'],
    ['hpc7g.4xlarge', 'hpc'],
    ['g5.xlarge', 'g'],
    ['vt1.3xlarge', 'g'],
    ['p4d.24xlarge', 'p'],
    ['inf2.xlarge', 'inf'],
    ['trn1.2xlarge', 'trn'],
    ['dl1.24xlarge', 'dl'],
    ['x2idn.16xlarge', 'x'],
    ['f1.2xlarge', 'f'],
    ['u-6tb1.metal', 'high-memory'],
  ])('%s counts as %s', (type, name) => {
    expect(quotaClassOf(type)).toBe(name);
  });

  test('have the ids and names of Service Quotas', () => {
    expect(quotaOf('m5.large', 'spot')).toEqual({
      class: 'standard',
      market: 'spot',
      id: 'L-34B43A08',
      name: 'All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests',
      vcpus: null,
    });
    expect(quotaOf('m5.large', 'on-demand', 32)).toMatchObject({ id: 'L-1216C47A', vcpus: 32 });
  });
});

describe('wayFor', () => {
  test('one place needs no fleet, several do, a template always', () => {
    expect([wayFor('auto', 1, false), wayFor('auto', 2, false), wayFor('auto', 1, true)]).toEqual([
      'run-instances',
      'fleet',
      'fleet',
    ]);
    expect(wayFor('run-instances', 9, false)).toBe('run-instances');
  });
});
