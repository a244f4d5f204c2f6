// LaunchRequest → RunInstances, field by field; docs/ec2.md holds the same table for users.
// Pure. Trap: the same request and token must give the same input for ever, or EC2 answers IdempotentParameterMismatch:
// nothing in here may depend on time, environment or order of maps.
import type { _InstanceType, RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import type { LaunchRequest } from '../../domain/launch.ts';
import { diskOf, interfaceOf, metadataOf, placesOf, profileOf, tagSpecifications } from './launch-parts.ts';

/** One call for all equal machines: as many of `count` as fit, at least one. */
export function runInstancesInput(order: {
  token: string;
  count: number;
  request: LaunchRequest;
}): RunInstancesCommandInput {
  const { request } = order;
  const [place] = placesOf(request);
  const profile = profileOf(request);
  const resources = ['instance', 'volume', 'network-interface'] as const;
  return {
    ClientToken: order.token,
    MinCount: 1,
    MaxCount: order.count,
    ImageId: request.imageId,
    InstanceType: place.type as _InstanceType,
    ...(place.zone !== null && { Placement: { AvailabilityZone: place.zone } }),
    ...(request.keyName !== null && { KeyName: request.keyName }),
    ...(profile !== null && { IamInstanceProfile: profile }),
    NetworkInterfaces: [interfaceOf(request, place.subnetId)],
    BlockDeviceMappings: [diskOf(request)],
    Monitoring: { Enabled: request.monitoring },
    ...(request.ebsOptimized && { EbsOptimized: true }),
    MetadataOptions: metadataOf(request),
    InstanceInitiatedShutdownBehavior: 'terminate',
    ...(place.market === 'spot' && {
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
    // EC2 refuses to tag a spot request on a launch that makes none.
    TagSpecifications: tagSpecifications(
      request.tags,
      place.market === 'spot' ? [...resources, 'spot-instances-request'] : resources,
    ),
  };
}
