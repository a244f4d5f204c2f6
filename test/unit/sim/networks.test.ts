import { describe, expect, test } from 'vitest';
import { describeSubnets, describeVpcs } from '../../../src/sim/describe-networks.ts';
import type { Networks } from '../../../src/sim/networks.ts';
import {
  authorizeIngress,
  createGroup,
  describeGroups,
  type Rule,
} from '../../../src/sim/security-groups.ts';
import { ask, codeOf, createFixture, one, query } from './sim-fixture.ts';

const filter = (name: string, ...values: string[]) => ({ name, values });
const subnets = (networks: Networks, ...filters: { name: string; values: string[] }[]) =>
  describeSubnets(networks, query({ filters })).things;

const ssh: Rule = { protocol: 'tcp', fromPort: 22, toPort: 22, source: '10.0.0.1/32', description: null };

describe('networks', () => {
  test('a region has one default VPC with a default subnet in each zone', () => {
    const { region } = createFixture();
    const [vpc, ...others] = describeVpcs(
      region.networks,
      query({ filters: [filter('is-default', 'true')] }),
    ).things;
    expect(others).toEqual([]);
    expect(
      subnets(region.networks, filter('vpc-id', vpc?.id ?? ''), filter('default-for-az', 'true')),
    ).toMatchObject([{ zone: 'eu-central-1a' }, { zone: 'eu-central-1b' }, { zone: 'eu-central-1c' }]);
  });

  test('any well-formed VPC has a subnet in each zone', () => {
    const { networks } = createFixture().region;
    const found = subnets(
      networks,
      filter('vpc-id', 'vpc-0a1b2c3d'),
      filter('availability-zone', 'eu-central-1b'),
    );
    expect(found).toMatchObject([{ vpcId: 'vpc-0a1b2c3d', zone: 'eu-central-1b' }]);
  });

  test('a subnet that nobody made lies where the calls say', () => {
    const { region } = createFixture();
    const guess = region.networks.subnet('subnet-0a1b2c3d');
    expect(guess).toMatchObject({ vpcId: region.networks.defaultVpc.id, zone: 'eu-central-1a' });
    describeSubnets(region.networks, query({ ids: [guess.id], filters: [filter('vpc-id', 'vpc-0a1b2c3d')] }));
    expect(guess.vpcId).toBe('vpc-0a1b2c3d');
    const instance = one(region.runInstances(ask({ subnetId: guess.id, zone: 'eu-central-1c' })));
    expect(instance).toMatchObject({ zone: 'eu-central-1c', vpcId: 'vpc-0a1b2c3d', subnetId: guess.id });
    expect(codeOf(() => region.runInstances(ask({ subnetId: guess.id, zone: 'eu-central-1a' })))).toBe(
      'InvalidParameterValue',
    );
  });

  test('a bare zone letter is a zone of the region, as docker-machine sends it to an own endpoint', () => {
    const { region } = createFixture();
    expect(one(region.runInstances(ask({ zone: 'b' }))).zone).toBe('eu-central-1b');
    expect(subnets(region.networks, filter('availability-zone', 'b'))).toHaveLength(1);
  });

  test('groups of another VPC do not fit a subnet', () => {
    const { region } = createFixture();
    const group = region.groups.byName('hosts', region.networks.vpc('vpc-0a1b2c3d').id);
    const [home] = region.networks.defaultSubnets();
    const call = () => region.runInstances(ask({ subnetId: home?.id ?? '', groupIds: [group.id] }));
    expect(codeOf(call)).toBe('InvalidParameter');
  });

  test('in a strict world what nobody made does not exist', () => {
    const { region } = createFixture({ strict: true });
    const refused = (wish: object) => codeOf(() => region.runInstances(ask(wish)));
    const imageId = region.images.parameter(
      '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64',
    );
    expect(refused({})).toBe('InvalidAMIID.NotFound');
    expect(refused({ imageId, subnetId: 'subnet-0a1b2c3d' })).toBe('InvalidSubnetID.NotFound');
    expect(refused({ imageId, groupIds: ['sg-0a1b2c3d'] })).toBe('InvalidGroup.NotFound');
    expect(refused({ imageId })).toBe('done');
    expect(codeOf(() => region.networks.vpc('vpc-0a1b2c3d'))).toBe('InvalidVpcID.NotFound');
    expect(region.images.parameter('/my/own/name')).toBeNull();
  });
});

describe('security groups', () => {
  test('a name is found in the VPC that a filter names', () => {
    const { groups, networks } = createFixture().region;
    const filters = [filter('group-name', 'runner-hosts'), filter('vpc-id', 'vpc-0a1b2c3d')];
    const found = describeGroups(groups, networks, { ...query({ filters }), names: [] }).things;
    expect(found).toMatchObject([{ name: 'runner-hosts', vpcId: 'vpc-0a1b2c3d', rules: [] }]);
    expect(describeGroups(groups, networks, { ...query({ filters }), names: [] }).things).toEqual(found);
  });

  test('in a strict world a name is not found until it is created, and then only once', () => {
    const { groups, networks } = createFixture({ strict: true }).region;
    const filters = [filter('group-name', 'hosts')];
    const find = () => describeGroups(groups, networks, { ...query({ filters }), names: [] }).things;
    const wish = {
      name: 'hosts',
      description: 'runner hosts',
      vpcId: null,
      tags: [{ key: 'a', value: 'b' }],
    };
    expect(find()).toEqual([]);
    const made = createGroup(groups, networks, wish);
    expect(find()).toEqual([made]);
    expect(codeOf(() => createGroup(groups, networks, wish))).toBe('InvalidGroup.Duplicate');
  });

  test('a rule that stands already refuses the whole call', () => {
    const group = createFixture().region.groups.byId('sg-0a1b2c3d');
    authorizeIngress(group, [ssh]);
    const docker = { ...ssh, fromPort: 2376, toPort: 2376 };
    expect(codeOf(() => authorizeIngress(group, [docker, ssh]))).toBe('InvalidPermission.Duplicate');
    expect(group.rules).toEqual([ssh]);
  });
});
