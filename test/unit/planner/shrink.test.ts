import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/domain/observation.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  creates,
  freshList,
  leased,
  machine,
  memory,
  NOON,
  observation,
  period,
  poolSpec,
  poolView,
  SITE,
  schedule,
} from '../../support/builders.ts';

function ended(seen: Observation): [string, string][] {
  return planTick(seen, counter()).actions.flatMap((action): [string, string][] =>
    action.kind === 'retire' || action.kind === 'drain' ? [[action.machine, action.reason.code]] : [],
  );
}

function retired(seen: Observation): string[] {
  return ended(seen).map(([id]) => id);
}

/** Idle for that long. */
function idle(id: string, ms: number, over: object = {}) {
  return machine({ id, since: NOON - ms, readyAt: NOON - ms, idleSince: NOON - ms, ...over });
}

const halfHour = 30 * MINUTE_MS;

describe('an idle machine beyond the wants', () => {
  test('goes when IdleTime is over, not before', () => {
    const machines = [idle('m-1', halfHour - 1), idle('m-2', halfHour)];
    expect(ended(observation({ machines }))).toEqual([['m-2', 'idle-time']]);
  });

  test('is waited for exactly: the next look is at the even second in which its IdleTime is over', () => {
    const wakeAt = (leftMs: number) =>
      planTick(observation({ machines: [idle('m-1', halfHour - leftMs)] }), counter()).wakeAt;
    expect([6_000, 6_001, 7_000, 8_000].map((leftMs) => wakeAt(leftMs) - NOON)).toEqual([
      6_000, 8_000, 8_000, 8_000,
    ]);
  });

  test('goes together with those whose IdleTime ends within two seconds of its own, none of them early', () => {
    const machines = [1, 700, 1_400, 2_000, 2_001].map((leftMs, at) => idle(`m-${at}`, halfHour - leftMs));
    const at = (ms: number) => retired(observation({ now: NOON + ms, machines }));
    expect(at(1_999)).toEqual([]);
    expect(at(2_000)).toEqual(['m-0', 'm-1', 'm-2', 'm-3']);
    expect(at(4_000)).toHaveLength(5);
  });

  test('counts its idle time from its last job, not from its first readiness', () => {
    const used = idle('m-1', 2 * HOUR_MS, { idleSince: NOON - MINUTE_MS });
    expect(retired(observation({ machines: [used] }))).toEqual([]);
  });

  test('goes most used first, ties by id', () => {
    const pools = [poolSpec({ ownSchedule: schedule({ idleCount: 1 }) })];
    const machines = [
      idle('m-1', HOUR_MS, { builds: 1 }),
      idle('m-4', HOUR_MS, { builds: 7 }),
      idle('m-3', HOUR_MS, { builds: 7 }),
      idle('m-2', HOUR_MS),
    ];
    expect(retired(observation({ pools, machines }))).toEqual(['m-1', 'm-3', 'm-4']);
  });

  test('stays when a create waits for it', () => {
    expect(retired(observation({ machines: [idle('m-1', HOUR_MS)], leases: creates(1) }))).toEqual([]);
  });

  test('stays when a period that begins within one boot wants it', () => {
    const own = schedule({ idleCount: 0 }, [period('* * 13-17 * * * *', { idleCount: 1 })]);
    const at = (now: number) => {
      const machines = [idle('m-1', HOUR_MS)];
      return retired({ ...observation({ pools: [poolSpec({ ownSchedule: own })], machines }), now });
    };
    const one = Date.UTC(2026, 10, 23, 13);
    expect(at(one - 41 * SECOND_MS)).toEqual(['m-1']);
    expect(at(one - 40 * SECOND_MS)).toEqual([]);
  });

  test.each([
    ['a job runs on it', { job: true }],
    ['a runner holds it', { job: false }],
  ])('is not idle while %s', (_, over) => {
    const { machine: held, lease } = leased('m-1', { ...over, machine: { idleSince: NOON - 9 * HOUR_MS } });
    expect(ended(observation({ machines: [held], leases: [lease] }))).toEqual([]);
  });

  test.each([
    ['it is being cleaned', { cleaning: true }],
    ['its own phase says so', { phase: 'provisioning' as const }],
  ])('stays while %s', (_, over) => {
    expect(retired(observation({ machines: [idle('m-1', MINUTE_MS, over)] }))).toEqual([]);
  });

  test('stays in a paused pool, and goes at once in a drained one', () => {
    const machines = [idle('m-1', HOUR_MS), idle('m-2', 0)];
    const seen = (state: object) =>
      observation({ pools: [poolView(poolSpec(), { memory: memory(state) })], machines });
    expect(ended(seen({ paused: true }))).toEqual([]);
    expect(ended(seen({ draining: true }))).toEqual([
      ['m-1', 'draining-pool'],
      ['m-2', 'draining-pool'],
    ]);
  });

  test('stays while retirements are frozen after a clock jump', () => {
    const seen = observation({ machines: [idle('m-1', HOUR_MS)], frozenUntil: NOON + 9 * SECOND_MS });
    const plan = planTick(seen, counter());
    expect(plan.actions).toEqual([]);
    expect(plan.wakeAt).toBe(NOON + 9 * SECOND_MS);
    expect(plan.pools[0]?.reasons.map(({ code }) => code)).toContain('retire-frozen');
    expect(retired({ ...seen, now: NOON + 9 * SECOND_MS })).toEqual(['m-1']);
  });

  test.each([
    ['failed', { kind: 'failed', why: 'down' }],
    ['stale', { kind: 'stale', value: [], at: NOON - HOUR_MS, why: 'down' }],
  ] as const)('stays while the list of instances is %s', (_, source) => {
    const seen = observation({ machines: [idle('m-1', HOUR_MS)], instances: new Map([[SITE, source]]) });
    expect(planTick(seen, counter()).actions).toEqual([]);
  });

  test('is terminated in the plan that retires it, in one call for all', () => {
    const seen = observation({ machines: [idle('m-2', HOUR_MS), idle('m-1', HOUR_MS)] });
    const calls = planTick(seen, counter()).actions.filter(({ kind }) => kind === 'terminate');
    expect(calls).toMatchObject([{ site: SITE, machines: ['m-1', 'm-2'] }]);
  });
});

describe('machines beyond the limit', () => {
  const pools = [poolSpec({ limit: 2, ownSchedule: schedule({ idleCount: 5 }) })];

  test('go at once when they are idle, the most used first', () => {
    const machines = [idle('m-1', 0), idle('m-2', 0, { builds: 3 }), idle('m-3', 0)];
    expect(ended(observation({ pools, machines }))).toEqual([['m-2', 'over-limit']]);
  });

  test('stay when runners hold them', () => {
    const held = [1, 2, 3].map((index) => leased(`m-${index}`));
    const seen = observation({
      pools,
      machines: held.map((each) => each.machine),
      leases: held.map((each) => each.lease),
    });
    expect(ended(seen)).toEqual([]);
  });

  test('are let come when they still boot', () => {
    const machines = [1, 2, 3].map((index) => machine({ id: `m-${index}`, phase: 'provisioning' }));
    expect(ended(observation({ pools, machines }))).toEqual([]);
  });

  test('do not count those that end already', () => {
    const ending = machine({ id: 'm-0', phase: 'terminating', endAskedAt: NOON });
    const seen = observation({ pools, machines: [ending, idle('m-1', 0), idle('m-2', 0)] });
    expect(ended({ ...seen, instances: new Map([[SITE, freshList([])]]) })).toEqual([]);
  });
});
