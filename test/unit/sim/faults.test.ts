import { describe, expect, test } from 'vitest';
import { Ec2Error, statusOf } from '../../../src/sim/ec2-error.ts';
import { createFaults } from '../../../src/sim/faults.ts';
import { createSeeded } from '../../../src/sim/seeded.ts';
import { ask, codeOf, createFixture } from './sim-fixture.ts';

const call = (action: string) => ({ action, narrowed: true, dryRun: false });

describe('failures on purpose', () => {
  test('a launch code hits launches only, a general code any call', () => {
    const { region, world } = createFixture();
    world.faults.set({ code: 'InsufficientInstanceCapacity', rate: 1, action: null });
    expect(codeOf(() => region.admit(call('DescribeInstances')))).toBe('done');
    expect(codeOf(() => region.runInstances(ask()))).toBe('InsufficientInstanceCapacity');
    world.faults.set({ code: 'InternalError', rate: 1, action: null });
    expect(codeOf(() => region.admit(call('DescribeInstances')))).toBe('InternalError');
    expect(codeOf(() => region.admit(call('RunInstances')))).toBe('InternalError');
  });

  test('a named action is the only one hit', () => {
    const { region, world } = createFixture();
    world.faults.set({ code: 'UnauthorizedOperation', rate: 1, action: 'TerminateInstances' });
    expect(codeOf(() => region.admit(call('DescribeInstances')))).toBe('done');
    expect(codeOf(() => region.admit(call('TerminateInstances')))).toBe('UnauthorizedOperation');
  });

  test('rate 0 takes a rule back', () => {
    const { region, world } = createFixture();
    world.faults.set({ code: 'VcpuLimitExceeded', rate: 1, action: null });
    world.faults.set({ code: 'VcpuLimitExceeded', rate: 0, action: null });
    expect(codeOf(() => region.runInstances(ask()))).toBe('done');
  });

  test('a rate is a share of the calls, and the same seed hits the same ones', () => {
    const run = (seed: number) => {
      const faults = createFaults(createSeeded(seed));
      faults.set({ code: 'Unavailable', rate: 0.3, action: null });
      return Array.from({ length: 1_000 }, () => codeOf(() => faults.strike('DescribeImages', 'general')));
    };
    const first = run(7);
    expect(run(7)).toEqual(first);
    expect(run(8)).not.toEqual(first);
    const hits = first.filter((code) => code === 'Unavailable').length;
    expect(hits).toBeGreaterThan(250);
    expect(hits).toBeLessThan(350);
  });

  test.each([
    ['no code at all', 1],
    ['lower', 1],
    ['InternalError', 1.1],
    ['InternalError', -1],
    ['InternalError', Number.NaN],
  ])('the rule %s:%s is refused in words', (code, rate) => {
    const faults = createFaults(createSeeded(1));
    expect(() => faults.set({ code, rate, action: null })).toThrow(RangeError);
  });

  test('a lost answer belongs to launches unless told otherwise', () => {
    const faults = createFaults(createSeeded(1));
    faults.set({ code: 'lost-answer', rate: 1, action: null });
    expect(faults.answer('RunInstances')).toBe('lost-answer');
    expect(faults.answer('TerminateInstances')).toBeNull();
  });
});

describe('errors on the wire', () => {
  test.each([
    ['InsufficientInstanceCapacity', 500],
    ['InternalError', 500],
    ['RequestLimitExceeded', 503],
    ['Unavailable', 503],
    ['AuthFailure', 401],
    ['UnauthorizedOperation', 403],
    ['DryRunOperation', 412],
    ['InvalidInstanceID.NotFound', 400],
    ['SpotMaxPriceTooLow', 400],
  ])('%s is a %i', (code, status) => {
    expect(statusOf(code)).toBe(status);
    expect(new Ec2Error(code, 'x').status).toBe(status);
  });
});
