import { describe, expect, test } from 'vitest';
import { type Instance, TAG } from '../../../src/domain/instance.ts';
import type { Observation } from '../../../src/domain/observation.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { planTick } from '../../../src/planner/plan.ts';
import {
  counter,
  creates,
  freshList,
  instanceOf,
  launchSpec,
  machine,
  memory,
  NOON,
  observation,
  poolSpec,
  poolView,
  SITE,
} from '../../support/builders.ts';

const stranger = instanceOf(machine({ id: 'x' }));
const looked = new Map([['i-x', NOON - MINUTE_MS]]);

function withTags(tags: Record<string, string | undefined>): Instance {
  const all = Object.entries({ ...stranger.tags, ...tags }).filter(([, value]) => value !== undefined);
  return { ...stranger, tags: Object.fromEntries(all) as Record<string, string> };
}

function seen(instance: Instance, over: Parameters<typeof observation>[0] = {}): Observation {
  return observation({ instances: new Map([[SITE, freshList([instance])]]), orphansSeen: looked, ...over });
}

function acts(of: Observation): string[] {
  return planTick(of, counter()).actions.map((action) => `${action.kind} ${action.reason.code}`);
}

describe('an instance of this manager without a record', () => {
  test('is looked at twice, a minute apart, before anything happens', () => {
    expect(acts(seen(stranger, { orphansSeen: new Map() }))).toEqual([]);
    expect(planTick(seen(stranger, { orphansSeen: new Map() }), counter()).orphans).toEqual(
      new Map([['i-x', NOON]]),
    );
    expect(acts(seen(stranger, { orphansSeen: new Map([['i-x', NOON - 59 * SECOND_MS]]) }))).toEqual([]);
  });

  test('stands against the limits before it is taken back: a launch beside it would pass them', () => {
    const young = { orphansSeen: new Map(), leases: creates(1) };
    expect(acts(seen(stranger, { ...young, pools: [poolSpec({ limit: 1 })] }))).toEqual([]);
    expect(acts(seen(stranger, { ...young, maxMachines: 1 }))).toEqual([]);
    expect(acts(seen(stranger, { ...young, pools: [poolSpec({ limit: 2 })] }))).toEqual(['launch demand']);
  });

  test('stands against the limits, and stays looked at, while the list that showed it is stale', () => {
    const stale = { kind: 'stale', value: [stranger], at: NOON - MINUTE_MS, why: 'down' } as const;
    const over = { leases: creates(1), pools: [poolSpec({ limit: 1 })], instances: new Map([[SITE, stale]]) };
    expect(acts(seen(stranger, over))).toEqual([]);
    expect(planTick(seen(stranger, over), counter()).orphans).toEqual(looked);
  });

  test('is adopted by its pool and provisioned anew', () => {
    const plan = planTick(seen(stranger), counter());
    expect(plan.actions).toMatchObject([
      { kind: 'adopt', pool: 'linux', machine: 'm-new-0001', site: SITE },
      { kind: 'provision', machine: 'm-new-0001' },
    ]);
  });

  test('is adopted beyond the limit too: it may run a job', () => {
    const pools = [poolSpec({ limit: 1 })];
    const recorded = machine({ phase: 'provisioning' });
    const instances = new Map([[SITE, freshList([stranger, instanceOf(recorded)])]]);
    expect(acts(seen(stranger, { pools, machines: [recorded], instances }))).toEqual([
      'adopt adopted',
      'provision provisioning',
    ]);
  });

  test('counts as coming from then on', () => {
    expect(planTick(seen(stranger), counter()).pools).toMatchObject([{ coming: 1 }]);
  });

  test.each<[string, Instance, Parameters<typeof observation>[0]]>([
    ['its pool is not configured', withTags({ [TAG.pool]: 'gone' }), {}],
    ['it is stopped', { ...stranger, state: 'stopped' }, {}],
    ['its launch is unknown', withTags({ [TAG.launch]: undefined }), {}],
    ['it is too old', { ...stranger, launchedAt: NOON - 24 * HOUR_MS }, {}],
    [
      'its pool is drained',
      stranger,
      { pools: [poolView(poolSpec(), { memory: memory({ draining: true }) })] },
    ],
    [
      'its pool moved to another site',
      stranger,
      { pools: [poolSpec({ launch: launchSpec({ site: { ...launchSpec().site, key: 'elsewhere' } }) })] },
    ],
  ])('is ended when %s', (_, instance, over) => {
    expect(acts(seen(instance, over))).toEqual(['end-orphan orphan']);
  });

  test('is ended again only after half a minute', () => {
    const gone = withTags({ [TAG.pool]: 'gone' });
    const asked = (seconds: number) =>
      seen(gone, { orphansSeen: new Map([...looked, ['end:i-x', NOON - seconds * SECOND_MS]]) });
    expect(acts(asked(29))).toEqual([]);
    expect(acts(asked(30))).toEqual(['end-orphan orphan']);
  });

  test('is forgotten when it ends by itself', () => {
    const plan = planTick(seen({ ...stranger, state: 'shutting-down' }), counter());
    expect([plan.actions, plan.orphans.size]).toEqual([[], 0]);
  });
});

describe('an instance of another manager', () => {
  const foreign = withTags({ [TAG.manager]: 'manager-2' });

  test('is never touched, and mentioned', () => {
    const plan = planTick(seen(foreign), counter());
    expect(plan.actions).toEqual([]);
    expect(plan.pools[0]?.reasons.map(({ code }) => code)).toContain('other-manager');
  });

  test('is adopted only with takeover', () => {
    expect(acts(seen(foreign, { takeover: true }))[0]).toBe('adopt adopted');
  });

  test('of another owner is not touched even with takeover', () => {
    const other = withTags({ [TAG.manager]: 'manager-2', [TAG.owner]: 'someone' });
    expect(acts(seen(other, { takeover: true }))).toEqual([]);
  });

  test('without any manager tag is not ours', () => {
    expect(acts(seen(withTags({ [TAG.manager]: undefined })))).toEqual([]);
  });
});
