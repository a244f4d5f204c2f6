// Calls beside the launch path, over the wire: key pairs, spot requests, power, status, attributes, tags, regions, old
// forms of calls.
import {
  CancelSpotInstanceRequestsCommand,
  CreateKeyPairCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DeleteTagsCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeRegionsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSpotInstanceRequestsCommand,
  ModifyInstanceAttributeCommand,
  RebootInstancesCommand,
  RequestSpotInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import ssh2 from 'ssh2';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createRealTimeline } from '../../../src/emulator/real-timeline.ts';
import { control, eventually, failureOf, launch, startRig } from './emulator-fixture.ts';

describe('key pairs over the wire', () => {
  test.each(['rsa', 'ed25519'] as const)(
    'a made %s pair fits together and is gone when deleted',
    async (KeyType) => {
      const { ec2 } = await startRig();
      const made = await ec2.send(
        new CreateKeyPairCommand({
          KeyName: 'mine',
          KeyType,
          TagSpecifications: [{ ResourceType: 'key-pair', Tags: [{ Key: 'a', Value: 'b' }] }],
        }),
      );
      const key = ssh2.utils.parseKey(made.KeyMaterial ?? '');
      if (key instanceof Error) throw key;
      const { KeyPairs } = await ec2.send(
        new DescribeKeyPairsCommand({ KeyPairIds: [made.KeyPairId ?? ''], IncludePublicKey: true }),
      );
      const publicKey = `ssh-${KeyType} ${key.getPublicSSH().toString('base64')} mine`;
      expect(KeyPairs).toMatchObject([
        {
          KeyName: 'mine',
          KeyType,
          KeyFingerprint: made.KeyFingerprint,
          PublicKey: publicKey,
          Tags: [{ Key: 'a', Value: 'b' }],
        },
      ]);
      expect(await failureOf(ec2.send(new CreateKeyPairCommand({ KeyName: 'mine' })))).toEqual({
        name: 'InvalidKeyPair.Duplicate',
        status: 400,
      });
      await ec2.send(new DeleteKeyPairCommand({ KeyName: 'mine' }));
      expect((await ec2.send(new DescribeKeyPairsCommand({}))).KeyPairs).toEqual([]);
      expect(await failureOf(ec2.send(new DeleteKeyPairCommand({ KeyName: 'mine' })))).toMatchObject({
        name: 'done',
      });
    },
  );
});

describe('spot requests over the wire', () => {
  test('carry their times and tags, are found by them, and are cancelled', async () => {
    const { ec2, emulator } = await startRig({
      capacity: [{ type: 'm5.large', zone: 'eu-central-1a', market: null, count: 0 }],
    });
    const until = new Date(Date.UTC(2040, 0, 1));
    const { SpotInstanceRequests } = await ec2.send(
      new RequestSpotInstancesCommand({
        InstanceCount: 2,
        Type: 'persistent',
        InstanceInterruptionBehavior: 'stop',
        ValidUntil: until,
        TagSpecifications: [
          { ResourceType: 'spot-instances-request', Tags: [{ Key: 'owner', Value: 'me' }] },
        ],
        LaunchSpecification: {
          ImageId: 'ami-0123456789abcdef0',
          InstanceType: 'm5.large',
          SubnetId: 'subnet-0a1b2c3d',
          SecurityGroupIds: ['sg-0a1b2c3d'],
          Placement: { AvailabilityZone: 'eu-central-1a' },
        },
      }),
    );
    const ids = (SpotInstanceRequests ?? []).map((one) => one.SpotInstanceRequestId ?? '');
    const found = async () => {
      const Filters = [
        { Name: 'tag:owner', Values: ['me'] },
        { Name: 'status-code', Values: ['capacity-not-available'] },
      ];
      return (await ec2.send(new DescribeSpotInstanceRequestsCommand({ Filters }))).SpotInstanceRequests;
    };
    await eventually(async () => expect(await found()).toHaveLength(2));
    expect(await found()).toMatchObject([
      { Type: 'persistent', InstanceInterruptionBehavior: 'stop', ValidUntil: until },
      { Tags: [{ Key: 'owner', Value: 'me' }] },
    ]);
    const cancelled = await ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: ids }));
    expect(cancelled.CancelledSpotInstanceRequests).toEqual(
      ids.map((SpotInstanceRequestId) => ({ SpotInstanceRequestId, State: 'cancelled' })),
    );
    expect(await found()).toEqual([]);
    expect(emulator.world.instances()).toEqual([]);
  });

  const specification = { ImageId: 'ami-0123456789abcdef0', InstanceType: 'm5.large' as const };
  test.each([
    ['without a specification', {}, 'MissingParameter'],
    ['in a launch group', { LaunchGroup: 'all', LaunchSpecification: specification }, 'UnsupportedOperation'],
    [
      'with a duration',
      { BlockDurationMinutes: 60, LaunchSpecification: specification },
      'InvalidParameterValue',
    ],
  ])('%s are refused', async (_what, wish, name) => {
    const { ec2 } = await startRig();
    expect(await failureOf(ec2.send(new RequestSpotInstancesCommand(wish)))).toEqual({ name, status: 400 });
  });
});

describe('power over the wire', () => {
  test('a stopped instance starts again with a new host on its old address', async () => {
    const { ec2, hosts, trouble } = await startRig();
    const InstanceIds = await launch(ec2);
    await eventually(() => expect(hosts.started).toHaveLength(1));
    const { StoppingInstances } = await ec2.send(new StopInstancesCommand({ InstanceIds }));
    expect(StoppingInstances).toMatchObject([
      { CurrentState: { Code: 64, Name: 'stopping' }, PreviousState: { Code: 16, Name: 'running' } },
    ]);
    const state = async () => {
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds }));
      return Reservations?.[0]?.Instances?.[0]?.State;
    };
    await eventually(async () => expect(await state()).toEqual({ Code: 80, Name: 'stopped' }));
    const { StartingInstances } = await ec2.send(new StartInstancesCommand({ InstanceIds }));
    expect(StartingInstances).toMatchObject([{ CurrentState: { Name: 'pending' } }]);
    await eventually(() => expect(hosts.started).toHaveLength(2));
    expect(hosts.started[1]).toEqual(hosts.started[0]);
    expect(hosts.closed).toEqual(InstanceIds);
    await ec2.send(new RebootInstancesCommand({ InstanceIds }));
    expect(trouble).toEqual([]);
  });

  test('a host that can be powered off keeps what it has, and is closed at the end of its instance', async () => {
    const seen: string[] = [];
    const note = (word: string) => async () => {
      seen.push(word);
    };
    const { ec2, emulator } = await startRig({
      startHost: async () => {
        seen.push('start');
        return { close: note('close'), power: { off: note('off'), on: note('on') } };
      },
    });
    const InstanceIds = await launch(ec2);
    const state = () => emulator.world.instances()[0]?.state;
    await eventually(() => expect(seen).toEqual(['start']));
    await ec2.send(new StopInstancesCommand({ InstanceIds }));
    await eventually(() => expect(state()).toBe('stopped'));
    await ec2.send(new StartInstancesCommand({ InstanceIds }));
    await eventually(() => expect(seen).toEqual(['start', 'off', 'on']));
    await ec2.send(new StopInstancesCommand({ InstanceIds }));
    await eventually(() => expect(state()).toBe('stopped'));
    await ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    await eventually(() => expect(seen).toEqual(['start', 'off', 'on', 'off', 'close']));
  });

  test('status checks pass when the host is up', async () => {
    const { ec2, hosts } = await startRig();
    const InstanceIds = await launch(ec2);
    const statuses = async (more = {}) =>
      (await ec2.send(new DescribeInstanceStatusCommand({ InstanceIds, ...more }))).InstanceStatuses;
    expect(await statuses()).toEqual([]);
    expect(await statuses({ IncludeAllInstances: true })).toMatchObject([
      { InstanceState: { Name: 'pending' }, InstanceStatus: { Status: 'not-applicable' } },
    ]);
    await eventually(() => expect(hosts.started).toHaveLength(1));
    expect(await statuses()).toMatchObject([
      { InstanceStatus: { Status: 'ok' }, SystemStatus: { Details: [{ Status: 'passed' }] } },
    ]);
  });

  test('a protected instance is not terminated until its protection is taken back', async () => {
    const { ec2, emulator } = await startRig();
    const [InstanceId = ''] = await launch(ec2);
    const protect = (Value: boolean) =>
      ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value } }));
    const end = () => failureOf(ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] })));
    await protect(true);
    expect(await end()).toEqual({ name: 'OperationNotPermitted', status: 400 });
    await protect(false);
    expect(await end()).toMatchObject({ name: 'done' });
    await ec2.send(
      new ModifyInstanceAttributeCommand({
        InstanceId,
        InstanceInitiatedShutdownBehavior: { Value: 'terminate' },
        Groups: ['sg-0a1b2c3d'],
      }),
    );
    const changed = { shutdown: 'terminate', groups: [{ id: 'sg-0a1b2c3d' }] };
    expect(emulator.world.instances()).toMatchObject([changed]);
    const other = new ModifyInstanceAttributeCommand({ InstanceId, EbsOptimized: { Value: true } });
    expect(await failureOf(ec2.send(other))).toEqual({ name: 'UnsupportedOperation', status: 400 });
  });
});

test('tags are taken away by key', async () => {
  const { ec2, emulator } = await startRig();
  const Resources = await launch(ec2);
  await ec2.send(
    new CreateTagsCommand({
      Resources,
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
      ],
    }),
  );
  await ec2.send(new DeleteTagsCommand({ Resources, Tags: [{ Key: 'a' }] }));
  expect([...(emulator.world.instances()[0]?.tags ?? [])]).toEqual([['b', '2']]);
});

test('regions are listed; a name that is none is refused', async () => {
  const { ec2 } = await startRig();
  const { Regions } = await ec2.send(new DescribeRegionsCommand({}));
  expect(Regions?.map((region) => region.RegionName)).toContain('eu-central-1');
  const call = ec2.send(new DescribeRegionsCommand({ RegionNames: ['atlantis-1'] }));
  expect(await failureOf(call)).toEqual({ name: 'InvalidParameterValue', status: 400 });
});

describe('calls as older clients write them', () => {
  const credential = `AKIDOLD/20260105/ap-northeast-1/ec2/aws4_request`;
  const signed = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(credential)}`;

  test('a call may stand in the address, signed there', async () => {
    const { emulator } = await startRig({ accessKey: 'AKIDOLD' });
    const get = async (query: string) => {
      const answer = await fetch(`${emulator.endpoint}/?${query}`);
      return { status: answer.status, text: await answer.text() };
    };
    const zones = await get(`Action=DescribeAvailabilityZones&${signed}`);
    expect(zones).toEqual({ status: 200, text: expect.stringContaining('ap-northeast-1a') });
    expect((await get('Action=DescribeAvailabilityZones')).status).toBe(401);
    expect((await get(signed)).status).toBe(404);
    expect(emulator.calls()).toEqual({ DescribeAvailabilityZones: 2 });
  });

  test('a rule may stand beside the name of its group', async () => {
    const { ec2, emulator } = await startRig();
    const query = `Action=AuthorizeSecurityGroupIngress&GroupName=default&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=10.0.0.0/8`;
    const home = signed.replace('ap-northeast-1', 'eu-central-1');
    expect((await fetch(`${emulator.endpoint}/?${query}&${home}`)).status).toBe(200);
    const { SecurityGroups } = await ec2.send(new DescribeSecurityGroupsCommand({ GroupNames: ['default'] }));
    expect(SecurityGroups).toMatchObject([
      { IpPermissions: [{ FromPort: 22, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }] },
    ]);
  });
});

test.each<[string, unknown]>([
  ['price', { type: 'm5.large', zone: 'eu-central-1a' }],
  ['price', { type: 'm5.large', zone: 'eu-central-1a', usd: 0 }],
  ['subnet', { id: 'subnet-0a1b2c3d', vpc: 'vpc-0a1b2c3d' }],
  ['subnet', { id: 'net', vpc: 'vpc-0a1b2c3d', zone: 'eu-central-1a' }],
  ['subnet', { id: 'subnet-0a1b2c3d', vpc: 'vpc-0a1b2c3d', zone: '' }],
])('POST %s %j is refused in one line', async (path, body) => {
  const { emulator } = await startRig();
  expect(await control(emulator, path, body)).toEqual({
    status: 400,
    json: { error: expect.stringMatching(/^.+$/) },
  });
});

test('what is more than 24 days away does not happen at once', () => {
  vi.useFakeTimers();
  const timeline = createRealTimeline();
  onTestFinished(() => {
    timeline.close();
    vi.useRealTimers();
  });
  const done: string[] = [];
  const day = 86_400_000;
  timeline.after(60 * day, () => done.push('late'));
  const off = timeline.after(30 * day, () => done.push('never'));
  vi.advanceTimersByTime(25 * day);
  off();
  vi.advanceTimersByTime(35 * day - 1);
  expect(done).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(done).toEqual(['late']);
});
