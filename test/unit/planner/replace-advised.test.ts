// Advice to leave an instance under rebalance = "replace": the replacement comes first, and the pool never falls below its wants.
import { describe, expect, test } from 'vitest';
import type { Machine } from '../../../src/domain/machine.ts';
import type { Observation } from '../../../src/domain/observation.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  dropIn,
  leased,
  machine,
  NOON,
  observation,
  poolSpec,
  schedule,
} from '../../support/builders.ts';

const advised = { advisedAt: NOON - 1_000 };

function wanting(idleCount: number, over: Parameters<typeof poolSpec>[0] = {}) {
  return poolSpec({ ownSchedule: schedule({ idleCount }), rebalance: 'replace', ...over });
}

function decided(seen: Observation): string[] {
  return planTick(seen, counter()).actions.flatMap((action) => {
    if (action.kind === 'retire' || action.kind === 'drain') return [`${action.kind} ${action.machine}`];
    return action.kind === 'launch' ? [`launch ${action.machines.length}`] : [];
  });
}

const idle = (id: string, over: Partial<Machine> = {}) => machine({ id, ...over });

describe('an idle machine that EC2 advises to leave', () => {
  test('stands until its replacement is ready', () => {
    const pools = [wanting(2)];
    const machines = [idle('m-a', advised), idle('m-b')];
    expect(decided(observation({ pools, machines }))).toEqual(['launch 1']);
    const booting = machine({ id: 'm-c', phase: 'booting', address: null });
    expect(decided(observation({ pools, machines: [...machines, booting] }))).toEqual([]);
    expect(decided(observation({ pools, machines: [...machines, idle('m-c')] }))).toEqual(['retire m-a']);
  });

  test('ends at once where it is not wanted', () => {
    expect(decided(observation({ pools: [wanting(0)], machines: [idle('m-a', advised)] }))).toEqual([
      'retire m-a',
    ]);
  });

  test('is replaced as far as the replacements have come', () => {
    const machines = [idle('m-a', advised), idle('m-b', advised), idle('m-c')];
    expect(decided(observation({ pools: [wanting(2)], machines }))).toEqual(['launch 1', 'retire m-a']);
  });

  test('stays where the limit leaves no room for another', () => {
    const machines = [idle('m-a', advised), idle('m-b')];
    expect(decided(observation({ pools: [wanting(2, { limit: 2 })], machines }))).toEqual([]);
  });

  test('ends when the rule is only to drain by now, and stays when advice is ignored', () => {
    const machines = [idle('m-a', advised), idle('m-b')];
    expect(decided(observation({ pools: [wanting(2, { rebalance: 'drain' })], machines }))).toEqual([
      'launch 1',
      'retire m-a',
    ]);
    expect(decided(observation({ pools: [wanting(2, { rebalance: 'ignore' })], machines }))).toEqual([]);
  });
});

test('a held machine without a job is drained when its replacement is ready', () => {
  const held = leased('m-a', { machine: advised });
  const pools = [dropIn({ idleCount: 1 }, { rebalance: 'replace' })];
  const leases = [held.lease];
  expect(decided(observation({ pools, machines: [held.machine], leases }))).toEqual(['launch 1']);
  const machines = [held.machine, idle('m-b')];
  expect(decided(observation({ pools, machines, leases }))).toEqual(['drain m-a']);
});

test('a busy machine is drained at once, and its replacement starts with it', () => {
  const busy = leased('m-a', { job: true, machine: advised });
  const seen = observation({ pools: [wanting(0)], machines: [busy.machine], leases: [busy.lease] });
  expect(decided(seen)).toEqual(['launch 1', 'drain m-a']);
});
