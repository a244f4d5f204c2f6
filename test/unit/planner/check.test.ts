import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/domain/observation.ts';
import type { Action, Plan } from '../../../src/domain/plan.ts';
import { MINUTE_MS } from '../../../src/domain/units.ts';
import { breaches } from '../../../src/planner/check.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  freshList,
  instanceOf,
  launch as launchRow,
  leased,
  machine,
  memory,
  NOON,
  observation,
  poolSpec,
  poolView,
  SITE,
} from '../../support/builders.ts';

const held = leased('m-held', { job: true });
const ready = machine({ id: 'm-ready' });
const ending = machine({ id: 'm-ending', phase: 'terminating' });
const coming = machine({ id: 'm-coming', phase: 'provisioning' });
const machines = [held.machine, ready, ending, coming];
const stranger = instanceOf(machine({ id: 'x' }));
const foreign = { ...stranger, id: 'i-y', tags: { ...stranger.tags, 'hostler:manager': 'other' } };
const instances = new Map([
  [SITE, freshList([...machines.map((each) => instanceOf(each)), stranger, foreign])],
]);

function world(over: Parameters<typeof observation>[0] = {}): Observation {
  return observation({ machines, leases: [held.lease], instances, ...over });
}

/** A plan of just these actions, otherwise as the planner makes it. */
function planOf(seen: Observation, ...actions: Action[]): Plan {
  return { ...planTick(seen, counter()), actions };
}

const because = { code: 'by-person' } as const;
const offering = { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' } as const;

function launch(over: Partial<Extract<Action, { kind: 'launch' }>> = {}): Action {
  return {
    kind: 'launch',
    pool: 'linux',
    offering,
    machines: ['m-new'],
    token: 't-new',
    for: 'demand',
    reason: { code: 'demand' },
    ...over,
  };
}

const retire = (id: string): Action => ({ kind: 'retire', machine: id, reason: because });
const terminate = (...ids: string[]): Action => ({
  kind: 'terminate',
  site: SITE,
  machines: ids,
  reason: because,
});
const adopt = (instance: typeof stranger, id = 'm-new'): Action => ({
  kind: 'adopt',
  instance,
  site: SITE,
  pool: 'linux',
  machine: id,
  reason: because,
});
const failed = { instances: new Map([[SITE, { kind: 'failed', why: 'down' } as const]]) };

describe('a plan is refused that', () => {
  test.each<[string, Action[], Parameters<typeof observation>[0]]>([
    ['retires the leased machine', [retire('m-held')], {}],
    ['terminates the leased machine', [terminate('m-held')], {}],
    ['buries the leased machine', [{ kind: 'bury', machine: 'm-held', reason: because }], {}],
    ['without a fresh list', [retire('m-ready')], failed],
    ['without a fresh list', [terminate('m-ending')], failed],
    ['without a fresh list', [{ kind: 'end-orphan', instance: 'i-x', site: SITE, reason: because }], failed],
    ['which was not retired', [terminate('m-ready')], {}],
    ['at another site', [{ kind: 'terminate', site: 'other', machines: ['m-ending'], reason: because }], {}],
    ['which is not booting', [{ kind: 'provision', machine: 'm-ready', reason: because }], {}],
    [
      'while retirements are frozen',
      [{ ...retire('m-ready'), reason: { code: 'idle-time' } }],
      { frozenUntil: NOON + 1 },
    ],
    ['retire of m-ready after retire', [retire('m-ready'), retire('m-ready')], {}],
    ['a second time', [launch({ machines: ['m-ready'] })], {}],
    ['launch of m-new after launch', [launch({ machines: ['m-new', 'm-new'] })], {}],
    ['unknown machine', [retire('m-nobody')], {}],
    ['used a second time', [launch({ token: 't-1' })], { launches: [launchRow({ token: 't-1' })] }],
    ['wrong length', [launch({ token: 'x'.repeat(65) })], {}],
    ['an empty launch', [launch({ machines: [] })], {}],
    ['unknown pool', [launch({ pool: 'nobody' })], {}],
    [
      'paused or drained',
      [launch()],
      { pools: [poolView(poolSpec(), { memory: memory({ paused: true }) })] },
    ],
    ['its limit is 4', [launch()], { pools: [poolSpec({ limit: 4 })] }],
    ['max_machines is 4', [launch()], { maxMachines: 4 }],
    ['at most 1 may', [launch()], { pools: [poolSpec({ maxComing: 1 })] }],
    ['budget of 0', [launch()], { budgets: new Map([[SITE, { launches: 0, instances: 9 }]]) }],
    ['budget of 0', [launch()], { budgets: new Map([[SITE, { launches: 9, instances: 0 }]]) }],
    [
      'kept for jobs',
      [launch({ for: 'idle' })],
      { budgets: new Map([[SITE, { launches: 2, instances: 9 }]]) },
    ],
    ['which no fresh list shows', [adopt({ ...stranger, id: 'i-none' })], {}],
    ['which has a record', [adopt(instanceOf(ready))], {}],
    ['belongs to another manager', [adopt(foreign)], { orphansSeen: new Map([['i-y', NOON - MINUTE_MS]]) }],
    ['without a second look', [adopt(stranger)], {}],
  ])('… %s', (words, actions, over) => {
    const seen = world(over);
    expect(breaches(seen, planOf(seen, ...actions)).join('\n')).toContain(words);
  });

  test('gives no reason, wrong figures, or a next look in the past', () => {
    const seen = world();
    const plan = planTick(seen, counter());
    const [size] = plan.pools;
    expect(breaches(seen, { ...plan, pools: [] }).join()).toContain('nothing is said');
    expect(breaches(seen, { ...plan, wakeAt: plan.at }).join()).toContain('past');
    if (size === undefined) throw new Error('the plan has a size');
    expect(breaches(seen, { ...plan, pools: [{ ...size, reasons: [] }] }).join()).toContain('no reason');
    expect(breaches(seen, { ...plan, pools: [{ ...size, missing: -1 }] }).join()).toContain('wrong figures');
  });
});

describe('a plan passes that', () => {
  test.each<[string, Action[], Parameters<typeof observation>[0]]>([
    ['drains a leased machine', [{ kind: 'drain', machine: 'm-held', reason: because }], {}],
    ['retires and terminates a free one', [retire('m-ready'), terminate('m-ending', 'm-ready')], {}],
    ['launches up to the limit', [launch()], { pools: [poolSpec({ limit: 5 })] }],
    [
      'adopts after two looks',
      [adopt(stranger), { kind: 'provision', machine: 'm-new', reason: because }],
      { orphansSeen: new Map([['i-x', NOON - MINUTE_MS]]) },
    ],
    ['launches without a fresh list', [launch()], failed],
    [
      'finds the address of its own machine that was launched with other keys',
      [{ kind: 'match', machine: 'm-ready', instance: instanceOf(ready), reason: because }],
      { manager: 'manager-after-lost-keys' },
    ],
  ])('%s', (_, actions, over) => {
    const seen = world(over);
    expect(breaches(seen, planOf(seen, ...actions))).toEqual([]);
  });
});
