import { describe, expect, test } from 'vitest';
import type { RunRequest } from '../../../src/sim/run-request.ts';
import { ask, codeOf, createFixture, one, query, spot } from './sim-fixture.ts';

const zoneA = 'eu-central-1a';
const place = { type: 'm5.large', zone: zoneA, market: null };

describe('counts and capacity', () => {
  test('a launch brings what fits between MinCount and MaxCount', () => {
    const { region, world } = createFixture();
    world.capacity.set(place, 3);
    expect(region.runInstances(ask({ zone: zoneA, minCount: 1, maxCount: 5 }))).toHaveLength(3);
  });

  test('less than MinCount is InsufficientInstanceCapacity and starts nothing', () => {
    const { region, world, free } = createFixture({ addresses: 5 });
    world.capacity.set(place, 3);
    const call = () => region.runInstances(ask({ zone: zoneA, minCount: 4, maxCount: 5 }));
    expect(codeOf(call)).toBe('InsufficientInstanceCapacity');
    expect(world.instances()).toEqual([]);
    expect(free).toHaveLength(5);
  });

  test('capacity of one market leaves the other alone', () => {
    const { region, world } = createFixture();
    world.capacity.set({ ...place, market: 'spot' }, 0);
    expect(codeOf(() => region.runInstances(ask({ zone: zoneA, spot: spot() })))).toBe(
      'InsufficientInstanceCapacity',
    );
    expect(codeOf(() => region.runInstances(ask({ zone: zoneA })))).toBe('done');
  });

  test('without zone and subnet EC2 takes the zone with room', () => {
    const { region, world } = createFixture();
    world.capacity.set(place, 0);
    world.capacity.set({ ...place, zone: 'eu-central-1b' }, 2);
    world.capacity.set({ ...place, zone: 'eu-central-1c' }, 4);
    expect(one(region.runInstances(ask())).zone).toBe('eu-central-1c');
  });

  test('capacity given back later serves later launches', () => {
    const { region, world } = createFixture();
    world.capacity.set(place, 0);
    const call = () => region.runInstances(ask({ zone: zoneA }));
    expect(codeOf(call)).toBe('InsufficientInstanceCapacity');
    world.capacity.set(place, null);
    expect(codeOf(call)).toBe('done');
  });

  test('without free addresses nothing starts and none is lost', () => {
    const { region, free } = createFixture({ addresses: 2 });
    const call = () => region.runInstances(ask({ minCount: 3, maxCount: 3 }));
    expect(codeOf(call)).toBe('InsufficientFreeAddressesInSubnet');
    expect(free).toHaveLength(2);
  });
});

describe('client tokens', () => {
  const wish = (more: Partial<RunRequest> = {}) =>
    ask({ token: 'launch-1', minCount: 1, maxCount: 2, ...more });
  const ids = (some: readonly { id: string }[]) => some.map((instance) => instance.id);

  test('the same token launches once', () => {
    const { region, world } = createFixture();
    const first = ids(region.runInstances(wish()));
    expect(ids(region.runInstances(wish()))).toEqual(first);
    expect(world.instances()).toHaveLength(2);
  });

  test('a token that launched answers even where capacity and calls fail now', () => {
    const { region, world } = createFixture();
    const first = ids(region.runInstances(wish({ zone: zoneA })));
    world.capacity.set(place, 0);
    world.faults.set({ code: 'InsufficientInstanceCapacity', rate: 1, action: null });
    expect(ids(region.runInstances(wish({ zone: zoneA })))).toEqual(first);
  });

  test('other parameters with the same token are refused', () => {
    const { region } = createFixture();
    region.runInstances(wish());
    expect(codeOf(() => region.runInstances(wish({ type: 'm5.xlarge' })))).toBe(
      'IdempotentParameterMismatch',
    );
  });

  test('a token is zonal where the launch names a zone or subnet', () => {
    const { region } = createFixture();
    const first = ids(region.runInstances(wish({ zone: zoneA })));
    const second = ids(region.runInstances(wish({ zone: 'eu-central-1b' })));
    expect(second).not.toEqual(first);
    expect(ids(region.runInstances(wish({ zone: zoneA })))).toEqual(first);
  });

  test('a refused launch leaves its token unused', () => {
    const { region, world } = createFixture();
    world.capacity.set(place, 0);
    expect(codeOf(() => region.runInstances(wish({ zone: zoneA })))).toBe('InsufficientInstanceCapacity');
    world.capacity.set(place, 1);
    expect(region.runInstances(wish({ zone: zoneA }))).toHaveLength(1);
  });

  test('a token whose instances are all terminated is refused, also when EC2 no longer lists them', () => {
    const { region, timeline } = createFixture();
    const first = ids(region.runInstances(wish()));
    timeline.advance(5_000);
    region.terminateInstances(first.slice(0, 1));
    timeline.advance(2_000);
    expect(codeOf(() => region.runInstances(wish()))).toBe('done');
    region.terminateInstances(first);
    timeline.advance(2_000);
    expect(codeOf(() => region.runInstances(wish()))).toBe('IdempotentInstanceTerminated');
    timeline.advance(100_000);
    expect(codeOf(() => region.runInstances(wish()))).toBe('IdempotentInstanceTerminated');
  });

  test('instances are found by their token', () => {
    const { region, timeline } = createFixture();
    region.runInstances(wish());
    region.runInstances(ask({ token: 'launch-2' }));
    timeline.advance(1_000);
    const filters = [{ name: 'client-token', values: ['launch-1'] }];
    expect(region.instances.describe(query({ filters })).things).toHaveLength(2);
  });
});

describe('spot price', () => {
  test('a cap below the market is SpotMaxPriceTooLow, above it launches', () => {
    const { region } = createFixture();
    expect(codeOf(() => region.runInstances(ask({ spot: spot('0.001') })))).toBe('SpotMaxPriceTooLow');
    const instance = one(region.runInstances(ask({ spot: spot('0.05') })));
    expect(instance).toMatchObject({
      market: 'spot',
      spotRequest: expect.stringMatching(/^sir-[0-9a-f]{8}$/),
    });
  });
});

describe('requests that EC2 refuses', () => {
  const card = { subnetId: null, groupIds: [], publicAddress: null };
  const volume = { device: '/dev/sda1', sizeGb: 16, type: 'gp3', encrypted: true, deleteOnTermination: true };
  const tag = (resource: string, key = 'a') => ({ resource, tags: [{ key, value: 'b' }] });
  const many = Array.from({ length: 51 }, (_, at) => ({ key: `k${at}`, value: '' }));

  test.each<[string, Partial<RunRequest>, string]>([
    ['no image', { imageId: null }, 'MissingParameter'],
    ['an image id of the wrong shape', { imageId: 'ami-xxxx' }, 'InvalidAMIID.Malformed'],
    ['a type that cannot be', { type: 'm5.huge' }, 'InvalidParameterValue'],
    ['a size that is a word of the language', { type: 'm5.constructor' }, 'InvalidParameterValue'],
    [
      'a type of another architecture',
      { type: 'm7g.large', imageId: `resolve:ssm:${ubuntu('amd64')}` },
      'InvalidParameterValue',
    ],
    ['no counts', { minCount: null }, 'MissingParameter'],
    ['no instance at all', { minCount: 0, maxCount: 0 }, 'InvalidParameterValue'],
    ['more at least than at most', { minCount: 3, maxCount: 2 }, 'InvalidParameterValue'],
    ['a zone of another region', { zone: 'us-east-1a' }, 'InvalidParameterValue'],
    ['a subnet id of the wrong shape', { subnetId: 'subnet-zz' }, 'InvalidSubnetID.Malformed'],
    [
      'subnet beside a network interface',
      { card, subnetId: 'subnet-0a1b2c3d' },
      'InvalidParameterCombination',
    ],
    ['groups beside a network interface', { card, groupIds: ['sg-0a1b2c3d'] }, 'InvalidParameterCombination'],
    ['a group id of the wrong shape', { groupIds: ['web'] }, 'InvalidGroupId.Malformed'],
    ['user data that is no base64', { userData: '#!/bin/sh' }, 'InvalidUserData.Malformed'],
    ['user data over 16 KB', { userData: Buffer.alloc(16_385).toString('base64') }, 'InvalidParameterValue'],
    ['a token over 64 characters', { token: 'x'.repeat(65) }, 'InvalidParameterValue'],
    ['a volume smaller than the image', { volumes: [{ ...volume, sizeGb: 4 }] }, 'InvalidBlockDeviceMapping'],
    ['an unknown volume type', { volumes: [{ ...volume, type: 'gp9' }] }, 'InvalidParameterValue'],
    ['one device twice', { volumes: [volume, volume] }, 'InvalidBlockDeviceMapping'],
    ['odd metadata options', { metadata: { tokens: 'maybe', hopLimit: 1 } }, 'InvalidParameterValue'],
    ['a hop limit of 65', { metadata: { tokens: null, hopLimit: 65 } }, 'InvalidParameterValue'],
    [
      'tags on a spot request that is none',
      { tags: [tag('spot-instances-request')] },
      'InvalidParameterValue',
    ],
    ['tags on a thing that is not made', { tags: [tag('fleet')] }, 'InvalidParameterValue'],
    ["EC2's own tags", { tags: [tag('instance', 'aws:name')] }, 'InvalidParameterValue'],
    ['51 tags', { tags: [{ resource: 'instance', tags: many }] }, 'TagLimitExceeded'],
    ['a price that is none', { spot: spot('') }, 'InvalidParameterValue'],
    ['a price below a tenth of a cent', { spot: spot('0.0001') }, 'InvalidParameterValue'],
    ['a spot block', { spot: { ...spot(), blockMinutes: 60 } }, 'InvalidParameterValue'],
    [
      'a persistent request that terminates',
      { spot: { ...spot(), requestType: 'persistent' } },
      'InvalidParameterCombination',
    ],
    [
      'an end for a one-time request',
      { spot: { ...spot(), validUntil: '2026-02-01' } },
      'InvalidParameterCombination',
    ],
    ['a dry run', { dryRun: true }, 'DryRunOperation'],
  ])('%s', (_what, wish, code) => {
    const { region, world } = createFixture();
    expect(codeOf(() => region.runInstances(ask(wish)))).toBe(code);
    expect(world.instances()).toEqual([]);
  });

  test('a dry run of a bad request tells what is bad', () => {
    const { region } = createFixture();
    expect(codeOf(() => region.runInstances(ask({ dryRun: true, type: 'm5.huge' })))).toBe(
      'InvalidParameterValue',
    );
  });
});

function ubuntu(architecture: string): string {
  return `/aws/service/canonical/ubuntu/server/24.04/stable/current/${architecture}/hvm/ebs-gp3/ami-id`;
}
