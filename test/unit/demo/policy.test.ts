import { describe, expect, test } from 'vitest';
import {
  countMachines,
  idleCreates,
  mayClaimWithout,
  type RunnerMachine,
  type RunnerPolicy,
  removals,
  wantedIdle,
} from '../../../src/demo/policy.ts';

const base: RunnerPolicy = {
  idleCount: 0,
  idleCountMin: 0,
  idleScaleFactor: 0,
  idleTimeMs: 60_000,
  maxBuilds: 0,
  limit: 0,
  maxGrowthRate: 0,
  concurrent: 10,
};

const machine = (name: string, change: Partial<RunnerMachine> = {}): RunnerMachine => ({
  name,
  state: 'idle',
  builds: 1,
  usedAt: 0,
  ...change,
});

const names = (policy: Partial<RunnerPolicy>, machines: readonly RunnerMachine[], now: number) =>
  removals({ ...base, ...policy }, machines, now).map((each) => [each.machine.name, each.reason]);

describe('wanted idle machines', () => {
  test('IdleCount without a factor', () => {
    expect(wantedIdle({ ...base, idleCount: 5 }, 100)).toBe(5);
  });
  test('the factor of machines in use, between IdleCountMin (at least one) and IdleCount', () => {
    const policy = { ...base, idleCount: 10, idleCountMin: 2, idleScaleFactor: 0.5 };
    expect([0, 3, 4, 9, 100].map((inUse) => wantedIdle(policy, inUse))).toEqual([2, 2, 2, 4, 10]);
    expect(wantedIdle({ ...policy, idleCountMin: 0 }, 0)).toBe(1);
  });
});

describe('idle creates', () => {
  const policy = { ...base, idleCount: 3 };
  test('acquired, creating and idle machines count as available, used ones do not', () => {
    const machines = [machine('a', { state: 'acquired' }), machine('b', { state: 'used' })];
    expect(idleCreates(policy, countMachines(machines))).toBe(2);
  });
  test('growth and limit bound them, machines on their way out included', () => {
    const machines = [machine('a', { state: 'creating' }), machine('b', { state: 'removing' })];
    expect(idleCreates({ ...policy, maxGrowthRate: 2 }, countMachines(machines))).toBe(1);
    expect(idleCreates({ ...policy, limit: 2 }, countMachines(machines))).toBe(0);
  });
});

describe('claims without a machine in hand', () => {
  test('only a runner without idle machines makes them, within limit and growth', () => {
    const counts = countMachines([machine('a', { state: 'creating' }), machine('b', { state: 'removing' })]);
    expect(mayClaimWithout(base, counts)).toBe(true);
    expect(mayClaimWithout({ ...base, idleCount: 1 }, counts)).toBe(false);
    expect(mayClaimWithout({ ...base, limit: 2 }, counts)).toBe(false);
    expect(mayClaimWithout({ ...base, maxGrowthRate: 1 }, counts)).toBe(false);
  });
});

describe('removals', () => {
  test('a machine that had MaxBuilds jobs goes, idle or not for long', () => {
    expect(names({ maxBuilds: 2, idleCount: 9 }, [machine('a', { builds: 2 }), machine('b')], 0)).toEqual([
      ['a', 'max-builds'],
    ]);
  });
  test('idle machines beyond limit go', () => {
    const machines = [machine('a', { state: 'used' }), machine('b'), machine('c')];
    expect(names({ limit: 2, idleCount: 9 }, machines, 0)).toEqual([['c', 'beyond-limit']]);
  });
  test('IdleTime ends only those beyond the wanted ones', () => {
    const machines = [machine('a'), machine('b'), machine('c', { usedAt: 50_000 })];
    expect(names({ idleCount: 1 }, machines, 60_001)).toEqual([['b', 'idle-time']]);
    expect(names({}, machines, 60_000)).toEqual([]);
  });
  test('machines with a job are never removed', () => {
    const machines = [machine('a', { state: 'used', builds: 9 }), machine('b', { state: 'acquired' })];
    expect(names({ maxBuilds: 1 }, machines, 1e9)).toEqual([]);
  });
});
