import { describe, expect, test } from 'vitest';
import type { Instance } from '../../../src/domain/instance.ts';
import type { Machine } from '../../../src/domain/machine.ts';
import type { Observation } from '../../../src/domain/observation.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  freshList,
  instanceOf,
  launch,
  launchSpec,
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

/** What happens to machines, one line each. */
function fates(seen: Observation): string[] {
  return planTick(seen, counter()).actions.flatMap((action) => {
    if ('machine' in action) return [`${action.kind} ${action.machine} ${action.reason.code}`];
    return action.kind === 'terminate' ? [`terminate ${action.machines.join(' ')}`] : [];
  });
}

function listing(...instances: Instance[]): Observation['instances'] {
  return new Map([[SITE, freshList(instances)]]);
}

/** A pool that wants one idle machine, so that nothing ends for being idle. */
const pools = [poolSpec({ ownSchedule: schedule({ idleCount: 1 }) })];
const noLaunch = new Map([[SITE, { launches: 0, instances: 0 }]]);

function one(of: Machine, over: Partial<Observation> = {}): Observation {
  return observation({ budgets: noLaunch, machines: [of], ...over, pools });
}

describe('a boot', () => {
  test.each(['booting', 'provisioning'] as const)('that hangs in %s is ended after boot_timeout', (phase) => {
    const at = (age: number) => machine({ phase, createdAt: NOON - age, since: NOON - age });
    expect(fates(one(at(5 * MINUTE_MS)))).toEqual(['retire m-1 boot-timeout', 'terminate m-1']);
    expect(fates(one(at(5 * MINUTE_MS - 1))).filter((fate) => fate.includes('retire'))).toEqual([]);
  });

  test('is looked at again when its time is over', () => {
    const begun = NOON - 5 * MINUTE_MS + 3 * SECOND_MS;
    const seen = one(machine({ phase: 'provisioning', createdAt: begun, since: begun }));
    expect(planTick(seen, counter()).wakeAt).toBe(NOON + 3 * SECOND_MS);
  });

  test('has its time from the launch, however late SSH let us in', () => {
    const late = { phase: 'provisioning', createdAt: NOON - 5 * MINUTE_MS, since: NOON - SECOND_MS } as const;
    expect(fates(one(machine(late)))).toEqual(['retire m-1 boot-timeout', 'terminate m-1']);
  });

  test('of a host that was taken back just before its time has all of it from then: it may run a job', () => {
    const back = {
      phase: 'booting',
      hostKeys: [],
      createdAt: NOON - 5 * MINUTE_MS,
      since: NOON - 10 * SECOND_MS,
    } as const;
    expect(fates(one(machine(back))).join()).not.toContain('boot-timeout');
  });

  test('of a host that was taken back long after its launch has its time from then', () => {
    const at = (since: number) => one(machine({ phase: 'booting', createdAt: NOON - HOUR_MS, since }));
    expect(fates(at(NOON - 5 * MINUTE_MS + 1))).toEqual(['provision m-1 provisioning']);
    expect(fates(at(NOON - 5 * MINUTE_MS))).toEqual(['retire m-1 boot-timeout', 'terminate m-1']);
  });

  test('is provisioned as soon as the address is known', () => {
    expect(fates(one(machine({ phase: 'booting' })))).toEqual(['provision m-1 provisioning']);
  });

  test('gets the public address that EC2 shows only later', () => {
    const publicPool = poolSpec({ launch: launchSpec({ usePrivateAddress: false }) });
    const booting = machine({ phase: 'booting', address: null });
    const seen = (publicAddress: string | null) =>
      observation({
        pools: [publicPool],
        machines: [booting],
        instances: listing(instanceOf(booting, { publicAddress })),
      });
    expect(fates(seen(null))).toEqual([]);
    expect(fates(seen('192.0.2.1'))).toEqual(['match m-1 launched', 'provision m-1 provisioning']);
  });
});

describe('a machine that runs', () => {
  test.each([
    [2, []],
    [3, ['retire m-1 unhealthy', 'terminate m-1']],
  ])('is ended after %i failed pings: %j', (failedPings, expected) => {
    expect(fates(one(machine({ failedPings })))).toEqual(expected);
  });

  test('is drained, not ended, when it dies in a runner’s hands', () => {
    const { machine: held, lease } = leased('m-1', { machine: { failedPings: 3 } });
    expect(fates(one(held, { leases: [lease] }))).toEqual(['drain m-1 unhealthy']);
  });

  test('is not drained twice', () => {
    const { machine: held, lease } = leased('m-1', { machine: { failedPings: 3, ending: 'unhealthy' } });
    expect(fates(one(held, { leases: [lease] }))).toEqual([]);
  });

  test('ends when its lease does, if it was marked', () => {
    expect(fates(one(machine({ phase: 'draining', ending: 'max-builds' })))).toEqual([
      'retire m-1 max-builds',
      'terminate m-1',
    ]);
  });

  test('waits for the end of its cleaning', () => {
    expect(fates(one(machine({ phase: 'leased', cleaning: true, ending: 'max-builds' })))).toEqual([]);
  });

  test.each(['shutting-down', 'stopping', 'stopped'] as const)('whose instance is %s is ended', (state) => {
    const ready = machine();
    expect(fates(one(ready, { instances: listing(instanceOf(ready, { state })) }))).toEqual([
      'retire m-1 instance-gone',
      'terminate m-1',
    ]);
  });

  test('is buried when EC2 shows it terminated, also with a lease', () => {
    const { machine: held, lease } = leased('m-1', { job: true });
    const gone = instanceOf(held, { state: 'terminated', stateReason: 'Server.SpotInstanceTermination' });
    expect(fates(one(held, { leases: [lease], instances: listing(gone) }))).toEqual([
      'bury m-1 instance-gone',
    ]);
  });

  test('that no listing shows is ended after two looks, each newer than what we know', () => {
    const ready = machine({ since: NOON - HOUR_MS });
    const seen = (first: number | null, at = NOON) =>
      one(ready, {
        instances: new Map([[SITE, freshList([], at)]]),
        orphansSeen: new Map(first === null ? [] : [['absent:m-1', first]]),
      });
    expect(fates(seen(null))).toEqual([]);
    expect(planTick(seen(null), counter()).orphans).toEqual(new Map([['absent:m-1', NOON]]));
    expect(fates(seen(NOON - 59 * SECOND_MS))).toEqual([]);
    expect(fates(seen(NOON - MINUTE_MS))).toEqual(['retire m-1 instance-gone', 'terminate m-1']);
    // One listing seen twice is one look.
    expect(fates(seen(NOON - MINUTE_MS, NOON - MINUTE_MS))).toEqual([]);
  });

  test('is not missed by a listing that is older than the machine', () => {
    const young = machine({ since: NOON - 30 * SECOND_MS });
    const seen = one(young, { instances: listing(), orphansSeen: new Map([['absent:m-1', NOON - HOUR_MS]]) });
    expect(fates(seen)).toEqual([]);
  });

  test('with a lease is only drained when no listing shows it', () => {
    const { machine: held, lease } = leased('m-1', { job: true });
    const orphansSeen = new Map([['absent:m-1', NOON - MINUTE_MS]]);
    expect(fates(one(held, { leases: [lease], instances: listing(), orphansSeen }))).toEqual([
      'drain m-1 instance-gone',
    ]);
  });

  test('marked by a person ends in a paused pool too, one that failed does not', () => {
    const paused = [poolView(poolSpec(), { memory: memory({ paused: true }) })];
    const seen = (ending: Machine['ending']) => ({ ...one(machine({ ending })), pools: paused });
    expect(fates(seen('by-person'))).toEqual(['retire m-1 by-person', 'terminate m-1']);
    expect(fates(seen('unhealthy'))).toEqual([]);
  });
});

describe('an ending machine', () => {
  const ending = (over: Partial<Machine> = {}) =>
    machine({ phase: 'terminating', ending: 'idle-time', since: NOON - MINUTE_MS, ...over });

  test('is terminated at once if that was never asked', () => {
    expect(fates(one(ending()))).toEqual(['terminate m-1']);
  });

  test.each([
    [29, []],
    [30, ['terminate m-1']],
  ])('still running %i s after the call: %j', (seconds, expected) => {
    expect(fates(one(ending({ endAskedAt: NOON - seconds * SECOND_MS, endAccepted: true })))).toEqual(
      expected,
    );
  });

  test('is asked about ever more rarely, at most every five minutes', () => {
    const old = (asked: number) => ending({ since: NOON - 5 * HOUR_MS, endAskedAt: NOON - asked });
    expect(fates(one(old(5 * MINUTE_MS - 1)))).toEqual([]);
    expect(fates(one(old(5 * MINUTE_MS)))).toEqual(['terminate m-1']);
  });

  test('is not asked about again on a listing from before the call', () => {
    const asked = ending({ endAskedAt: NOON - MINUTE_MS });
    const old = new Map([[SITE, freshList([instanceOf(asked)], NOON - MINUTE_MS)]]);
    expect(fates(one(asked, { instances: old }))).toEqual([]);
  });

  test('is left to EC2 while it shuts down, and buried when it is terminated', () => {
    const asked = ending({ endAskedAt: NOON - MINUTE_MS });
    const shown = (state: Instance['state']) =>
      one(asked, { instances: listing(instanceOf(asked, { state })) });
    expect(fates(shown('shutting-down'))).toEqual([]);
    expect(fates(shown('terminated'))).toEqual(['bury m-1 idle-time']);
  });

  test('is buried when no listing shows it a minute after the call', () => {
    const seen = (seconds: number) =>
      one(ending({ endAskedAt: NOON - seconds * SECOND_MS }), { instances: listing() });
    expect(fates(seen(59))).toEqual([]);
    expect(fates(seen(60))).toEqual(['bury m-1 idle-time']);
  });

  test('without an instance is buried once its launch is settled', () => {
    const never = ending({ instance: null, launch: 't-1' });
    expect(fates(one(never, { launches: [launch({ token: 't-1' })] }))).toEqual([]);
    expect(fates(one(never))).toEqual(['bury m-1 idle-time']);
  });

  test('stays as it is while EC2 cannot be listed', () => {
    expect(fates(one(ending(), { instances: new Map([[SITE, { kind: 'failed', why: 'down' }]]) }))).toEqual(
      [],
    );
  });
});
