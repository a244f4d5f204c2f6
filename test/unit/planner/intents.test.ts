import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/domain/observation.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  freshList,
  instanceOf,
  launch,
  machine,
  NOON,
  observation,
  poolSpec,
  SITE,
} from '../../support/builders.ts';

function acts(seen: Observation): string[] {
  return planTick(seen, counter()).actions.map((action) => {
    const what = 'machine' in action ? action.machine : 'token' in action ? action.token : '';
    const on = action.kind === 'match' ? ` ${action.instance.id}` : '';
    return `${action.kind} ${what}${on} ${action.reason.code}`;
  });
}

/** Machines of one launch that wait for its answer, asked for that long ago. */
function intent(age: number, over: { sends?: number; ids?: string[] } = {}) {
  const at = NOON - age;
  const ids = over.ids ?? ['m-1'];
  const row = { phase: 'requested', launch: 't-1', since: at, createdAt: at } as const;
  return {
    machines: ids.map((id) => machine({ id, ...row })),
    launches: [launch({ token: 't-1', machines: ids, at, sends: over.sends ?? 1 })],
  };
}

function instance(id: string, over: Parameters<typeof instanceOf>[1] = {}) {
  return instanceOf(machine({ launch: 't-1' }), { id, ...over });
}

function listed(...instances: ReturnType<typeof instance>[]): Observation['instances'] {
  return new Map([[SITE, freshList(instances)]]);
}

describe('a launch whose answer was lost', () => {
  test('is matched by its tag, in the order of ids', () => {
    const seen = observation({
      ...intent(5 * SECOND_MS, { ids: ['m-2', 'm-1'] }),
      instances: listed(instance('i-b'), instance('i-a')),
    });
    expect(acts(seen)).toEqual([
      'match m-1 i-a launched',
      'match m-2 i-b launched',
      'provision m-1 provisioning',
      'provision m-2 provisioning',
    ]);
  });

  test('leaves ended instances and those of others alone', () => {
    const foreign = instance('i-b', {
      tags: { 'hostler:manager': 'other', 'hostler:launch': 't-1', 'hostler:owner': 'ci' },
    });
    const seen = observation({
      ...intent(SECOND_MS),
      instances: listed(instance('i-a', { state: 'terminated' }), foreign),
    });
    expect(acts(seen)).toEqual([]);
  });

  test.each([
    [0, 0, true],
    [9, 1, false],
    [10, 1, true],
    [29, 2, false],
    [30, 2, true],
    [310, 5, true],
    [599, 6, false],
  ])('is asked again with its token: %i s old, sent %i times → %s', (seconds, sends, again) => {
    const seen = observation(intent(seconds * SECOND_MS, { sends }));
    expect(acts(seen)).toEqual(again ? ['resend t-1 launch-unknown'] : []);
  });

  test('is asked again one by one when the daemon was away for long', () => {
    const seen = observation(intent(5 * MINUTE_MS));
    const first = planTick(seen, counter());
    expect(first.actions).toMatchObject([{ kind: 'resend', token: 't-1' }]);
    const launches = [launch({ token: 't-1', at: NOON - 5 * MINUTE_MS, sends: 2 })];
    const soon = { ...seen, launches, orphansSeen: first.orphans };
    expect(acts({ ...soon, now: NOON + 9 * SECOND_MS })).toEqual([]);
    expect(acts({ ...soon, now: NOON + 10 * SECOND_MS })).toEqual(['resend t-1 launch-unknown']);
  });

  test('is asked again no more often than failing launches are, however many answers were lost', () => {
    const ids = Array.from({ length: 20 }, (_, index) => `${index + 10}`);
    const at = NOON - 5 * MINUTE_MS;
    const row = { phase: 'requested', since: at, createdAt: at } as const;
    const seen = observation({
      machines: ids.map((id) => machine({ id: `m-${id}`, launch: `t-${id}`, ...row })),
      launches: ids.map((id) => launch({ token: `t-${id}`, machines: [`m-${id}`], at, sends: 1 })),
      budgets: new Map([[SITE, { launches: 50, instances: 1_000 }]]),
    });
    const resends = (plan: ReturnType<typeof planTick>) =>
      plan.actions.flatMap((action) => (action.kind === 'resend' ? [action.token] : []));
    const first = planTick(seen, counter());
    expect(resends(first)).toEqual(ids.slice(0, 6).map((id) => `t-${id}`));
    const later = { ...seen, orphansSeen: first.orphans, now: NOON + 50 * SECOND_MS };
    expect(resends(planTick(later, counter()))).toEqual([]);
    const next = { ...later, now: NOON + MINUTE_MS };
    expect(resends(planTick(next, counter()))).toHaveLength(6);
  });

  test('waits for a call token, and for the end of an account’s rest', () => {
    const outcome = {
      kind: 'throttled',
      scope: 'account',
      code: 'RequestLimitExceeded',
      message: '',
    } as const;
    const rest = { key: `${SITE}/account`, outcome, failures: 1, since: NOON, until: NOON + 4 * SECOND_MS };
    expect(acts(observation({ ...intent(MINUTE_MS), budgets: new Map() }))).toEqual([]);
    const resting = observation({ ...intent(MINUTE_MS), rests: [rest] });
    expect(acts(resting)).toEqual([]);
    expect(planTick(resting, counter()).wakeAt).toBe(NOON + 4 * SECOND_MS);
  });

  test('counts as coming: nothing is launched in its place', () => {
    const seen = observation({ ...intent(SECOND_MS), pools: [poolSpec({ maxComing: 1 })] });
    expect(planTick(seen, counter()).pools).toMatchObject([{ coming: 1 }]);
  });

  test('is forgotten after ten minutes and two listings a minute apart', () => {
    const seen = (first: number | null) =>
      observation({
        ...intent(11 * MINUTE_MS, { sends: 6 }),
        instances: listed(),
        orphansSeen: new Map(first === null ? [] : [['launch:t-1', first]]),
      });
    expect(acts(seen(null))).toEqual([]);
    expect(acts(seen(NOON - MINUTE_MS))).toEqual(['forget-launch t-1 launch-lost']);
  });

  test('is never forgotten while EC2 cannot be listed', () => {
    const seen = observation({
      ...intent(60 * MINUTE_MS, { sends: 6 }),
      instances: new Map([[SITE, { kind: 'failed', why: 'down' }]]),
      orphansSeen: new Map([['launch:t-1', NOON - 30 * MINUTE_MS]]),
    });
    expect(acts(seen)).toEqual([]);
  });

  test('makes room for another one in the plan that forgets it', () => {
    const seen = observation({
      ...intent(11 * MINUTE_MS, { sends: 6 }),
      pools: [poolSpec({ limit: 1 })],
      instances: listed(),
      orphansSeen: new Map([['launch:t-1', NOON - MINUTE_MS]]),
    });
    const [size] = planTick(seen, counter()).pools;
    expect(size).toMatchObject({ coming: 0 });
  });

  test('is settled when all its machines have instances or are gone', () => {
    const settled = machine({ launch: 't-1' });
    expect(acts(observation({ machines: [settled], launches: [launch({ token: 't-1' })] }))).toEqual([
      'forget-launch t-1 launched',
    ]);
    expect(acts(observation({ launches: [launch({ token: 't-1' })] }))).toEqual([
      'forget-launch t-1 launch-lost',
    ]);
  });
});

describe('a requested machine whose launch is settled', () => {
  test('is buried when a listing a minute later shows no instance for it', () => {
    const at = (age: number) => observation({ machines: intent(age).machines, instances: listed() });
    expect(acts(at(59 * SECOND_MS))).toEqual([]);
    expect(acts(at(MINUTE_MS))).toEqual(['bury m-1 launch-lost']);
  });
});
