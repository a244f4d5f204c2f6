// The calls of docker-machine's own EC2 driver in its own order, old and new, through the AWS SDK's client.
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DescribeAccountAttributesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSpotInstanceRequestsCommand,
  DescribeSubnetsCommand,
  type EC2Client,
  ImportKeyPairCommand,
  RequestSpotInstancesCommand,
  type RequestSpotInstancesCommandInput,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, test } from 'vitest';
import { control, eventually, failureOf, type Rig, startRig } from './emulator-fixture.ts';

const machine = 'runner-1234-machine';
const publicKey = `ssh-ed25519 ${Buffer.concat([
  Buffer.from([0, 0, 0, 11]),
  Buffer.from('ssh-ed25519'),
  Buffer.from([0, 0, 0, 32]),
  Buffer.alloc(32, 9),
]).toString('base64')}`;

/** What it does before any launch; gives the subnet and group that it found. */
async function prepare(ec2: EC2Client): Promise<{ SubnetId: string; Groups: string[] }> {
  const { AccountAttributes = [] } = await ec2.send(new DescribeAccountAttributesCommand({}));
  const home = AccountAttributes.find((one) => one.AttributeName === 'default-vpc');
  const vpcId = home?.AttributeValues?.[0]?.AttributeValue ?? '';
  const key = new DescribeKeyPairsCommand({ KeyNames: [machine] });
  expect(await failureOf(ec2.send(key))).toEqual({ name: 'InvalidKeyPair.NotFound', status: 400 });
  // With an endpoint of one's own it asks for the bare letter of the zone.
  const { Subnets = [] } = await ec2.send(
    new DescribeSubnetsCommand({
      Filters: [
        { Name: 'availability-zone', Values: ['a'] },
        { Name: 'vpc-id', Values: [vpcId] },
      ],
    }),
  );
  await ec2.send(
    new ImportKeyPairCommand({ KeyName: machine, PublicKeyMaterial: Buffer.from(`${publicKey}\n`) }),
  );
  const { SecurityGroups = [] } = await ec2.send(
    new DescribeSecurityGroupsCommand({
      Filters: [
        { Name: 'group-name', Values: ['docker-machine'] },
        { Name: 'vpc-id', Values: [vpcId] },
      ],
    }),
  );
  const GroupId = SecurityGroups[0]?.GroupId ?? '';
  const open = [22, 2376].map((port) => ({
    IpProtocol: 'tcp',
    FromPort: port,
    ToPort: port,
    IpRanges: [{ CidrIp: '0.0.0.0/0' }],
  }));
  await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: open }));
  return { SubnetId: Subnets[0]?.SubnetId ?? '', Groups: [GroupId] };
}

/** The launch's fields as the driver fills them: what it has no value for is an empty text. */
const fieldsOf = (place: { SubnetId: string; Groups: string[] }) => ({
  ImageId: 'ami-0123456789abcdef0',
  InstanceType: 'm5.large' as const,
  KeyName: machine,
  Placement: { AvailabilityZone: 'a' },
  NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: true, ...place }],
  Monitoring: { Enabled: false },
  IamInstanceProfile: { Name: '' },
  EbsOptimized: false,
  BlockDeviceMappings: [
    {
      DeviceName: '/dev/sda1',
      Ebs: { VolumeSize: 16, VolumeType: 'gp2' as const, DeleteOnTermination: true },
    },
  ],
  UserData: '',
});

async function find(ec2: EC2Client, id: string) {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0];
}

async function untilRunning({ ec2, hosts }: Rig, id: string) {
  await eventually(() => expect(hosts.started).toHaveLength(1));
  expect(await find(ec2, id)).toMatchObject({ State: { Name: 'running' }, KeyName: machine });
}

async function remove({ ec2, emulator }: Rig, id: string) {
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await ec2.send(new DeleteKeyPairCommand({ KeyName: machine }));
  await eventually(() => expect(emulator.world.instances()[0]?.state).toBe('terminated'));
}

describe('docker-machine on demand', () => {
  test('creates, stops and removes a machine, whose host gets the imported key', async () => {
    const rig = await startRig({ strict: false });
    const { ec2, hosts } = rig;
    const answer = await ec2.send(
      new RunInstancesCommand({ MinCount: 1, MaxCount: 1, ...fieldsOf(await prepare(ec2)) }),
    );
    const id = answer.Instances?.[0]?.InstanceId ?? '';
    expect(answer.Instances).toMatchObject([{ Placement: { AvailabilityZone: 'eu-central-1a' } }]);
    expect(answer.Instances?.[0]?.IamInstanceProfile).toBeUndefined();
    await untilRunning(rig, id);
    expect(hosts.started).toMatchObject([{ publicKey: `${publicKey} ${machine}`, userData: '' }]);
    await ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'Name', Value: machine }] }));
    await ec2.send(new StopInstancesCommand({ InstanceIds: [id], Force: false }));
    expect(hosts.closed).toEqual([id]);
    await eventually(async () => expect((await find(ec2, id))?.State?.Name).toBe('stopped'));
    await remove(rig, id);
  });

  test('with an empty spot price pays what EC2 asks, and tags its instance at once', async () => {
    const rig = await startRig({ unseenMs: 100 });
    const { ec2 } = rig;
    const answer = await ec2.send(
      new RunInstancesCommand({
        MinCount: 1,
        MaxCount: 1,
        ...fieldsOf(await prepare(ec2)),
        MetadataOptions: { HttpTokens: 'optional', HttpPutResponseHopLimit: 1 },
        InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { MaxPrice: '' } },
      }),
    );
    const [instance] = answer.Instances ?? [];
    const id = instance?.InstanceId ?? '';
    expect(instance).toMatchObject({ InstanceLifecycle: 'spot' });
    await ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'Name', Value: machine }] }));
    await untilRunning(rig, id);
    const stop = ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    expect(await failureOf(stop)).toEqual({ name: 'UnsupportedOperation', status: 400 });
    await remove(rig, id);
  });
});

describe('docker-machine by spot request', () => {
  const requestOf = async (ec2: EC2Client, more: Partial<RequestSpotInstancesCommandInput> = {}) => {
    const answer = await ec2.send(
      new RequestSpotInstancesCommand({
        InstanceCount: 1,
        SpotPrice: '0.05',
        LaunchSpecification: fieldsOf(await prepare(ec2)),
        ...more,
      }),
    );
    return answer.SpotInstanceRequests?.[0];
  };
  const look = async (ec2: EC2Client, id: string) => {
    const query = new DescribeSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [id] });
    return (await ec2.send(query)).SpotInstanceRequests?.[0];
  };

  test('waits until its request is fulfilled and finds the instance by it', async () => {
    const rig = await startRig();
    const { ec2 } = rig;
    const request = await requestOf(ec2);
    expect(request).toMatchObject({
      State: 'open',
      Status: { Code: 'pending-evaluation' },
      SpotPrice: '0.05',
      Type: 'one-time',
      LaunchSpecification: { InstanceType: 'm5.large', KeyName: machine },
    });
    const sir = request?.SpotInstanceRequestId ?? '';
    await eventually(async () => expect((await look(ec2, sir))?.Status?.Code).toBe('fulfilled'));
    const id = (await look(ec2, sir))?.InstanceId ?? '';
    expect(await find(ec2, id)).toMatchObject({ SpotInstanceRequestId: sir, InstanceLifecycle: 'spot' });
    await untilRunning(rig, id);
    await remove(rig, id);
    expect(await look(ec2, sir)).toMatchObject({
      State: 'closed',
      Status: { Code: 'instance-terminated-by-user' },
    });
  });

  test('leaves an open request behind when it dies, which becomes a machine that nobody knows', async () => {
    const { ec2, emulator } = await startRig();
    const request = await requestOf(ec2, { SpotPrice: '0.01' });
    const sir = request?.SpotInstanceRequestId ?? '';
    await eventually(async () => expect((await look(ec2, sir))?.Status?.Code).toBe('price-too-low'));
    const open = { Filters: [{ Name: 'state', Values: ['open'] }] };
    const listed = await ec2.send(new DescribeSpotInstanceRequestsCommand(open));
    expect(listed.SpotInstanceRequests?.map((one) => one.SpotInstanceRequestId)).toEqual([sir]);
    const cheap = { type: 'm5.large', zone: 'eu-central-1a', usd: 0.009 };
    expect(await control(emulator, 'price', cheap)).toEqual({ status: 200, json: cheap });
    await eventually(() => expect(emulator.world.instances()).toHaveLength(1));
    expect(emulator.world.instances()[0]?.tags.size).toBe(0);
    expect((await control(emulator, 'spot-requests')).json).toEqual([
      expect.objectContaining({ id: sir, state: 'active', instance: emulator.world.instances()[0]?.id }),
    ]);
  });
});

test('a subnet of a configuration can be placed, so that its VPC is the one that docker-machine expects', async () => {
  const { ec2, emulator } = await startRig({ strict: true });
  const place = { id: 'subnet-0a1b2c3d', vpc: 'vpc-0a1b2c3d', zone: 'eu-central-1b' };
  expect(await control(emulator, 'subnet', place)).toEqual({ status: 200, json: place });
  const query = { Filters: [{ Name: 'subnet-id', Values: ['subnet-0a1b2c3d'] }] };
  const { Subnets } = await ec2.send(new DescribeSubnetsCommand(query));
  expect(Subnets).toMatchObject([{ VpcId: 'vpc-0a1b2c3d', AvailabilityZone: 'eu-central-1b' }]);
  const nowhere = await control(emulator, 'subnet', { ...place, zone: 'eu-central-1z' });
  expect(nowhere).toEqual({ status: 400, json: { error: expect.stringContaining('availability zone') } });
});
