import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/domain/observation.ts';
import type { Rest } from '../../../src/domain/outcome.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  creates,
  leased,
  machine,
  memory,
  NOON,
  observation,
  poolSpec,
  poolView,
  SITE,
  schedule,
} from '../../support/builders.ts';

function ended(seen: Observation): string[] {
  return planTick(seen, counter()).actions.flatMap((action) =>
    action.kind === 'retire' || action.kind === 'drain'
      ? [`${action.kind} ${action.machine} ${action.reason.code}`]
      : [],
  );
}

function launched(seen: Observation): number {
  return planTick(seen, counter()).actions.reduce(
    (sum, action) => (action.kind === 'launch' ? sum + action.machines.length : sum),
    0,
  );
}

/** A pool that wants `count` idle machines. */
function wanting(count: number, over: Parameters<typeof poolSpec>[0] = {}) {
  return poolSpec({ ownSchedule: schedule({ idleCount: count }), ...over });
}

function ready(count: number, over: Parameters<typeof machine>[0] = {}) {
  return Array.from({ length: count }, (_, index) =>
    machine({ id: `m-${String(index).padStart(2, '0')}`, ...over }),
  );
}

describe('a worn out machine', () => {
  test('ends after MaxBuilds jobs, and is replaced in the same plan when it is wanted', () => {
    const seen = observation({
      pools: [wanting(2, { maxBuilds: 3 })],
      machines: [...ready(1, { builds: 3 }), machine({ id: 'm-x', builds: 2 })],
    });
    expect(ended(seen)).toEqual(['retire m-00 max-builds']);
    expect(launched(seen)).toBe(1);
  });

  test('ends at max_machine_life; with a lease it is drained', () => {
    const old = { createdAt: NOON - 24 * HOUR_MS };
    const held = leased('m-held', { job: true, machine: old });
    const seen = observation({
      pools: [wanting(9)],
      machines: [
        ...ready(1, old),
        ...ready(1, { id: 'm-young', createdAt: NOON - 23 * HOUR_MS }),
        held.machine,
      ],
      leases: [held.lease],
    });
    expect(ended(seen)).toEqual(['drain m-held max-life', 'retire m-00 max-life']);
  });

  test('of a pool that left the configuration ends; with a lease it is drained', () => {
    const held = leased('m-held', { job: true, machine: { pool: 'gone' } });
    const seen = observation({ machines: [machine({ pool: 'gone' }), held.machine], leases: [held.lease] });
    expect(ended(seen)).toEqual(['drain m-held pool-removed', 'retire m-1 pool-removed']);
  });

  test('is never ended in a paused pool', () => {
    const pools = [poolView(wanting(1, { maxBuilds: 1 }), { memory: memory({ paused: true }) })];
    expect(ended(observation({ pools, machines: ready(1, { builds: 9 }) }))).toEqual([]);
  });
});

describe('an outdated machine', () => {
  const drifted = { spec: 'spec-0' };

  test('is replaced one in ten at a time, the most used first', () => {
    const machines = ready(20, drifted).map((each, index) => ({ ...each, builds: index % 10 }));
    const seen = observation({ pools: [wanting(20)], machines });
    expect(ended(seen)).toEqual(['retire m-09 drift', 'retire m-19 drift']);
    expect(launched(seen)).toBe(2);
  });

  test('is one at least, in a small pool', () => {
    expect(ended(observation({ pools: [wanting(2)], machines: ready(2, drifted) }))).toEqual([
      'retire m-00 drift',
    ]);
  });

  test.each<[string, Partial<Observation>]>([
    [
      'a replacement is still coming',
      { machines: [...ready(2, drifted), machine({ id: 'c', phase: 'provisioning' })] },
    ],
    [
      'another one still ends',
      { machines: [...ready(2, drifted), machine({ id: 'e', phase: 'terminating', endAskedAt: NOON })] },
    ],
    ['machines are missing', { machines: ready(1, drifted) }],
    ['jobs wait', { leases: creates(5) }],
    ['the current options are not known', { currentSpecs: new Map([['linux', null]]) }],
    ['retirements are frozen', { frozenUntil: NOON + 1 }],
  ])('stays while %s', (_, over) => {
    const { pools: _pools, ...rest } = observation({ machines: ready(2, drifted) });
    expect(ended(observation({ ...rest, ...over, pools: [wanting(2)] }))).toEqual([]);
  });

  test('stays while launches rest: an old machine is better than none', () => {
    const outcome = { kind: 'insufficient-capacity', scope: 'offering', code: 'ICE', message: '' } as const;
    const rests: Rest[] = [
      {
        key: `${SITE}/offering:m5.large:eu-central-1a:spot`,
        outcome,
        failures: 1,
        since: NOON,
        until: NOON + MINUTE_MS,
      },
    ];
    expect(ended(observation({ pools: [wanting(2)], machines: ready(2, drifted), rests }))).toEqual([]);
  });

  test('with a job is marked at once and ends with its lease', () => {
    const jobs = [1, 2, 3].map((index) => leased(`m-${index}`, { job: true, machine: drifted }));
    const seen = observation({
      machines: jobs.map((each) => each.machine),
      leases: jobs.map((each) => each.lease),
    });
    expect(ended(seen)).toEqual(['drain m-1 drift', 'drain m-2 drift', 'drain m-3 drift']);
  });

  test('that a runner merely holds is replaced at the same pace, after the free ones', () => {
    const holds = [1, 2].map((index) => leased(`h-${index}`, { machine: drifted }));
    const seen = (machines: Observation['machines']) =>
      observation({ pools: [wanting(2)], machines, leases: holds.map((each) => each.lease) });
    const held = holds.map((each) => each.machine);
    expect(ended(seen([...held, ...ready(1, drifted)]))).toEqual(['retire m-00 drift']);
    expect(ended(seen(held))).toEqual(['drain h-1 drift']);
  });

  test('by age is replaced at the same pace', () => {
    const pools = [wanting(3, { maxAgeMs: HOUR_MS })];
    const machines = ready(3, { createdAt: NOON - HOUR_MS });
    expect(ended(observation({ pools, machines }))).toEqual(['retire m-00 max-age']);
  });
});
