// LaunchRequest → RunInstances, field by field; docs/ec2.md holds the same table for users.
// Pure. Trap: the same request and token must give the same input for ever, or EC2 answers IdempotentParameterMismatch:
// nothing in here may depend on time, environment or order of maps.
import type {
  _InstanceType,
  ResourceType,
  RunInstancesCommandInput,
  TagSpecification,
  VolumeType,
} from '@aws-sdk/client-ec2';
import type { LaunchRequest } from '../../domain/launch.ts';

/** One call for all equal machines: as many of `count` as fit, at least one. */
export function runInstancesInput(order: {
  token: string;
  count: number;
  request: LaunchRequest;
}): RunInstancesCommandInput {
  const { request } = order;
  const { offering } = request;
  return {
    ClientToken: order.token,
    MinCount: 1,
    MaxCount: order.count,
    ImageId: request.imageId,
    InstanceType: offering.type as _InstanceType,
    ...(offering.zone !== null && { Placement: { AvailabilityZone: offering.zone } }),
    ...(request.keyName !== null && { KeyName: request.keyName }),
    ...(request.iamInstanceProfile !== null && {
      IamInstanceProfile: request.iamInstanceProfile.startsWith('arn:')
        ? { Arn: request.iamInstanceProfile }
        : { Name: request.iamInstanceProfile },
    }),
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        DeleteOnTermination: true,
        Groups: [...request.securityGroupIds],
        ...(request.subnetId !== null && { SubnetId: request.subnetId }),
        ...(request.associatePublicIp !== null && { AssociatePublicIpAddress: request.associatePublicIp }),
      },
    ],
    BlockDeviceMappings: [
      {
        DeviceName: request.rootDevice,
        Ebs: {
          DeleteOnTermination: true,
          VolumeSize: request.rootSizeGb,
          VolumeType: request.volumeType as VolumeType,
          // Absent, not false: EC2 refuses `false` for an image whose snapshot is encrypted.
          ...(request.volumeEncrypted && { Encrypted: true }),
          ...(request.volumeKmsKey !== null && { Encrypted: true, KmsKeyId: request.volumeKmsKey }),
        },
      },
    ],
    Monitoring: { Enabled: request.monitoring },
    ...(request.ebsOptimized && { EbsOptimized: true }),
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpTokens: request.metadataTokens,
      HttpPutResponseHopLimit: request.metadataHopLimit,
    },
    InstanceInitiatedShutdownBehavior: 'terminate',
    ...(offering.market === 'spot' && {
      InstanceMarketOptions: {
        MarketType: 'spot' as const,
        SpotOptions: {
          SpotInstanceType: 'one-time' as const,
          InstanceInterruptionBehavior: 'terminate' as const,
          ...(request.maxPriceUsd !== null && { MaxPrice: request.maxPriceUsd }),
        },
      },
    }),
    ...(request.userData !== '' && { UserData: request.userData }),
    TagSpecifications: tagSpecifications(request),
  };
}

function tagSpecifications(request: LaunchRequest): TagSpecification[] {
  const tags = Object.entries(request.tags)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([Key, Value]) => ({ Key, Value }));
  const resources: ResourceType[] = ['instance', 'volume', 'network-interface'];
  // EC2 refuses this type on a launch that makes no spot request.
  if (request.offering.market === 'spot') resources.push('spot-instances-request');
  return resources.map((ResourceType) => ({ ResourceType, Tags: tags }));
}
