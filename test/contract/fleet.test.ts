// Fleets and spot requests through the cloud port against the emulated cloud: what they bring, what they say when they
// do not, and that nothing is launched twice.
import { describe, expect, test } from 'vitest';
import type { LaunchSpec } from '../../src/domain/config.ts';
import { TAG } from '../../src/domain/instance.ts';
import type { LaunchAnswer } from '../../src/ports/cloud.ts';
import { type CloudStage, defaultSubnets, startCloudStage } from '../support/cloud-stage.ts';
import { forever } from '../unit/adapters/aws/specimens.ts';

const types = ['m5.large', 'm6i.large', 'm5a.large'];
const zones = ['a', 'b', 'c'].map((letter) => `eu-central-1${letter}`);

/** A spot pool with three types in three zones. */
const many: Partial<LaunchSpec> = {
  instanceType: 'm5.large',
  instanceTypes: types,
  market: 'spot',
  markets: ['spot'],
};

const stage = (options: Parameters<typeof startCloudStage>[0] = {}, spec: Partial<LaunchSpec> = {}) =>
  startCloudStage(options, (emulator) => ({ ...many, subnetIds: defaultSubnets(emulator), ...spec }));

/** Launched, or the test fails with what EC2 said. */
function launched(answer: LaunchAnswer) {
  if (answer.kind !== 'launched') throw new Error(JSON.stringify(answer));
  return answer;
}

const none = (market: 'spot' | 'on-demand', some = types) =>
  some.flatMap((type) => zones.map((zone) => ({ type, zone, market, count: 0 })));

describe('a fleet', () => {
  test('brings machines of several places in one call, with type, zone, market, address and tags', async () => {
    const { launch, cloud, emulator } = await stage({
      capacity: types.flatMap((type) => zones.map((zone) => ({ type, zone, market: null, count: 1 }))),
    });
    const { instances, short, refusals } = launched(await launch('t-1', 5));
    expect([instances.length, short]).toEqual([5, 0]);
    expect(refusals).toEqual([]);
    expect(new Set(instances.map(({ type, zone }) => `${type}:${zone}`)).size).toBe(5);
    for (const instance of instances) {
      expect(instance).toMatchObject({
        market: 'spot',
        tags: { [TAG.owner]: 'me', [TAG.launch]: 't-1', Name: 'hostler-build' },
      });
      expect(instance.privateAddress).toMatch(/^127\./);
    }
    expect(cloud.calls()).toMatchObject({ CreateFleet: 1, CreateLaunchTemplate: 1 });
    expect(cloud.calls()['RunInstances']).toBeUndefined();
    const [made] = emulator.world.instances();
    expect(made).toMatchObject({ shutdown: 'terminate', metadata: { tokens: 'required', hopLimit: 1 } });
    expect(Buffer.from(made?.userData ?? '', 'base64').toString()).toBe('#!/bin/sh\n');
  });

  test('takes the cheapest place that has room', async () => {
    const { launch, emulator } = await stage();
    emulator.world.prices.set({ type: 'm5a.large', zone: 'eu-central-1b' }, 0.001);
    const { instances } = launched(await launch('t-1', 3));
    expect(new Set(instances.map(({ type, zone }) => `${type}:${zone}`))).toEqual(
      new Set(['m5a.large:eu-central-1b']),
    );
  });

  test('sent again with its token brings the same machines', async () => {
    const { cloud, site, request, emulator } = await stage();
    const order = { token: 't-1', count: 3, request: await request('t-1') };
    const first = launched(await cloud.launch(site, order, forever));
    const again = launched(await cloud.launch(site, order, forever));
    const ids = (answer: typeof first) => answer.instances.map(({ id }) => id).toSorted();
    expect(ids(again)).toEqual(ids(first));
    expect(emulator.world.instances()).toHaveLength(3);
  });

  test('in a drought of five places of six takes the sixth, and names the five', async () => {
    const two = ['m5.large', 'm6i.large'];
    const { launch } = await stage(
      { capacity: none('spot', two).filter(({ type, zone }) => type !== 'm6i.large' || !zone.endsWith('c')) },
      { instanceTypes: two },
    );
    const { instances, short, refusals = [] } = launched(await launch('t-1', 4));
    expect(instances.map(({ type, zone }) => `${type}:${zone}`)).toEqual(
      Array.from({ length: 4 }, () => 'm6i.large:eu-central-1c'),
    );
    expect(short).toBe(0);
    for (const { offering, outcome } of refusals) {
      expect(outcome).toMatchObject({ kind: 'insufficient-capacity', scope: 'offering' });
      expect(`${offering?.type}:${offering?.zone}`).not.toBe('m6i.large:eu-central-1c');
    }
  });

  test('that brings a part says how many are short and by which places', async () => {
    const { launch } = await stage({
      capacity: [...none('spot'), { type: 'm5.large', zone: 'eu-central-1a', market: 'spot', count: 2 }],
    });
    const { instances, short, refusals = [] } = launched(await launch('t-1', 5));
    expect([instances.length, short]).toEqual([2, 3]);
    expect(refusals.length).toBeGreaterThanOrEqual(8);
  });

  test('that brings nothing is refused, each place with its own reason', async () => {
    const { launch, emulator } = await stage({ capacity: none('spot') });
    emulator.world.offerings.set({ type: 'm5.large', zone: 'eu-central-1a' }, false);
    const answer = await launch('t-1', 2);
    expect(answer).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'insufficient-capacity', scope: 'offering', code: 'InsufficientInstanceCapacity' },
    });
    expect(answer.kind === 'refused' && answer.refusals?.length).toBe(8);
  });

  test('at a full quota names it with its value', async () => {
    const { launch } = await stage({
      quotas: [
        { market: 'spot', class: 'standard', vcpus: 4 },
        { market: 'on-demand', class: 'standard', vcpus: 2 },
      ],
    });
    const first = launched(await launch('t-1', 5));
    expect([first.instances.length, first.short]).toEqual([2, 3]);
    const spot = await launch('t-2', 1);
    expect(spot).toMatchObject({
      kind: 'refused',
      outcome: {
        kind: 'quota',
        scope: 'market',
        quota: { id: 'L-34B43A08', class: 'standard', market: 'spot', vcpus: 4 },
        message: expect.stringMatching(
          /L-34B43A08, All Standard .* Spot Instance Requests: 4 vCPUs/,
        ) as string,
      },
    });
    const onDemand = { market: 'on-demand', markets: ['on-demand'] } as const;
    launched(await launch('t-3', 1, onDemand));
    expect(await launch('t-4', 1, onDemand)).toMatchObject({
      kind: 'refused',
      outcome: {
        kind: 'quota',
        quota: { id: 'L-1216C47A', vcpus: 2 },
        message: expect.stringMatching(/limit of 2 .*L-1216C47A.*2 vCPUs/) as string,
      },
    });
  });

  test('at a full spot quota whose value may not be read says so', async () => {
    const { launch, emulator } = await stage({
      quotas: [{ market: 'spot', class: 'standard', vcpus: 0 }],
      faults: [{ code: 'AccessDeniedException', action: 'GetServiceQuota', rate: 1 }],
    });
    for (const token of ['t-1', 't-2'])
      expect(await launch(token, 1)).toMatchObject({
        kind: 'refused',
        outcome: {
          quota: { vcpus: null },
          message: expect.stringMatching(
            /L-34B43A08.*value not known, GetServiceQuota: AccessDenied/,
          ) as string,
        },
      });
    expect(emulator.quotaCalls()).toEqual({ GetServiceQuota: 1 });
  });

  test('keeps to the cap of each machine and of all together', async () => {
    const { launch, emulator } = await stage({}, { maxPriceUsd: '0.05' });
    for (const type of types) for (const zone of zones) emulator.world.prices.set({ type, zone }, 0.06);
    expect(await launch('t-1', 2)).toMatchObject({
      kind: 'refused',
      outcome: { kind: 'price', scope: 'offering' },
    });
    emulator.world.prices.set({ type: 'm5.large', zone: 'eu-central-1a' }, 0.05);
    expect(launched(await launch('t-2', 2)).instances).toHaveLength(2);
  });

  test('on demand takes the places in their order, without a spot request', async () => {
    const { launch, emulator } = await stage(
      {
        capacity: [
          { type: 'm5.large', zone: 'eu-central-1a', market: null, count: 1 },
          { type: 'm5.large', zone: 'eu-central-1b', market: null, count: 1 },
        ],
      },
      { market: 'on-demand', markets: ['on-demand'] },
    );
    const { instances } = launched(await launch('t-1', 3));
    expect(instances.map(({ zone, market }) => `${zone} ${market}`).toSorted()).toEqual([
      'eu-central-1a on-demand',
      'eu-central-1b on-demand',
      'eu-central-1c on-demand',
    ]);
    expect(emulator.world.spotRequests()).toEqual([]);
  });

  test('on demand by need takes the cheapest place', async () => {
    const needs = {
      vcpus: { least: 4, most: 4 },
      memoryGib: { least: 8, most: 16 },
      architecture: 'x86_64',
    } as const;
    const onDemand = { market: 'on-demand', markets: ['on-demand'], ami: null } as const;
    const { launch } = await stage({}, { ...onDemand, needs, instanceTypes: [], instanceType: 'by-need' });
    const { instances } = launched(await launch('t-1', 1));
    expect(instances[0]?.type).toMatch(/^c\d\w*\.xlarge$/);
  });

  test("its spot requests carry the owner's tags", async () => {
    const { launch, cloud, site, look } = await stage();
    const { instances } = launched(await launch('t-1', 2));
    const requests = await look(
      () => cloud.listSpotRequests(site, 'me', forever),
      (seen) => seen.length === 2,
    );
    expect(new Set(requests.map(({ instance }) => instance))).toEqual(new Set(instances.map(({ id }) => id)));
    expect(requests[0]).toMatchObject({
      state: 'active',
      status: 'fulfilled',
      tags: { [TAG.owner]: 'me', [TAG.manager]: 'manager-1', [TAG.pool]: 'build' },
    });
  });

  test('an answer that never came is unknown, and the same token finds the machines', async () => {
    const { launch, emulator } = await stage({
      faults: [{ code: 'lost-answer', rate: 1, action: 'CreateFleet' }],
    });
    expect(await launch('t-1', 2)).toMatchObject({ kind: 'unknown' });
    emulator.world.faults.set({ code: 'lost-answer', rate: 0, action: 'CreateFleet' });
    expect(launched(await launch('t-1', 2)).instances).toHaveLength(2);
    expect(emulator.world.instances()).toHaveLength(2);
  });
});

describe('the launch template', () => {
  const versions = ({ emulator }: CloudStage) =>
    emulator.world
      .region('eu-central-1')
      .templates.describe({
        ids: [],
        names: [],
        filters: [],
        page: { maxResults: null, nextToken: null },
      })
      .things.map((template) => [template.name, template.versions.size]);

  test('is one, with a version for each kind of launch and none for each launch', async () => {
    const it = await stage();
    launched(await it.launch('t-1', 1));
    launched(await it.launch('t-2', 1));
    expect(versions(it)).toEqual([['hostler-me-manager1', 1]]);
    launched(await it.launch('t-3', 1, { rootSizeGb: 30 }));
    launched(await it.launch('t-4', 1, { rootSizeGb: 30 }));
    expect(versions(it)).toEqual([['hostler-me-manager1', 2]]);
  });

  test('is found again by another process', async () => {
    const it = await stage();
    launched(await it.launch('t-1', 1));
    const { createCloud } = await import('../../src/adapters/aws/create-cloud.ts');
    const { keepingLog } = await import('../unit/adapters/aws/specimens.ts');
    const second = createCloud({ clock: it.clock, log: keepingLog(), env: {} });
    const order = { token: 't-2', count: 1, request: await it.request('t-2') };
    launched(await second.launch(it.site, order, forever));
    expect(second.calls()['CreateLaunchTemplate']).toBeUndefined();
    second.close();
    expect(versions(it)).toEqual([['hostler-me-manager1', 1]]);
  });

  test('that somebody deleted is made again within the launch', async () => {
    const it = await stage();
    launched(await it.launch('t-1', 1));
    it.emulator.world.region('eu-central-1').templates.remove({ id: null, name: 'hostler-me-manager1' });
    expect(launched(await it.launch('t-2', 1)).instances).toHaveLength(1);
    expect(versions(it)).toEqual([['hostler-me-manager1', 1]]);
  });

  test('two first launches at once make one version', async () => {
    const it = await stage();
    const answers = await Promise.all([it.launch('t-1', 1), it.launch('t-2', 1), it.launch('t-3', 1)]);
    for (const answer of answers) launched(answer);
    expect(versions(it)).toEqual([['hostler-me-manager1', 1]]);
  });

  test('loses old versions, never the default nor one in use', async () => {
    const it = await stage();
    const { templates } = it.emulator.world.region('eu-central-1');
    launched(await it.launch('t-0', 1));
    const key = { id: null, name: 'hostler-me-manager1' };
    for (let old = 0; old < 30; old += 1)
      templates.createVersion(key, `of earlier ${old}`, templates.version(key, '1').data);
    launched(await it.launch('t-1', 1, { rootSizeGb: 30 }));
    const numbers = [...(templates.byId(templates.version(key, '1').template)?.versions.keys() ?? [])];
    expect(numbers).toContain(1);
    expect(numbers).toContain(32);
    expect(numbers.length).toBeLessThanOrEqual(23);
  });

  test("of the user's own is the base; given options go over it", async () => {
    const it = await stage({}, { ami: null });
    const region = it.emulator.world.region('eu-central-1');
    const { data } = await (async () => {
      launched(await it.launch('t-0', 1));
      return region.templates.version({ id: null, name: 'hostler-me-manager1' }, '1');
    })();
    const own = { ...data, imageId: 'ami-0aaaaaaaaaaaaaaaa', keyName: 'ops', profile: 'ci' };
    region.templates.create({ name: 'ours', description: '', data: own, tags: [] });
    const template = { name: 'ours', overrides: ['profile'] as const };
    const { instances } = launched(await it.launch('t-1', 1, { template, iamInstanceProfile: 'other' }));
    const made = region.instances.find(instances[0]?.id ?? '');
    expect(made).toMatchObject({ imageId: 'ami-0aaaaaaaaaaaaaaaa', keyName: 'ops', profile: 'other' });
  });
});

describe('places', () => {
  test('are types times subnets as far as EC2 offers them, with their vCPUs', async () => {
    const { cloud, spec, emulator } = await stage();
    emulator.world.offerings.set({ type: 'm6i.large', zone: 'eu-central-1b' }, false);
    const { places } = await cloud.resolve(spec, forever);
    expect(places).toHaveLength(8);
    expect(places[0]).toMatchObject({ type: 'm5.large', market: 'spot', zone: 'eu-central-1a', vcpus: 2 });
    expect(places.find(({ type, zone }) => type === 'm6i.large' && zone === 'eu-central-1b')).toBeUndefined();
  });

  test('by need are all current types of that size, smallest first', async () => {
    const { cloud, spec } = await stage();
    const needs = {
      vcpus: { least: 4, most: 8 },
      memoryGib: { least: 16, most: 16 },
      architecture: 'x86_64',
    } as const;
    const { places } = await cloud.resolve(
      { ...spec, needs, instanceTypes: [], instanceType: 'by-need', ami: null },
      forever,
    );
    const found = [...new Set(places.map(({ type }) => type))];
    expect(found).toContain('m5.xlarge');
    expect(found).toContain('c6i.2xlarge');
    expect(found.filter((type) => /^(t\d|m4|g\d|m6g)|metal/.test(type))).toEqual([]);
    expect(places.map(({ vcpus }) => vcpus)).toEqual(
      places.map(({ vcpus }) => vcpus).toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    );
  });

  test('that EC2 offers nowhere are a wrong configuration', async () => {
    const { cloud, spec, emulator } = await stage();
    for (const type of types) for (const zone of zones) emulator.world.offerings.set({ type, zone }, false);
    await expect(cloud.resolve(spec, forever)).rejects.toThrow(/offers none of m5\.large, m6i\.large/);
  });

  test('are taken as written when EC2 does not allow to ask', async () => {
    const { cloud, spec, lines } = await stage({
      faults: [{ code: 'UnauthorizedOperation', rate: 1, action: 'DescribeInstanceTypes' }],
    });
    const { places } = await cloud.resolve(spec, forever);
    expect(places).toHaveLength(9);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});
