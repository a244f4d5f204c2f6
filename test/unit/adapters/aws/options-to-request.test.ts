// Every `amazonec2-*` option, from its text in the runner's file to the field that it sets: in RunInstances where it
// reaches the launch, else in what resolving, reaching or dressing the host is given.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runInstancesInput } from '../../../../src/adapters/aws/run-instances-input.ts';
import { readConfig } from '../../../../src/adapters/config/load.ts';
import { optionTable } from '../../../../src/adapters/config/option-table.ts';
import { buildRequest } from '../../../../src/domain/build-request.ts';
import type { HostSpec, LaunchSpec } from '../../../../src/domain/config.ts';
import type { LaunchRequest } from '../../../../src/domain/launch.ts';

type Ways = { run: RunInstancesCommandInput; launch: LaunchSpec; host: HostSpec; request: LaunchRequest };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-options-'));
  writeFileSync(
    join(folder, 'key'),
    '-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n',
  );
  writeFileSync(join(folder, 'key.pub'), 'ssh-ed25519 AAAA\n');
  writeFileSync(join(folder, 'data'), '#!/bin/sh\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Reads a runner's file with these options and follows them to the launch. */
async function follow(options: readonly string[]): Promise<Ways> {
  const path = join(folder, 'config.toml');
  const lines = options.map((option) => `      ${JSON.stringify(option.replaceAll('FOLDER', folder))},`);
  writeFileSync(
    path,
    `concurrent = 4
[[runners]]
  name = "build"
  url = "https://gitlab.example.com"
  token = "glrt-abcdefgh0000000000"
  executor = "docker+machine"
  [runners.machine]
    IdleCount = 1
    MachineDriver = "amazonec2"
    MachineName = "host-%s"
    MachineOptions = [
${lines.join('\n')}
    ]
`,
  );
  const { config, issues } = await readConfig({ path, env: {}, home: folder });
  const pool = config?.pools[0];
  if (pool === undefined) throw new Error(JSON.stringify(issues));
  const { launch, host } = pool;
  const resolved = {
    imageId: launch.ami ?? 'ami-default',
    imageFrom: '',
    rootDevice: launch.deviceName ?? '/dev/of-image',
    subnetId: launch.subnetId ?? 'subnet-chosen',
    zone: launch.zone,
    securityGroupIds: launch.securityGroups.map((name) => `id of ${name}`),
    places: [
      {
        type: launch.instanceType,
        zone: launch.zone,
        market: launch.market,
        subnetId: launch.subnetId ?? 'subnet-chosen',
        vcpus: null,
      },
    ],
  };
  const request = buildRequest(launch, resolved, { userData: launch.userData ?? '', tags: {} });
  return { run: runInstancesInput({ token: 't', count: 1, request }), launch, host, request };
}

const inRegion = 'amazonec2-region=eu-central-1';
const spot = ['amazonec2-request-spot-instance=true', 'amazonec2-spot-price='];
const nic = (ways: Ways) => ways.run.NetworkInterfaces?.[0];
const disk = (ways: Ways) => ways.run.BlockDeviceMappings?.[0];

const table: [options: readonly string[], field: string, of: (ways: Ways) => unknown, value: unknown][] = [
  [['amazonec2-region=eu-west-1'], 'site.region', ({ launch }) => launch.site.region, 'eu-west-1'],
  [
    ['amazonec2-endpoint=https://ec2.internal'],
    'site.endpoint',
    ({ launch }) => launch.site.endpoint,
    'https://ec2.internal',
  ],
  [
    ['amazonec2-endpoint=ec2.internal', 'amazonec2-insecure-transport=true'],
    'site.endpoint',
    ({ launch }) => launch.site.endpoint,
    'http://ec2.internal',
  ],
  [
    ['amazonec2-access-key=AKID', 'amazonec2-secret-key=SECRET', 'amazonec2-session-token=TOKEN'],
    'site.credentials',
    ({ launch: { site } }) =>
      site.credentials.kind === 'static' && [
        site.credentials.accessKeyId,
        site.credentials.secretAccessKey.reveal(),
        site.credentials.sessionToken?.reveal(),
      ],
    ['AKID', 'SECRET', 'TOKEN'],
  ],
  [['amazonec2-ami=ami-0a'], 'ImageId', ({ run }) => run.ImageId, 'ami-0a'],
  [['amazonec2-vpc-id=vpc-0a'], 'resolve: VPC', ({ launch }) => launch.vpcId, 'vpc-0a'],
  [
    [inRegion, 'amazonec2-zone=b'],
    'Placement.AvailabilityZone',
    ({ run }) => run.Placement?.AvailabilityZone,
    'eu-central-1b',
  ],
  [[inRegion], 'Placement.AvailabilityZone', ({ run }) => run.Placement?.AvailabilityZone, 'eu-central-1a'],
  [
    ['amazonec2-subnet-id=subnet-0a'],
    'NetworkInterfaces[0].SubnetId',
    (ways) => nic(ways)?.SubnetId,
    'subnet-0a',
  ],
  [
    ['amazonec2-security-group=hosts'],
    'NetworkInterfaces[0].Groups',
    (ways) => nic(ways)?.Groups,
    ['id of hosts'],
  ],
  [
    ['amazonec2-security-group-readonly=true'],
    'resolve: groups stay as they are',
    ({ launch }) => launch.securityGroupReadonly,
    true,
  ],
  [['amazonec2-open-port=8080'], 'resolve: group rules', ({ launch }) => launch.openPorts, ['8080/tcp']],
  [
    ['amazonec2-tags=team,ci'],
    'TagSpecifications',
    ({ run }) =>
      run.TagSpecifications?.map((one) => [
        one.ResourceType,
        one.Tags?.find((tag) => tag.Key === 'team')?.Value,
      ]),
    [
      ['instance', 'ci'],
      ['volume', 'ci'],
      ['network-interface', 'ci'],
    ],
  ],
  [['amazonec2-instance-type=c5.large'], 'InstanceType', ({ run }) => run.InstanceType, 'c5.large'],
  [[], 'InstanceType', ({ run }) => run.InstanceType, 't2.micro'],
  [
    ['amazonec2-device-name=/dev/xvda'],
    'BlockDeviceMappings[0].DeviceName',
    (ways) => disk(ways)?.DeviceName,
    '/dev/xvda',
  ],
  [[], 'BlockDeviceMappings[0].DeviceName', (ways) => disk(ways)?.DeviceName, '/dev/of-image'],
  [
    ['amazonec2-root-size=64'],
    'BlockDeviceMappings[0].Ebs.VolumeSize',
    (ways) => disk(ways)?.Ebs?.VolumeSize,
    64,
  ],
  [
    ['amazonec2-volume-type=gp2'],
    'BlockDeviceMappings[0].Ebs.VolumeType',
    (ways) => disk(ways)?.Ebs?.VolumeType,
    'gp2',
  ],
  [[], 'BlockDeviceMappings[0].Ebs.VolumeType', (ways) => disk(ways)?.Ebs?.VolumeType, 'gp3'],
  [[], 'BlockDeviceMappings[0].Ebs.Encrypted', (ways) => disk(ways)?.Ebs?.Encrypted, true],
  [
    ['amazonec2-volume-encrypted=false'],
    'BlockDeviceMappings[0].Ebs.Encrypted',
    (ways) => disk(ways)?.Ebs?.Encrypted,
    undefined,
  ],
  [
    ['amazonec2-volume-kms-key=alias/ci'],
    'BlockDeviceMappings[0].Ebs.KmsKeyId',
    (ways) => disk(ways)?.Ebs?.KmsKeyId,
    'alias/ci',
  ],
  [
    ['amazonec2-iam-instance-profile=ci'],
    'IamInstanceProfile.Name',
    ({ run }) => run.IamInstanceProfile?.Name,
    'ci',
  ],
  [
    ['amazonec2-iam-instance-profile=ci'],
    'MetadataOptions',
    ({ run }) => run.MetadataOptions?.HttpPutResponseHopLimit,
    2,
  ],
  [['amazonec2-ssh-port=2222'], 'host.sshPort', ({ host }) => host.sshPort, 2222],
  [['amazonec2-ssh-user=admin'], 'host.sshUser', ({ host }) => host.sshUser, 'admin'],
  [
    ['amazonec2-keypair-name=ops', 'amazonec2-ssh-keypath=FOLDER/key'],
    'KeyName',
    ({ run }) => run.KeyName,
    'ops',
  ],
  [
    ['amazonec2-ssh-keypath=FOLDER/key'],
    'host.sshKeyPath',
    ({ host }) => host.sshKeyPath?.endsWith('/key'),
    true,
  ],
  [spot, 'InstanceMarketOptions.MarketType', ({ run }) => run.InstanceMarketOptions?.MarketType, 'spot'],
  [
    spot,
    'InstanceMarketOptions.SpotOptions.MaxPrice',
    ({ run }) => run.InstanceMarketOptions?.SpotOptions?.MaxPrice,
    undefined,
  ],
  [
    ['amazonec2-request-spot-instance=true'],
    'InstanceMarketOptions.SpotOptions.MaxPrice',
    ({ run }) => run.InstanceMarketOptions?.SpotOptions?.MaxPrice,
    '0.50',
  ],
  [
    ['amazonec2-request-spot-instance=true', 'amazonec2-spot-price=0.07'],
    'InstanceMarketOptions.SpotOptions.MaxPrice',
    ({ run }) => run.InstanceMarketOptions?.SpotOptions?.MaxPrice,
    '0.07',
  ],
  [[], 'InstanceMarketOptions', ({ run }) => run.InstanceMarketOptions, undefined],
  [
    ['amazonec2-private-address-only=true'],
    'NetworkInterfaces[0].AssociatePublicIpAddress',
    (ways) => nic(ways)?.AssociatePublicIpAddress,
    false,
  ],
  [
    ['amazonec2-use-private-address=true'],
    'NetworkInterfaces[0].AssociatePublicIpAddress',
    (ways) => nic(ways)?.AssociatePublicIpAddress,
    true,
  ],
  [
    ['amazonec2-use-private-address=true'],
    'launch.usePrivateAddress',
    ({ launch }) => launch.usePrivateAddress,
    true,
  ],
  [['amazonec2-use-fleet=true'], 'way', ({ request }) => request.way, 'fleet'],
  [
    ['amazonec2-use-fleet=true', 'amazonec2-launch-template=ci-hosts', 'amazonec2-root-size=20'],
    'template',
    ({ request }) => request.template,
    { name: 'ci-hosts', overrides: ['disk'] },
  ],
  [['amazonec2-monitoring=true'], 'Monitoring.Enabled', ({ run }) => run.Monitoring?.Enabled, true],
  [['amazonec2-use-ebs-optimized-instance=true'], 'EbsOptimized', ({ run }) => run.EbsOptimized, true],
  [
    ['amazonec2-metadata-token=optional'],
    'MetadataOptions.HttpTokens',
    ({ run }) => run.MetadataOptions?.HttpTokens,
    'optional',
  ],
  [[], 'MetadataOptions.HttpTokens', ({ run }) => run.MetadataOptions?.HttpTokens, 'required'],
  [
    ['amazonec2-metadata-token-response-hop-limit=3'],
    'MetadataOptions.HttpPutResponseHopLimit',
    ({ run }) => run.MetadataOptions?.HttpPutResponseHopLimit,
    3,
  ],
  [
    ['amazonec2-userdata=FOLDER/data'],
    'UserData',
    ({ run }) => Buffer.from(run.UserData ?? '', 'base64').toString(),
    '#!/bin/sh\n',
  ],
];

describe('options', () => {
  test.each(table)('%j → %s', async (options, _field, of, value) => {
    expect(of(await follow(options))).toEqual(value);
  });

  test('every option that hostler takes and that has an effect is in the table', () => {
    const followed = new Set(table.flatMap(([options]) => options.map((option) => option.split('=')[0])));
    const missing = Object.entries(optionTable).filter(
      ([name, rule]) => name.startsWith('amazonec2-') && rule.idle === undefined && !followed.has(name),
    );
    expect(missing).toEqual([]);
  });
});
