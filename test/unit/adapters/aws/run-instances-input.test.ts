// Each launch option and the field of RunInstances that it sets, as it stands on the wire.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCloud } from '../../../../src/adapters/aws/create-cloud.ts';
import { runInstancesInput } from '../../../../src/adapters/aws/run-instances-input.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { buildRequest } from '../../../../src/domain/build-request.ts';
import type { LaunchSpec } from '../../../../src/domain/config.ts';
import type { LaunchRequest, ResolvedLaunch } from '../../../../src/domain/launch.ts';
import { type Ec2Server, instanceXml, runAnswer, startEc2Server } from './ec2-server.ts';
import { forever, keepingLog, launchSpec, resolvedLaunch, siteAt } from './specimens.ts';

type Extra = { userData?: string; tags?: Record<string, string>; resolved?: Partial<ResolvedLaunch> };

function request(spec: Partial<LaunchSpec>, extra: Extra = {}): LaunchRequest {
  const asked = launchSpec(spec);
  const { zone, subnetId, ...rest } = { ...resolvedLaunch, ...extra.resolved };
  const place = { type: asked.instanceType, market: asked.market, zone, subnetId, vcpus: null };
  const resolved = { ...rest, zone, subnetId, places: [place] };
  return buildRequest(asked, resolved, { userData: extra.userData ?? '', tags: extra.tags ?? {} });
}

const input = (spec: Partial<LaunchSpec>, extra: Extra = {}) =>
  runInstancesInput({ token: 't', count: 1, request: request(spec, extra) });

let server: Ec2Server;
let cloud: ReturnType<typeof createCloud>;
beforeAll(async () => {
  server = await startEc2Server(() => runAnswer(instanceXml('i-1')));
  cloud = createCloud({ clock: createClock(), log: keepingLog(), env: {} });
});
afterAll(async () => {
  cloud.close();
  await server.close();
});

/** What one launch puts on the wire. A site of its own for each: buckets are per site, and a table launches a lot. */
async function sent(spec: Partial<LaunchSpec>, extra: Extra = {}): Promise<Record<string, string>> {
  const site = siteAt(server.endpoint, { key: `site-${server.asked.length}` });
  await cloud.launch(site, { token: 'token-1', count: 7, request: request(spec, extra) }, forever);
  return server.asked.at(-1)?.params ?? {};
}

const nic = 'NetworkInterface.1';
const disk = 'BlockDeviceMapping.1';
const spot = 'InstanceMarketOptions';

const table: [
  option: string,
  spec: Partial<LaunchSpec>,
  fields: Record<string, string | undefined>,
  extra?: Extra,
][] = [
  ['amazonec2-ami', {}, { ImageId: 'ami-9' }, { resolved: { imageId: 'ami-9' } }],
  ['amazonec2-instance-type', { instanceType: 'c5.xlarge' }, { InstanceType: 'c5.xlarge' }],
  [
    'amazonec2-zone',
    {},
    { 'Placement.AvailabilityZone': 'eu-central-1c' },
    { resolved: { zone: 'eu-central-1c' } },
  ],
  ['amazonec2-subnet-id', {}, { [`${nic}.SubnetId`]: 'subnet-9' }, { resolved: { subnetId: 'subnet-9' } }],
  [
    'amazonec2-security-group',
    {},
    { [`${nic}.SecurityGroupId.1`]: 'sg-1', [`${nic}.SecurityGroupId.2`]: 'sg-2' },
    { resolved: { securityGroupIds: ['sg-1', 'sg-2'] } },
  ],
  [
    'amazonec2-private-address-only=true',
    { privateAddressOnly: true },
    { [`${nic}.AssociatePublicIpAddress`]: 'false' },
  ],
  ['amazonec2-private-address-only=false', {}, { [`${nic}.AssociatePublicIpAddress`]: 'true' }],
  [
    'amazonec2-use-private-address',
    { usePrivateAddress: true },
    { [`${nic}.AssociatePublicIpAddress`]: 'true' },
  ],
  [
    'amazonec2-device-name',
    {},
    { [`${disk}.DeviceName`]: '/dev/xvda' },
    { resolved: { rootDevice: '/dev/xvda' } },
  ],
  ['amazonec2-root-size', { rootSizeGb: 80 }, { [`${disk}.Ebs.VolumeSize`]: '80' }],
  ['amazonec2-volume-type', { volumeType: 'io2' }, { [`${disk}.Ebs.VolumeType`]: 'io2' }],
  ['amazonec2-volume-encrypted=true', {}, { [`${disk}.Ebs.Encrypted`]: 'true' }],
  ['amazonec2-volume-encrypted=false', { volumeEncrypted: false }, { [`${disk}.Ebs.Encrypted`]: undefined }],
  [
    'amazonec2-volume-kms-key',
    { volumeKmsKey: 'alias/ci' },
    { [`${disk}.Ebs.KmsKeyId`]: 'alias/ci', [`${disk}.Ebs.Encrypted`]: 'true' },
  ],
  ['amazonec2-iam-instance-profile', { iamInstanceProfile: 'ci' }, { 'IamInstanceProfile.Name': 'ci' }],
  ['amazonec2-keypair-name', { keypairName: 'ops' }, { KeyName: 'ops' }],
  ['no amazonec2-keypair-name', {}, { KeyName: undefined }],
  ['amazonec2-monitoring=true', { monitoring: true }, { 'Monitoring.Enabled': 'true' }],
  ['amazonec2-monitoring=false', {}, { 'Monitoring.Enabled': 'false' }],
  ['amazonec2-use-ebs-optimized-instance', { ebsOptimized: true }, { EbsOptimized: 'true' }],
  ['amazonec2-metadata-token=required', {}, { 'MetadataOptions.HttpTokens': 'required' }],
  [
    'amazonec2-metadata-token=optional',
    { metadataTokens: 'optional' },
    { 'MetadataOptions.HttpTokens': 'optional' },
  ],
  [
    'amazonec2-metadata-token-response-hop-limit',
    { metadataHopLimit: 2 },
    { 'MetadataOptions.HttpPutResponseHopLimit': '2' },
  ],
  [
    'amazonec2-request-spot-instance',
    { market: 'spot' },
    {
      [`${spot}.MarketType`]: 'spot',
      [`${spot}.SpotOptions.SpotInstanceType`]: 'one-time',
      [`${spot}.SpotOptions.InstanceInterruptionBehavior`]: 'terminate',
      'TagSpecification.4.ResourceType': 'spot-instances-request',
    },
  ],
  [
    'amazonec2-spot-price=0.07',
    { market: 'spot', maxPriceUsd: '0.07' },
    { [`${spot}.SpotOptions.MaxPrice`]: '0.07' },
  ],
  [
    'amazonec2-spot-price=',
    { market: 'spot', maxPriceUsd: null },
    { [`${spot}.SpotOptions.MaxPrice`]: undefined },
  ],
  [
    'amazonec2-spot-price without amazonec2-request-spot-instance',
    { maxPriceUsd: '0.07' },
    { [`${spot}.MarketType`]: undefined, 'TagSpecification.4.ResourceType': undefined },
  ],
  ['amazonec2-userdata', {}, { UserData: 'aGk=' }, { userData: 'aGk=' }],
  [
    'amazonec2-tags',
    { tags: { team: 'ci' } },
    {
      'TagSpecification.1.ResourceType': 'instance',
      'TagSpecification.1.Tag.1.Key': 'Name',
      'TagSpecification.1.Tag.1.Value': 'hostler-build',
      'TagSpecification.1.Tag.2.Key': 'hostler:pool',
      'TagSpecification.1.Tag.3.Key': 'team',
      'TagSpecification.1.Tag.3.Value': 'ci',
      'TagSpecification.2.ResourceType': 'volume',
      'TagSpecification.2.Tag.3.Key': 'team',
      'TagSpecification.3.ResourceType': 'network-interface',
      'TagSpecification.3.Tag.3.Key': 'team',
    },
    { tags: { 'hostler:pool': 'build' } },
  ],
];

describe('RunInstances', () => {
  test.each(table)('%s', async (_option, spec, fields, extra) => {
    const params = await sent(spec, extra);
    expect(Object.fromEntries(Object.keys(fields).map((key) => [key, params[key]]))).toEqual(fields);
  });

  test('always: token, all of a batch in one call, hosts that end when they shut down, disk and interface that end with them', async () => {
    expect(await sent({})).toMatchObject({
      ClientToken: 'token-1',
      MinCount: '1',
      MaxCount: '7',
      InstanceInitiatedShutdownBehavior: 'terminate',
      [`${disk}.Ebs.DeleteOnTermination`]: 'true',
      [`${nic}.DeviceIndex`]: '0',
      [`${nic}.DeleteOnTermination`]: 'true',
      'MetadataOptions.HttpEndpoint': 'enabled',
    });
  });

  test('groups and subnet stand on the interface only, as EC2 demands', () => {
    expect(Object.keys(input({}))).not.toEqual(expect.arrayContaining(['SubnetId']));
    expect(Object.keys(input({}))).not.toEqual(expect.arrayContaining(['SecurityGroupIds']));
  });

  test('the same order gives the same input, whatever the order of its tags', () => {
    expect(input({ tags: { a: '1', b: '2' } })).toEqual(input({ tags: { b: '2', a: '1' } }));
  });

  test('a role given as ARN is sent as ARN', () => {
    const arn = 'arn:aws:iam::1:instance-profile/ci';
    expect(input({ iamInstanceProfile: arn }).IamInstanceProfile).toEqual({ Arn: arn });
  });
});
