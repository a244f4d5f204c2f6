// From what a launch asks to what the region has: subnet, groups, image, key, price and room. RunInstances asks once;
// a spot request asks again each time EC2 looks at it.
import type { Capacity } from './capacity.ts';
import { refuse } from './ec2-error.ts';
import type { Image, Images } from './images.ts';
import type { InstanceType } from './instance-types.ts';
import type { KeyPairs } from './key-pairs.ts';
import { type Networks, SUBNET_ADDRESSES, type Subnet } from './networks.ts';
import { checkRun, type Market, type RunRequest } from './run-request.ts';
import type { SecurityGroup, SecurityGroups } from './security-groups.ts';
import type { SpotPrices } from './spot-prices.ts';

export type OrderParts = {
  networks: Networks;
  groups: SecurityGroups;
  images: Images;
  keyPairs: KeyPairs;
  capacity: Capacity;
  prices: SpotPrices;
};

export type LaunchOrder = {
  request: RunRequest;
  type: InstanceType;
  image: Image;
  market: Market;
  subnet: Subnet;
  groups: readonly SecurityGroup[];
  publicKey: string | null;
};

/** The request's security groups; names are looked up in the default VPC as EC2 does. */
function groupsOf(parts: OrderParts, request: RunRequest): SecurityGroup[] {
  const home = parts.networks.defaultVpc.id;
  const ids = request.card?.groupIds ?? request.groupIds;
  return [
    ...ids.map((id) => parts.groups.byId(id)),
    ...request.groupNames.map((name) => parts.groups.byName(name, home)),
  ];
}

function subnetFor(
  parts: OrderParts,
  request: RunRequest,
  order: { type: string; market: Market; vpcId?: string },
): Subnet {
  const { networks, capacity } = parts;
  const zone = request.zone === null ? undefined : networks.zone(request.zone);
  const id = request.card?.subnetId ?? request.subnetId;
  if (id !== null) {
    const subnet = networks.subnet(id, { vpcId: order.vpcId, zone });
    if (zone !== undefined && subnet.zone !== zone) {
      refuse(
        'InvalidParameterValue',
        `The subnet '${id}' lies in ${subnet.zone}, not in the zone ${zone} of the request.`,
      );
    }
    return subnet;
  }
  const room = (subnet: Subnet): number => capacity.left(order.type, subnet.zone, order.market);
  const candidates = networks.defaultSubnets().filter((subnet) => zone === undefined || subnet.zone === zone);
  // EC2's own choice of a zone: the one with the most room, the first of equals.
  const best = candidates.reduce<Subnet | null>(
    (one, two) => (one === null || room(two) > room(one) ? two : one),
    null,
  );
  return best ?? refuse('MissingInput', 'No subnets found for the default VPC. Please specify a subnet.');
}

function placeFor(
  parts: OrderParts,
  request: RunRequest,
  wish: { type: string; market: Market },
): Pick<LaunchOrder, 'subnet' | 'groups'> {
  const groups = groupsOf(parts, request);
  const vpcId = groups.find((group) => group.vpcId !== null)?.vpcId ?? null;
  const subnet = subnetFor(parts, request, { ...wish, ...(vpcId === null ? {} : { vpcId }) });
  const foreign = groups.find((group) => group.vpcId !== null && group.vpcId !== subnet.vpcId);
  if (foreign !== undefined) {
    refuse(
      'InvalidParameter',
      `Security group ${foreign.id} and subnet ${subnet.id} belong to different networks.`,
    );
  }
  const fallback = groups.length > 0 ? groups : [parts.groups.byName('default', subnet.vpcId)];
  return { subnet, groups: fallback };
}

function imageFor(parts: OrderParts, request: RunRequest, type: InstanceType): Image {
  const wanted = request.imageId ?? '';
  const id = wanted.startsWith('resolve:ssm:')
    ? (parts.images.parameter(wanted.slice('resolve:ssm:'.length)) ??
      refuse('InvalidAMIID.Malformed', `No SSM parameter for ${wanted.slice(0, 120)}`))
    : wanted;
  const image = parts.images.image(id);
  if (image.sure && image.architecture !== type.architecture) {
    refuse(
      'InvalidParameterValue',
      `The architecture '${type.architecture}' of the specified instance type does not match the architecture '${image.architecture}' of the specified AMI.`,
    );
  }
  const root = request.volumes.find((volume) => volume.device === image.rootDevice);
  if (root?.sizeGb != null && root.sizeGb < image.rootSizeGb) {
    refuse(
      'InvalidBlockDeviceMapping',
      `Volume of size ${root.sizeGb}GB is smaller than snapshot '${image.snapshot}', expect size >= ${image.rootSizeGb}GB`,
    );
  }
  return image;
}

/** Where and with what the request would launch now. Throws EC2's errors. */
export function orderFor(parts: OrderParts, request: RunRequest): LaunchOrder {
  const type = checkRun(request);
  const image = imageFor(parts, request, type);
  const market = request.spot === null ? 'on-demand' : 'spot';
  const place = placeFor(parts, request, { type: type.name, market });
  return { request, type, image, market, ...place, publicKey: parts.keyPairs.forLaunch(request.keyName) };
}

/** The market's price where it is above the order's own bound, else null. On-demand orders have no bound. */
export function priceAbove(parts: OrderParts, { request, type, subnet }: LaunchOrder): number | null {
  const bound = request.spot?.maxPrice ?? null;
  const price = parts.prices.of(type, subnet.zone);
  return bound !== null && Number(bound) < price ? price : null;
}

/** How many of the order could start now, by capacity and by free addresses of the subnet. */
export function roomFor(
  parts: OrderParts,
  { type, market, subnet }: LaunchOrder,
): { machines: number; addresses: number } {
  return {
    machines: parts.capacity.left(type.name, subnet.zone, market),
    addresses: SUBNET_ADDRESSES - subnet.used,
  };
}
