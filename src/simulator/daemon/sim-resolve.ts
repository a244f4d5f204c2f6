// What a pool's launch options come to in the world: image, subnet, groups, places. A handful of look-ups, as the adapter makes.
import type { LaunchSpec } from '../../domain/config.ts';
import type { ResolvedLaunch } from '../../domain/launch.ts';
import type { Place } from '../../domain/offering.ts';
import type { SimSite } from './sim-cloud.ts';

/** What hostler takes when no AMI is named. */
const DEFAULT_IMAGE = '/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id';

/** The places of a spec by its own words: each market, type and subnet. */
export function placesOf(spec: LaunchSpec): Place[] {
  const subnets = spec.subnetIds.length > 0 ? spec.subnetIds : [spec.subnetId];
  const types = spec.instanceTypes.length > 0 ? spec.instanceTypes : [spec.instanceType];
  const markets = spec.markets.length > 0 ? spec.markets : [spec.market];
  return markets.flatMap((market) =>
    types.flatMap((type) =>
      subnets.map((subnetId) => ({ type, zone: spec.zone, market, subnetId, vcpus: null })),
    ),
  );
}

/** Looks everything up. Throws `cloud-refused`. */
export async function resolveIn(
  site: SimSite,
  spec: LaunchSpec,
  signal: AbortSignal,
): Promise<ResolvedLaunch> {
  const { call } = site;
  const image = await call({ action: 'DescribeImages', signal }, ({ images }) => {
    const named =
      spec.ami?.startsWith('resolve:ssm:') === true ? spec.ami.slice('resolve:ssm:'.length) : null;
    const id =
      spec.ami !== null && named === null ? spec.ami : (images.parameter(named ?? DEFAULT_IMAGE) ?? '');
    return images.image(id);
  });
  const subnet = await call({ action: 'DescribeSubnets', signal }, ({ networks }) => {
    if (spec.subnetId !== null) return networks.subnet(spec.subnetId);
    const zone = spec.zone === null ? null : networks.zone(spec.zone);
    return networks.defaultSubnets().find((one) => zone === null || one.zone === zone) ?? null;
  });
  const groups = await call({ action: 'DescribeSecurityGroups', signal }, (region) =>
    region.groups.byName('default', subnet?.vpcId ?? region.networks.defaultVpc.id),
  );
  return {
    imageId: image.id,
    imageFrom: spec.ami ?? DEFAULT_IMAGE,
    rootDevice: image.rootDevice,
    subnetId: subnet?.id ?? null,
    zone: subnet?.zone ?? spec.zone,
    securityGroupIds: [groups.id],
    places: placesOf(spec).map((place) => ({
      ...place,
      zone: subnet?.zone ?? place.zone,
      subnetId: place.subnetId ?? subnet?.id ?? null,
    })),
  };
}
