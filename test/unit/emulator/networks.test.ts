import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeAccountAttributesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeInstanceTypesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2';
import { GetParameterCommand, GetParametersCommand } from '@aws-sdk/client-ssm';
import { describe, expect, test } from 'vitest';
import { failureOf, launch, startRig } from './emulator-fixture.ts';

const ubuntu = '/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id';
const graviton = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64';

describe('networks over the wire', () => {
  test('the default VPC is the one of the account attributes', async () => {
    const { ec2 } = await startRig();
    const attributes = await ec2.send(
      new DescribeAccountAttributesCommand({ AttributeNames: ['default-vpc'] }),
    );
    const id = attributes.AccountAttributes?.[0]?.AttributeValues?.[0]?.AttributeValue;
    const vpcs = await ec2.send(
      new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] }),
    );
    expect(vpcs.Vpcs).toMatchObject([{ VpcId: id, IsDefault: true }]);
  });

  test('a subnet tells VPC, zone and free addresses', async () => {
    const { ec2 } = await startRig();
    const query = { SubnetIds: ['subnet-0a1b2c3d'], Filters: [{ Name: 'vpc-id', Values: ['vpc-0a1b2c3d'] }] };
    const read = async () => (await ec2.send(new DescribeSubnetsCommand(query))).Subnets;
    const subnet = { SubnetId: 'subnet-0a1b2c3d', VpcId: 'vpc-0a1b2c3d', AvailabilityZone: 'eu-central-1a' };
    expect(await read()).toMatchObject([{ ...subnet, AvailableIpAddressCount: 4091 }]);
    await launch(ec2, { SubnetId: 'subnet-0a1b2c3d', MaxCount: 2 });
    expect(await read()).toMatchObject([{ ...subnet, AvailableIpAddressCount: 4089 }]);
    const zones = await ec2.send(new DescribeAvailabilityZonesCommand({}));
    expect(zones.AvailabilityZones?.map((zone) => zone.ZoneName)).toContain('eu-central-1a');
  });

  test('a security group is created, opened, and found with its rules', async () => {
    const { ec2 } = await startRig({ strict: true });
    const find = async () =>
      (
        await ec2.send(
          new DescribeSecurityGroupsCommand({ Filters: [{ Name: 'group-name', Values: ['hosts'] }] }),
        )
      ).SecurityGroups;
    expect(await find()).toEqual([]);
    const { GroupId = '' } = await ec2.send(
      new CreateSecurityGroupCommand({
        GroupName: 'hosts',
        Description: 'runner hosts',
        TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: 'a', Value: 'b' }] }],
      }),
    );
    const permission = {
      IpProtocol: 'tcp',
      FromPort: 2376,
      ToPort: 2376,
      IpRanges: [{ CidrIp: '10.0.0.5/32', Description: 'manager' }],
    };
    const open = () =>
      ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [permission] }));
    await open();
    expect(await failureOf(open())).toEqual({ name: 'InvalidPermission.Duplicate', status: 400 });
    expect(await find()).toMatchObject([
      { GroupId, GroupName: 'hosts', IpPermissions: [permission], Tags: [{ Key: 'a', Value: 'b' }] },
    ]);
  });
});

describe('images and types over the wire', () => {
  test('an SSM name leads to an image that launches', async () => {
    const { ec2, ssm, emulator } = await startRig({ strict: true });
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name: ubuntu }));
    const imageId = Parameter?.Value ?? '';
    const { Images } = await ec2.send(new DescribeImagesCommand({ ImageIds: [imageId] }));
    expect(Images).toMatchObject([
      { ImageId: imageId, Architecture: 'x86_64', RootDeviceName: '/dev/sda1', State: 'available' },
    ]);
    await launch(ec2, { ImageId: imageId });
    await launch(ec2, { ImageId: `resolve:ssm:${ubuntu}` });
    expect(emulator.world.instances().map((instance) => instance.imageId)).toEqual([imageId, imageId]);
  });

  test('several names at once; unknown ones are named, or an error when asked for alone', async () => {
    const { ssm } = await startRig({ strict: true });
    const { Parameters, InvalidParameters } = await ssm.send(
      new GetParametersCommand({ Names: [ubuntu, graviton, '/no/such/name'] }),
    );
    expect(Parameters?.map((parameter) => parameter.Name)).toEqual([ubuntu, graviton]);
    expect(InvalidParameters).toEqual(['/no/such/name']);
    const call = ssm.send(new GetParameterCommand({ Name: '/no/such/name' }));
    expect(await failureOf(call)).toEqual({ name: 'ParameterNotFound', status: 400 });
  });

  test('any well-formed image exists unless the emulator is strict', async () => {
    const { ec2 } = await startRig();
    const query = { ImageIds: ['ami-0123456789abcdef0'] };
    const { Images } = await ec2.send(new DescribeImagesCommand(query));
    expect(Images?.[0]?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId).toMatch(/^snap-/);
    const strict = await startRig({ strict: true });
    expect(await failureOf(strict.ec2.send(new DescribeImagesCommand(query)))).toEqual({
      name: 'InvalidAMIID.NotFound',
      status: 400,
    });
  });

  test('types tell architecture and size', async () => {
    const { ec2 } = await startRig();
    const { InstanceTypes } = await ec2.send(
      new DescribeInstanceTypesCommand({ InstanceTypes: ['m7g.large', 'm4.2xlarge'] as never }),
    );
    expect(InstanceTypes).toMatchObject([
      { ProcessorInfo: { SupportedArchitectures: ['arm64'] }, VCpuInfo: { DefaultVCpus: 2 } },
      {
        ProcessorInfo: { SupportedArchitectures: ['x86_64'] },
        VCpuInfo: { DefaultVCpus: 8 },
        MemoryInfo: { SizeInMiB: 32_768 },
      },
    ]);
  });
});
