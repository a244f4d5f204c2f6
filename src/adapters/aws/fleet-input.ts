// LaunchRequest → CreateFleet of type instant over a launch template: the template holds what is equal for all launches
// of the pool, the call its places, its user data and its tags.
// Pure. Trap: one subnet an override, and the zone with it, so that an error names the zone without a look-up.
import type {
  _InstanceType,
  CreateFleetCommandInput,
  FleetLaunchTemplateOverridesRequest,
} from '@aws-sdk/client-ec2';
import type { LaunchRequest } from '../../domain/launch.ts';
import type { Place } from '../../domain/offering.ts';
import { diskOf, metadataOf, placesOf, profileOf, tagSpecifications } from './launch-parts.ts';

/** The template that a fleet is based on. */
export type TemplateRef = { name: string; version: string };

export function fleetInput(
  order: { token: string; count: number; request: LaunchRequest },
  template: TemplateRef,
): CreateFleetCommandInput {
  const { request, count } = order;
  const [first] = placesOf(request);
  const places = oneSubnetAZone(placesOf(request));
  const isSpot = first.market === 'spot';
  return {
    ClientToken: order.token,
    Type: 'instant',
    TargetCapacitySpecification: {
      TotalTargetCapacity: count,
      DefaultTargetCapacityType: isSpot ? 'spot' : 'on-demand',
    },
    ...(isSpot
      ? {
          SpotOptions: {
            AllocationStrategy: 'price-capacity-optimized' as const,
            InstanceInterruptionBehavior: 'terminate' as const,
            ...(request.maxPriceUsd !== null && { MaxTotalPrice: totalPrice(request.maxPriceUsd, count) }),
          },
        }
      : {
          OnDemandOptions: {
            AllocationStrategy:
              request.isByPrice === true ? ('lowest-price' as const) : ('prioritized' as const),
          },
        }),
    LaunchTemplateConfigs: [
      {
        LaunchTemplateSpecification: {
          LaunchTemplateName: template.name,
          Version: template.version,
          ...(request.userData !== '' && { LaunchTemplateSpecificationUserData: request.userData }),
        },
        Overrides: places.map((place, index) => overrideOf(request, place, index)),
      },
    ],
    TagSpecifications: tagSpecifications(request.tags, ['instance', 'volume', 'network-interface', 'fleet']),
  };
}

/** A fleet cannot span two subnets of one zone: of those the first counts, the others come when it rests. */
function oneSubnetAZone(places: readonly Place[]): Place[] {
  const subnets = new Map<string, string | null>();
  return places.filter(({ zone, subnetId }) => {
    if (zone === null) return true;
    if (!subnets.has(zone)) subnets.set(zone, subnetId);
    return subnets.get(zone) === subnetId;
  });
}

/** The cap of one machine times their number: EC2's cap holds for the fleet as a whole. */
function totalPrice(perMachine: string, count: number): string {
  return String(Number((Number(perMachine) * count).toFixed(6)));
}

/** The order of the places is the priority of on-demand machines. */
function overrideOf(
  request: LaunchRequest,
  place: Place,
  index: number,
): FleetLaunchTemplateOverridesRequest {
  return {
    InstanceType: place.type as _InstanceType,
    ...(place.subnetId !== null && { SubnetId: place.subnetId }),
    ...(place.zone !== null && { AvailabilityZone: place.zone }),
    ...(place.market === 'spot' && request.maxPriceUsd !== null && { MaxPrice: request.maxPriceUsd }),
    ...(place.market === 'on-demand' && request.isByPrice !== true && { Priority: index }),
    ...(request.template !== undefined && overTemplate(request, request.template.overrides)),
  };
}

/** What given options put over the user's own template. */
function overTemplate(
  request: LaunchRequest,
  overrides: NonNullable<LaunchRequest['template']>['overrides'],
): Partial<FleetLaunchTemplateOverridesRequest> {
  const profile = profileOf(request);
  return {
    ImageId: request.imageId,
    ...(overrides.includes('disk') && { BlockDeviceMappings: [diskOf(request)] }),
    ...(overrides.includes('key') && request.keyName !== null && { KeyName: request.keyName }),
    ...(overrides.includes('profile') && profile !== null && { IamInstanceProfile: profile }),
    ...(overrides.includes('metadata') && { MetadataOptions: metadataOf(request) }),
  };
}
