// What launch options come to in an account: look-ups on the wire, remembered, shared, and forgotten when they are wrong.
import { afterEach, describe, expect, test } from 'vitest';
import { createCloud } from '../../../../src/adapters/aws/create-cloud.ts';
import { createResolutionCache } from '../../../../src/adapters/aws/resolution-cache.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { buildRequest } from '../../../../src/domain/build-request.ts';
import type { LaunchSpec } from '../../../../src/domain/config.ts';
import { architectureOf } from '../../../../src/domain/offering.ts';
import { outcomeOf, refusal } from '../../../../src/domain/outcome.ts';
import type { HostPorts } from '../../../../src/ports/cloud.ts';
import { type Answer, type Asked, answerOf, failure, startEc2Server } from './ec2-server.ts';
import { forever, keepingLog, launchSpec, resolvedLaunch, siteAt } from './specimens.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

type Script = Partial<Record<string, (asked: Asked, nth: number) => Answer>>;

const image = (id: string, root = '/dev/xvda') =>
  answerOf(
    'DescribeImages',
    `<imagesSet><item><imageId>${id}</imageId><rootDeviceName>${root}</rootDeviceName></item></imagesSet>`,
  );

const subnet = (id: string, more: { zone?: string; free?: number; isDefault?: boolean; vpc?: string } = {}) =>
  `<item><subnetId>${id}</subnetId><vpcId>${more.vpc ?? 'vpc-1'}</vpcId><availabilityZone>${more.zone ?? 'eu-central-1a'}</availabilityZone><availableIpAddressCount>${more.free ?? 100}</availableIpAddressCount><defaultForAz>${more.isDefault ?? false}</defaultForAz></item>`;
const subnets = (...items: string[]) =>
  answerOf('DescribeSubnets', `<subnetSet>${items.join('')}</subnetSet>`);

const permission = (port: number, cidr = '10.9.0.0/16') =>
  `<item><ipProtocol>tcp</ipProtocol><fromPort>${port}</fromPort><toPort>${port}</toPort><ipRanges><item><cidrIp>${cidr}</cidrIp></item></ipRanges></item>`;
const group = (name: string, id: string, permissions = '', description = 'by hand') =>
  `<item><groupId>${id}</groupId><groupName>${name}</groupName><groupDescription>${description}</groupDescription><ipPermissions>${permissions}</ipPermissions></item>`;
const groups = (...items: string[]) =>
  answerOf('DescribeSecurityGroups', `<securityGroupInfo>${items.join('')}</securityGroupInfo>`);

const open = permission(22) + permission(2376);

const usual: Script = {
  DescribeImages: (asked) => image(asked.params['ImageId.1'] ?? ''),
  DescribeSubnets: () => subnets(subnet('subnet-1')),
  DescribeSecurityGroups: () => groups(group('runner-hosts', 'sg-1', open)),
  CreateSecurityGroup: () => answerOf('CreateSecurityGroup', '<groupId>sg-new</groupId>'),
  AuthorizeSecurityGroupIngress: () => answerOf('AuthorizeSecurityGroupIngress', '<return>true</return>'),
};

async function stage(script: Script = {}, env: Record<string, string> = {}) {
  const all = { ...usual, ...script };
  const server = await startEc2Server(
    (asked, nth) => all[asked.action]?.(asked, nth) ?? failure(400, 'InvalidAction', asked.action),
  );
  const log = keepingLog();
  const cloud = createCloud({ clock: createClock(), log, env, managerAddresses: () => ['10.0.0.5'] });
  ends.push(
    () => server.close(),
    () => cloud.close(),
  );
  const site = siteAt(server.endpoint);
  const resolve = (more: Partial<LaunchSpec> = {}, ports?: HostPorts) =>
    cloud.resolve(launchSpec({ site, ...more }), forever, ports);
  const refused = async (more: Partial<LaunchSpec> = {}) =>
    outcomeOf(await resolve(more).catch((error: unknown) => error));
  return { server, cloud, site, log, resolve, refused };
}

const parameter = (value: string): Answer => ({
  body: JSON.stringify({ Parameter: { Name: 'x', Value: value } }),
});

describe('image', () => {
  test('an id is taken as it is, and the root device is the one it names', async () => {
    const { resolve } = await stage();
    expect(await resolve({ ami: 'ami-77' })).toEqual({
      imageId: 'ami-77',
      imageFrom: 'ami-77',
      rootDevice: '/dev/xvda',
      subnetId: 'subnet-1',
      zone: 'eu-central-1a',
      securityGroupIds: ['sg-1'],
      places: resolvedLaunch.places,
    });
  });

  test('resolve:ssm: reads the parameter, at the endpoint of the site', async () => {
    const { resolve, server } = await stage({ GetParameter: () => parameter('ami-42') });
    expect(await resolve({ ami: 'resolve:ssm:/my/ami:3' })).toMatchObject({
      imageId: 'ami-42',
      imageFrom: 'resolve:ssm:/my/ami:3',
    });
    expect(server.of('GetParameter')[0]?.json).toEqual({ Name: '/my/ami:3' });
  });

  test("SSM's own endpoint variable wins over the endpoint of the site", async () => {
    const ssm = await startEc2Server(() => parameter('ami-43'));
    ends.push(() => ssm.close());
    const { resolve, server } = await stage({}, { AWS_ENDPOINT_URL_SSM: ssm.endpoint });
    expect(await resolve({ ami: 'resolve:ssm:/my/ami' })).toMatchObject({ imageId: 'ami-43' });
    expect(server.of('GetParameter')).toEqual([]);
  });

  test.each([
    ['m5.large', 'amd64'],
    ['m7g.large', 'arm64'],
  ])('without an image, %s gets the current Ubuntu LTS for %s', async (instanceType, arch) => {
    const { resolve, server } = await stage({ GetParameter: () => parameter('ami-44') });
    expect(await resolve({ ami: null, instanceType })).toMatchObject({ imageId: 'ami-44' });
    expect(server.of('GetParameter')[0]?.json).toEqual({
      Name: `/aws/service/canonical/ubuntu/server/24.04/stable/current/${arch}/hvm/ebs-gp3/ami-id`,
    });
  });

  test('Graviton families are told by their names', () => {
    const arm = [
      'a1.large',
      't4g.nano',
      'm6gd.large',
      'c7gn.large',
      'im4gn.large',
      'is4gen.large',
      'x2gd.large',
      'g5g.xlarge',
      'hpc7g.4xlarge',
      'r8g.large',
    ];
    const intel = [
      't2.micro',
      'm5.large',
      'g4dn.xlarge',
      'g5.xlarge',
      'c6id.large',
      'u-6tb1.metal',
      'x2iedn.large',
      'm7i-flex.large',
      'p4de.24xlarge',
    ];
    expect(arm.filter((type) => architectureOf(type) !== 'arm64')).toEqual([]);
    expect(intel.filter((type) => architectureOf(type) !== 'x86_64')).toEqual([]);
  });

  test('an image that EC2 does not show is refused with its name', async () => {
    const { refused } = await stage({ DescribeImages: () => answerOf('DescribeImages', '<imagesSet/>') });
    expect(await refused()).toMatchObject({ kind: 'invalid', code: 'InvalidAMIID.NotFound' });
  });

  test('a parameter that holds no image is refused', async () => {
    const { refused } = await stage({ GetParameter: () => parameter('hello') });
    expect(await refused({ ami: 'resolve:ssm:/x' })).toMatchObject({
      kind: 'invalid',
      code: 'Hostler.NotAnImage',
    });
  });

  test('a parameter that does not exist is refused', async () => {
    const { refused } = await stage({
      GetParameter: () => ({
        status: 400,
        body: JSON.stringify({ __type: 'ParameterNotFound', message: 'no' }),
      }),
    });
    expect(await refused({ ami: 'resolve:ssm:/x' })).toMatchObject({
      kind: 'invalid',
      code: 'ParameterNotFound',
    });
  });

  test('a policy without DescribeImages, as docker-machine needs none, still launches', async () => {
    const { resolve, log } = await stage({ DescribeImages: () => failure(403, 'UnauthorizedOperation') });
    expect(await resolve()).toMatchObject({ rootDevice: '/dev/sda1' });
    expect(log.lines.some((line) => line.level === 'warn')).toBe(true);
  });

  test('a device name that is not the root device is taken and warned about', async () => {
    const { resolve, log } = await stage();
    expect(await resolve({ deviceName: '/dev/sda1' })).toMatchObject({ rootDevice: '/dev/sda1' });
    expect(log.lines.filter((line) => line.level === 'warn')).toHaveLength(1);
  });
});

describe('network', () => {
  test.each([
    ['another VPC', { vpcId: 'vpc-2' }],
    ['another zone', { zone: 'eu-central-1b' }],
  ])('a subnet of %s is refused', async (_what, more) => {
    const { refused } = await stage();
    expect(await refused(more)).toMatchObject({ kind: 'invalid', code: 'Hostler.SubnetElsewhere' });
  });

  test('without a subnet the default one of VPC and zone is taken, else the one with most room', async () => {
    const choice = [
      subnet('subnet-small', { free: 10 }),
      subnet('subnet-big', { free: 200 }),
      subnet('subnet-default', { free: 5, isDefault: true }),
    ];
    const { resolve, server } = await stage({
      DescribeSubnets: (_asked, nth) => subnets(...choice.slice(0, nth === 1 ? 2 : 3)),
    });
    expect(await resolve({ subnetId: null, zone: 'eu-central-1a' })).toMatchObject({
      subnetId: 'subnet-big',
    });
    expect(await resolve({ subnetId: null })).toMatchObject({ subnetId: 'subnet-default' });
    expect(server.of('DescribeSubnets')[0]?.params).toMatchObject({
      'Filter.1.Name': 'vpc-id',
      'Filter.1.Value.1': 'vpc-1',
      'Filter.2.Name': 'availability-zone',
      'Filter.2.Value.1': 'eu-central-1a',
    });
  });

  test('without a VPC the default one is taken', async () => {
    const { resolve, server } = await stage({
      DescribeVpcs: () =>
        answerOf('DescribeVpcs', '<vpcSet><item><vpcId>vpc-default</vpcId></item></vpcSet>'),
      DescribeSubnets: () => subnets(subnet('subnet-9', { vpc: 'vpc-default' })),
    });
    expect(await resolve({ subnetId: null, vpcId: null })).toMatchObject({ subnetId: 'subnet-9' });
    expect(server.of('DescribeSecurityGroups')[0]?.params).toMatchObject({
      'Filter.2.Value.1': 'vpc-default',
    });
  });

  test('no VPC or no subnet at all is refused with what to set', async () => {
    const { refused } = await stage({
      DescribeVpcs: () => answerOf('DescribeVpcs', '<vpcSet/>'),
      DescribeSubnets: () => subnets(),
    });
    expect(await refused({ subnetId: null, vpcId: null })).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('amazonec2-vpc-id') as string,
    });
    expect(await refused({ subnetId: null })).toMatchObject({ kind: 'invalid', code: 'Hostler.NoSubnet' });
  });
});

describe('security groups', () => {
  test('names become ids in the VPC, ids pass as they are, order kept', async () => {
    const { resolve, server } = await stage();
    expect(await resolve({ securityGroups: ['sg-0a', 'runner-hosts'] })).toMatchObject({
      securityGroupIds: ['sg-0a', 'sg-1'],
    });
    expect(await resolve({ securityGroups: ['sg-0a'] })).toMatchObject({ securityGroupIds: ['sg-0a'] });
    expect(server.of('DescribeSecurityGroups')).toHaveLength(1);
    expect(server.of('AuthorizeSecurityGroupIngress')).toHaveLength(0);
  });

  test('a missing group is made and opened to the manager only, open ports to everyone', async () => {
    const { resolve, server, log } = await stage({ DescribeSecurityGroups: () => groups() });
    const resolved = await resolve({ openPorts: ['8080', '53/udp'] }, { ssh: 2222, docker: 2376 });
    expect(resolved.securityGroupIds).toEqual(['sg-new']);
    expect(server.of('CreateSecurityGroup')[0]?.params).toMatchObject({
      GroupName: 'runner-hosts',
      VpcId: 'vpc-1',
    });
    const params = server.of('AuthorizeSecurityGroupIngress')[0]?.params ?? {};
    const rules = [1, 2, 3, 4].map((n) =>
      ['IpProtocol', 'FromPort', 'ToPort', 'IpRanges.1.CidrIp'].map(
        (key) => params[`IpPermissions.${n}.${key}`],
      ),
    );
    expect(rules).toEqual([
      ['tcp', '2222', '2222', '10.0.0.5/32'],
      ['tcp', '2376', '2376', '10.0.0.5/32'],
      ['tcp', '8080', '8080', '0.0.0.0/0'],
      ['udp', '53', '53', '0.0.0.0/0'],
    ]);
    expect(log.lines.map((line) => line.message)).toContain('security group opened');
  });

  test('read-only: a missing group is refused, nothing is made or opened', async () => {
    const { refused, resolve, server } = await stage({
      DescribeSecurityGroups: (_asked, nth) => (nth === 1 ? groups() : groups(group('runner-hosts', 'sg-1'))),
    });
    expect(await refused({ securityGroupReadonly: true })).toMatchObject({
      kind: 'invalid',
      code: 'InvalidGroup.NotFound',
    });
    await resolve({ securityGroupReadonly: true, openPorts: ['80'] });
    expect(server.of('CreateSecurityGroup')).toHaveLength(0);
    expect(server.of('AuthorizeSecurityGroupIngress')).toHaveLength(0);
  });

  test('a port that the group lets in from anywhere is left as it is', async () => {
    const { resolve, server } = await stage();
    await resolve();
    expect(server.of('AuthorizeSecurityGroupIngress')).toHaveLength(0);
  });

  test("a group of hostler's own must name this manager", async () => {
    const own = 'Made by hostler: SSH and Docker from its manager';
    const { resolve, server } = await stage({
      DescribeSecurityGroups: () =>
        groups(
          group(
            'runner-hosts',
            'sg-1',
            permission(22, '10.0.0.5/32') + permission(2376, '10.0.0.99/32'),
            own,
          ),
        ),
    });
    await resolve();
    expect(server.of('AuthorizeSecurityGroupIngress')[0]?.params).toMatchObject({
      'IpPermissions.1.FromPort': '2376',
    });
    expect(server.of('AuthorizeSecurityGroupIngress')[0]?.params['IpPermissions.2.FromPort']).toBeUndefined();
  });

  test('two managers that make the same group at once both find it', async () => {
    const { resolve } = await stage({
      DescribeSecurityGroups: (_asked, nth) =>
        nth === 1 ? groups() : groups(group('runner-hosts', 'sg-other', open)),
      CreateSecurityGroup: () => failure(400, 'InvalidGroup.Duplicate'),
    });
    expect(await resolve()).toMatchObject({ securityGroupIds: ['sg-other'] });
  });

  test('one rule that is there already does not keep the others shut', async () => {
    const { resolve, server } = await stage({
      DescribeSecurityGroups: () => groups(),
      AuthorizeSecurityGroupIngress: (asked) =>
        asked.params['IpPermissions.1.FromPort'] === '22'
          ? failure(400, 'InvalidPermission.Duplicate')
          : answerOf('AuthorizeSecurityGroupIngress', '<return>true</return>'),
    });
    await resolve();
    expect(
      server.of('AuthorizeSecurityGroupIngress').map((asked) => asked.params['IpPermissions.1.FromPort']),
    ).toEqual(['22', '22', '2376']);
  });

  test("without permission to open a user's group it says what to do and goes on", async () => {
    const { resolve, log } = await stage({
      DescribeSecurityGroups: () => groups(group('runner-hosts', 'sg-1')),
      AuthorizeSecurityGroupIngress: () => failure(403, 'UnauthorizedOperation'),
    });
    await resolve();
    expect(log.lines.find((line) => line.level === 'warn')?.fields).toMatchObject({
      ports: '22/tcp 2376/tcp',
      for: '10.0.0.5/32',
    });
  });
});

describe('remembering', () => {
  test('pools that ask at once and later share one look-up', async () => {
    const { resolve, server } = await stage();
    await Promise.all([resolve(), resolve(), resolve({ rootSizeGb: 100 })]);
    await resolve();
    expect(server.asked.map((one) => one.action).toSorted()).toEqual([
      'DescribeImages',
      'DescribeSecurityGroups',
      'DescribeSubnets',
    ]);
  });

  test('a launch that says the image or subnet is wrong forgets it', async () => {
    const { resolve, cloud, server, site } = await stage({
      RunInstances: (_asked, nth) =>
        failure(400, nth === 1 ? 'InsufficientInstanceCapacity' : 'InvalidSubnetID.NotFound'),
    });
    const order = {
      token: 't',
      count: 1,
      request: buildRequest(launchSpec(), resolvedLaunch, { userData: '', tags: {} }),
    };
    await resolve();
    await cloud.launch(site, order, forever);
    await resolve();
    expect(server.of('DescribeImages')).toHaveLength(1);
    await cloud.launch(site, order, forever);
    await resolve();
    expect(server.of('DescribeImages')).toHaveLength(2);
  });

  test('a caller that leaves does not end the look-up of the others', async () => {
    const { cloud, site } = await stage();
    const leaving = new AbortController();
    const spec = launchSpec({ site });
    const first = cloud.resolve(spec, leaving.signal);
    const second = cloud.resolve(spec, forever);
    leaving.abort();
    await expect(first).rejects.toMatchObject({ code: 'cloud-refused' });
    expect(await second).toMatchObject({ imageId: spec.ami });
  });
});

describe('createResolutionCache', () => {
  const lost = refusal('X', { kind: 'unknown', scope: 'call', code: 'LostAnswer.Reset', message: '' });
  const wrong = refusal('X', { kind: 'invalid', scope: 'pool', code: 'InvalidAMIID.NotFound', message: '' });

  function stageCache() {
    const time = { now: 0 };
    const cache = createResolutionCache<string>(() => time.now);
    let loads = 0;
    const options = {};
    const get = (load: () => Promise<string>, asker: object = options) =>
      cache.get('key', { site: 'site', asker }, () => {
        loads += 1;
        return load();
      });
    return { time, cache, get, loads: () => loads };
  }
  const good = (value: string) => async () => await Promise.resolve(value);
  const bad = (failed: Error) => async (): Promise<string> => {
    await Promise.resolve();
    throw failed;
  };

  test('looks again after an hour', async () => {
    const { time, get, loads } = stageCache();
    expect(await get(good('a'))).toBe('a');
    time.now = 3_599_999;
    expect(await get(good('b'))).toBe('a');
    time.now = 3_600_000;
    expect(await get(good('b'))).toBe('b');
    expect(loads()).toBe(2);
  });

  test('goes on with the last good answer while EC2 does not answer, and asks again soon', async () => {
    const { time, get, loads } = stageCache();
    await get(good('a'));
    time.now = 3_600_000;
    expect(await get(bad(lost))).toBe('a');
    expect(await get(good('b'))).toBe('a');
    time.now += 5_000;
    expect(await get(good('b'))).toBe('b');
    expect(loads()).toBe(3);
  });

  test('does not go on with an answer that EC2 calls wrong', async () => {
    const { time, get } = stageCache();
    await get(good('a'));
    time.now = 3_600_000;
    await expect(get(bad(wrong))).rejects.toBe(wrong);
  });

  test('a refusal is not asked for again for half a minute, unless forgotten', async () => {
    const { time, cache, get, loads } = stageCache();
    await expect(get(bad(wrong))).rejects.toBe(wrong);
    time.now = 29_999;
    await expect(get(good('a'))).rejects.toBe(wrong);
    expect(loads()).toBe(1);
    cache.invalidate('site');
    expect(await get(good('a'))).toBe('a');
  });

  test('a refusal holds for the options that met it, not for those that a person changed', async () => {
    const { get, loads } = stageCache();
    await expect(get(bad(wrong))).rejects.toBe(wrong);
    expect(await get(good('a'), {})).toBe('a');
    expect(loads()).toBe(2);
  });

  test('a look-up that began before it was forgotten does not count as fresh', async () => {
    const { cache, get, loads } = stageCache();
    const slow = Promise.withResolvers<string>();
    const first = get(() => slow.promise);
    cache.invalidate('site');
    slow.resolve('old');
    expect(await first).toBe('old');
    expect(await get(good('new'))).toBe('new');
    expect(loads()).toBe(2);
  });
});
