import { gzipSync } from 'node:zlib';
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  type EC2Client,
  GetConsoleOutputCommand,
  type Instance,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, test, vi } from 'vitest';
import { failureOf, launch, launchInput, startRig } from './emulator-fixture.ts';

async function describeAll(
  ec2: EC2Client,
  filter: Record<string, string[]> = {},
  pageSize?: number,
): Promise<Instance[]> {
  const found: Instance[] = [];
  let token: string | undefined;
  do {
    const answer = await ec2.send(
      new DescribeInstancesCommand({
        Filters: Object.entries(filter).map(([Name, Values]) => ({ Name, Values })),
        ...(pageSize !== undefined && { MaxResults: pageSize }),
        ...(token !== undefined && { NextToken: token }),
      }),
    );
    found.push(...(answer.Reservations ?? []).flatMap((reservation) => reservation.Instances ?? []));
    token = answer.NextToken;
  } while (token !== undefined);
  return found;
}

describe('a launch over the wire', () => {
  test('everything that was asked for shows in the answer', async () => {
    const { ec2 } = await startRig();
    const tags = [
      { Key: 'Name', Value: 'runner <1> & "co"' },
      { Key: 'empty', Value: '' },
    ];
    const answer = await ec2.send(
      new RunInstancesCommand(
        launchInput({
          ClientToken: 'token-1',
          KeyName: 'my-key',
          Monitoring: { Enabled: true },
          EbsOptimized: true,
          IamInstanceProfile: { Name: 'runner-machine' },
          InstanceInitiatedShutdownBehavior: 'terminate',
          MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 2 },
          BlockDeviceMappings: [
            {
              DeviceName: '/dev/sda1',
              Ebs: { VolumeSize: 40, VolumeType: 'gp3', Encrypted: true, DeleteOnTermination: true },
            },
          ],
          NetworkInterfaces: [
            {
              DeviceIndex: 0,
              SubnetId: 'subnet-0a1b2c3d',
              Groups: ['sg-0a1b2c3d'],
              AssociatePublicIpAddress: true,
            },
          ],
          Placement: { AvailabilityZone: 'eu-central-1b' },
          InstanceMarketOptions: {
            MarketType: 'spot',
            SpotOptions: {
              SpotInstanceType: 'one-time',
              InstanceInterruptionBehavior: 'terminate',
              MaxPrice: '0.09',
            },
          },
          UserData: Buffer.from('#!/bin/sh\n').toString('base64'),
          TagSpecifications: [
            { ResourceType: 'instance', Tags: tags },
            { ResourceType: 'volume', Tags: tags },
            { ResourceType: 'network-interface', Tags: tags },
            { ResourceType: 'spot-instances-request', Tags: tags },
          ],
        }),
      ),
    );
    expect(answer.Instances).toMatchObject([
      {
        State: { Code: 0, Name: 'pending' },
        ClientToken: 'token-1',
        KeyName: 'my-key',
        Monitoring: { State: 'enabled' },
        EbsOptimized: true,
        IamInstanceProfile: { Arn: expect.stringMatching(/instance-profile\/runner-machine$/) },
        MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 2 },
        Placement: { AvailabilityZone: 'eu-central-1b' },
        SubnetId: 'subnet-0a1b2c3d',
        SecurityGroups: [{ GroupId: 'sg-0a1b2c3d' }],
        InstanceLifecycle: 'spot',
        PrivateIpAddress: expect.stringMatching(/^127\.0\.\d+\.1$/),
        RootDeviceName: '/dev/sda1',
        Tags: tags,
      },
    ]);
    const [instance] = answer.Instances ?? [];
    expect(instance?.PublicIpAddress).toBeUndefined();
    expect(instance?.LaunchTime).toBeInstanceOf(Date);
    const requests = await ec2.send(new DescribeSpotInstanceRequestsCommand({ MaxResults: 5 }));
    expect(requests.SpotInstanceRequests).toMatchObject([
      {
        SpotInstanceRequestId: instance?.SpotInstanceRequestId,
        State: 'active',
        SpotPrice: '0.09',
        Tags: tags,
      },
    ]);
  });

  test('parallel launches of many get an address each', async () => {
    const { ec2 } = await startRig();
    const parts = await Promise.all(
      [150, 150, 150].map((MaxCount) => launch(ec2, { MinCount: MaxCount, MaxCount })),
    );
    const all = await describeAll(ec2, { 'instance-state-name': ['pending', 'running'] });
    expect(all.map((instance) => instance.InstanceId)).toEqual(expect.arrayContaining(parts.flat()));
    expect(new Set(all.map((instance) => instance.PrivateIpAddress)).size).toBe(450);
  });

  test('the same token in parallel launches once', async () => {
    const { ec2 } = await startRig();
    const both = await Promise.all([1, 2].map(() => launch(ec2, { ClientToken: 'same', MaxCount: 3 })));
    expect(both[1]).toEqual(both[0]);
    expect(await describeAll(ec2)).toHaveLength(3);
  });
});

describe('listing', () => {
  test('pages bring every instance once', async () => {
    const { ec2 } = await startRig();
    await launch(ec2, {
      MaxCount: 12,
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'a', Value: 'b' }] }],
    });
    await launch(ec2, { MaxCount: 3 });
    const tagged = await describeAll(ec2, { 'tag:a': ['b'] }, 5);
    expect(new Set(tagged.map((instance) => instance.InstanceId)).size).toBe(12);
    expect(await describeAll(ec2)).toHaveLength(15);
  });

  test('ids and a page size do not go together', async () => {
    const { ec2 } = await startRig();
    const ids = await launch(ec2);
    const call = ec2.send(new DescribeInstancesCommand({ InstanceIds: ids, MaxResults: 10 }));
    expect(await failureOf(call)).toEqual({ name: 'InvalidParameterCombination', status: 400 });
  });

  test('a region does not see the instances of another', async () => {
    const { ec2, emulator } = await startRig();
    const ids = await launch(ec2);
    const other = ec2.config;
    const { EC2Client: Client } = await import('@aws-sdk/client-ec2');
    const tokyo = new Client({
      endpoint: emulator.endpoint,
      region: 'ap-northeast-1',
      credentials: await other.credentials(),
      maxAttempts: 1,
    });
    expect(await describeAll(tokyo)).toEqual([]);
    const call = tokyo.send(new TerminateInstancesCommand({ InstanceIds: ids }));
    expect(await failureOf(call)).toEqual({ name: 'InvalidInstanceID.NotFound', status: 400 });
    tokyo.destroy();
  });

  test('a new instance is not found for a moment', async () => {
    const { ec2 } = await startRig({ unseenMs: 60_000 });
    const ids = await launch(ec2);
    const call = ec2.send(new DescribeInstancesCommand({ InstanceIds: ids }));
    expect(await failureOf(call)).toEqual({ name: 'InvalidInstanceID.NotFound', status: 400 });
    expect(await describeAll(ec2)).toEqual([]);
  });

  test('tags set later are found', async () => {
    const { ec2 } = await startRig();
    const ids = await launch(ec2);
    await ec2.send(new CreateTagsCommand({ Resources: ids, Tags: [{ Key: 'later', Value: 'yes' }] }));
    expect(await describeAll(ec2, { 'tag:later': ['yes'] })).toHaveLength(1);
    const call = ec2.send(
      new CreateTagsCommand({ Resources: ['nonsense'], Tags: [{ Key: 'a', Value: 'b' }] }),
    );
    expect(await failureOf(call)).toEqual({ name: 'InvalidID', status: 400 });
  });
});

describe('hosts', () => {
  test('a host starts when its instance has booted and closes when it ends', async () => {
    const { ec2, hosts, emulator, trouble } = await startRig({ sshPort: 2022 });
    const userData = '#cloud-config\n';
    const [id = ''] = await launch(ec2, { KeyName: 'k', UserData: gzipSync(userData).toString('base64') });
    await vi.waitFor(() => expect(hosts.started).toHaveLength(1));
    const [instance] = await describeAll(ec2);
    expect(instance).toMatchObject({
      State: { Name: 'running' },
      PublicIpAddress: instance?.PrivateIpAddress,
    });
    expect(hosts.started).toEqual([
      {
        address: instance?.PrivateIpAddress,
        sshPort: 2022,
        dockerPort: 2376,
        userData,
        instanceId: id,
        keyName: 'k',
        publicKey: null,
      },
    ]);
    const ended = await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    expect(ended.TerminatingInstances).toMatchObject([
      { InstanceId: id, CurrentState: { Name: 'shutting-down' }, PreviousState: { Name: 'running' } },
    ]);
    await vi.waitFor(() => expect(emulator.world.instances()[0]?.state).toBe('terminated'));
    expect(hosts.closed).toEqual([id]);
    expect(trouble).toEqual([]);
  });

  test('a host that cannot start is reported; its instance runs on without it', async () => {
    const { ec2, trouble } = await startRig({
      startHost: async () => {
        throw new Error('no room');
      },
    });
    const [id = ''] = await launch(ec2);
    await vi.waitFor(() => expect(trouble).toHaveLength(1));
    expect(trouble[0]).toMatch(
      new RegExp(`^host of ${id} on 127\\.0\\.\\d+\\.1:2222 did not start: no room$`),
    );
    expect((await describeAll(ec2))[0]?.State?.Name).toBe('running');
  });

  test('the console says something once the host should be up', async () => {
    const { ec2, hosts } = await startRig();
    const [InstanceId = ''] = await launch(ec2);
    const read = async () => (await ec2.send(new GetConsoleOutputCommand({ InstanceId }))).Output;
    await vi.waitFor(() => expect(hosts.started).toHaveLength(1));
    expect(Buffer.from((await read()) ?? '', 'base64').toString()).toContain(`${InstanceId} is ready`);
  });

  test('the console shows what the host itself shows, where it has one', async () => {
    const { ec2 } = await startRig({
      startHost: async () => ({ close: async () => {}, console: () => 'Welcome to Debian' }),
    });
    const [InstanceId = ''] = await launch(ec2);
    await vi.waitFor(async () => {
      const { Output } = await ec2.send(new GetConsoleOutputCommand({ InstanceId }));
      expect(Buffer.from(Output ?? '', 'base64').toString()).toBe('Welcome to Debian');
    });
  });

  test('closing the emulator closes every host', async () => {
    const { ec2, hosts, emulator } = await startRig();
    const ids = await launch(ec2, { MaxCount: 5 });
    await vi.waitFor(() => expect(hosts.started).toHaveLength(5));
    await emulator.close();
    expect(new Set(hosts.closed)).toEqual(new Set(ids));
  });
});
