// LaunchRequest → RequestSpotInstances, for those who must go the old way: one-time, valid for minutes, the request
// tagged. Field by field as docs/ec2.md.
// Pure. Traps: the old call knows neither metadata options nor a shutdown behaviour, and tags no instance; ValidUntil is
// part of what the token stands for, so it comes with the request.
import type { _InstanceType, RequestSpotInstancesCommandInput } from '@aws-sdk/client-ec2';
import type { LaunchRequest } from '../../domain/launch.ts';
import { diskOf, interfaceOf, placesOf, profileOf, tagSpecifications } from './launch-parts.ts';

export function spotRequestInput(order: {
  token: string;
  count: number;
  request: LaunchRequest;
}): RequestSpotInstancesCommandInput {
  const { request } = order;
  const [place] = placesOf(request);
  const profile = profileOf(request);
  return {
    ClientToken: order.token,
    InstanceCount: order.count,
    Type: 'one-time',
    InstanceInterruptionBehavior: 'terminate',
    ...(request.maxPriceUsd !== null && { SpotPrice: request.maxPriceUsd }),
    ...(request.validUntil !== undefined && { ValidUntil: new Date(request.validUntil) }),
    LaunchSpecification: {
      ImageId: request.imageId,
      InstanceType: place.type as _InstanceType,
      ...(place.zone !== null && { Placement: { AvailabilityZone: place.zone } }),
      ...(request.keyName !== null && { KeyName: request.keyName }),
      ...(profile !== null && { IamInstanceProfile: profile }),
      NetworkInterfaces: [interfaceOf(request, place.subnetId)],
      BlockDeviceMappings: [diskOf(request)],
      Monitoring: { Enabled: request.monitoring },
      ...(request.ebsOptimized && { EbsOptimized: true }),
      ...(request.userData !== '' && { UserData: request.userData }),
    },
    TagSpecifications: tagSpecifications(request.tags, ['spot-instances-request']),
  };
}
