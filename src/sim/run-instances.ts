// RunInstances: the request against what the region has. Order of the checks: the request itself, its token, where it
// goes, price, capacity, the market's tokens; only then something begins.
// Trap: a token that launched before answers with the same instances, whatever fails now; a refused launch leaves its
// token unused.
import type { Capacity } from './capacity.ts';
import { refuse } from './ec2-error.ts';
import type { Faults } from './faults.ts';
import type { Image, Images } from './images.ts';
import type { SimInstance } from './instance.ts';
import { type InstanceType, spotPriceOf } from './instance-types.ts';
import type { Instances } from './instances.ts';
import { type Networks, SUBNET_ADDRESSES, type Subnet } from './networks.ts';
import { checkRun, type Market, type RunRequest } from './run-request.ts';
import type { SecurityGroup, SecurityGroups } from './security-groups.ts';
import type { Seeded } from './seeded.ts';
import type { SpotRequests } from './spot-requests.ts';
import { tagMap } from './tags.ts';

/** Where new instances get their private addresses. */
export type AddressBook = {
  /** A free address, or null when there is none left. */
  take(): string | null;
  give(address: string): void;
};

export type LaunchParts = {
  now(): number;
  random: Seeded;
  networks: Networks;
  groups: SecurityGroups;
  images: Images;
  instances: Instances;
  spotRequests: SpotRequests;
  capacity: Capacity;
  faults: Faults;
  addresses: AddressBook;
  /** Throws RequestLimitExceeded when the region's instance tokens do not cover `count`. */
  takeTokens(count: number): void;
};

type Place = { subnet: Subnet; groups: readonly SecurityGroup[] };
type Order = { request: RunRequest; type: InstanceType; image: Image; market: Market; place: Place };

/** The request's security groups; names are looked up in the default VPC as EC2 does. */
function groupsOf(parts: LaunchParts, request: RunRequest): SecurityGroup[] {
  const home = parts.networks.defaultVpc.id;
  const ids = request.card?.groupIds ?? request.groupIds;
  return [
    ...ids.map((id) => parts.groups.byId(id)),
    ...request.groupNames.map((name) => parts.groups.byName(name, home)),
  ];
}

function subnetFor(
  parts: LaunchParts,
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

function placeFor(parts: LaunchParts, request: RunRequest, type: InstanceType): Place {
  const groups = groupsOf(parts, request);
  const vpcId = groups.find((group) => group.vpcId !== null)?.vpcId ?? null;
  const market = request.spot === null ? 'on-demand' : 'spot';
  const subnet = subnetFor(parts, request, { type: type.name, market, ...(vpcId === null ? {} : { vpcId }) });
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

function imageFor(parts: LaunchParts, request: RunRequest, type: InstanceType): Image {
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

function checkPrice({ request, type, place }: Order): void {
  const cap = request.spot?.maxPrice ?? null;
  const price = spotPriceOf(type, place.subnet.zone);
  if (cap !== null && Number(cap) < price) {
    refuse(
      'SpotMaxPriceTooLow',
      `Your Spot request price of ${cap} is lower than the minimum required Spot request fulfillment price of ${price}.`,
    );
  }
}

/** How many may start: at least MinCount, at most MaxCount, as capacity and addresses allow. */
function countFor(parts: LaunchParts, { request, type, market, place }: Order): number {
  const { zone, used, id } = place.subnet;
  const least = request.minCount ?? 1;
  const room = Math.min(request.maxCount ?? 1, parts.capacity.left(type.name, zone, market));
  if (room < least) {
    refuse(
      'InsufficientInstanceCapacity',
      `We currently do not have sufficient ${type.name} capacity in the Availability Zone you requested (${zone}). Our system will be working on provisioning additional capacity.`,
    );
  }
  const count = Math.min(room, SUBNET_ADDRESSES - used);
  if (count < least) {
    refuse('InsufficientFreeAddressesInSubnet', `There are not enough free addresses in subnet '${id}'.`);
  }
  return count;
}

function takeAddresses(book: AddressBook, count: number, subnetId: string): string[] {
  const taken: string[] = [];
  while (taken.length < count) {
    const address = book.take();
    if (address === null) {
      for (const one of taken) book.give(one);
      refuse(
        'InsufficientFreeAddressesInSubnet',
        `There are not enough free addresses in subnet '${subnetId}'.`,
      );
    }
    taken.push(address);
  }
  return taken;
}

/** Starts the instances of an order that passed every check. */
function start(
  parts: LaunchParts,
  order: Order,
  addresses: readonly string[],
  firstOrder: number,
): SimInstance[] {
  const { request, type, image, market, place } = order;
  const { random } = parts;
  const now = parts.now();
  const reservation = `r-${random.hex(17)}`;
  const tagsOf = (resource: string) =>
    tagMap(request.tags.find((some) => some.resource === resource)?.tags ?? []);
  const root = request.volumes.find((volume) => volume.device === image.rootDevice);

  return addresses.map((address, launchIndex) => {
    const spotRequest = market === 'spot' ? `sir-${random.hex(8)}` : null;
    const instance: SimInstance = {
      order: firstOrder + launchIndex,
      id: `i-${random.hex(17)}`,
      reservation,
      launchIndex,
      state: 'pending',
      stateReason: null,
      type: type.name,
      architecture: type.architecture,
      zone: place.subnet.zone,
      market,
      imageId: image.id,
      rootDevice: image.rootDevice,
      subnetId: place.subnet.id,
      vpcId: place.subnet.vpcId,
      groups: place.groups.map(({ id, name }) => ({ id, name })),
      address,
      wantsPublic: request.card?.publicAddress ?? true,
      publicAddress: null,
      keyName: request.keyName,
      profile: request.profile,
      userData: request.userData,
      token: request.token,
      spotRequest,
      shutdown: request.shutdown === 'terminate' ? 'terminate' : 'stop',
      monitoring: request.monitoring,
      ebsOptimized: request.ebsOptimized,
      metadata: { tokens: request.metadata.tokens ?? 'optional', hopLimit: request.metadata.hopLimit ?? 1 },
      volume: { id: `vol-${random.hex(17)}`, encrypted: root?.encrypted ?? false, tags: tagsOf('volume') },
      tags: tagsOf('instance'),
      launchedAt: now,
      endingAt: null,
      terminatedAt: null,
      hostUp: false,
    };
    place.subnet.used += 1;
    parts.capacity.take(type.name, instance.zone, market);
    if (spotRequest !== null) {
      parts.spotRequests.open({
        id: spotRequest,
        instanceId: instance.id,
        type: type.name,
        zone: instance.zone,
        maxPrice: request.spot?.maxPrice ?? String(type.hourlyUsd),
        createdAt: now,
        tags: tagsOf('spot-instances-request'),
      });
    }
    parts.instances.begin(instance, parts.faults.instance());
    return instance;
  });
}

/** The launcher of one region, with its memory of tokens. */
export function createLauncher(parts: LaunchParts): (request: RunRequest) => readonly SimInstance[] {
  const tokens = new Map<string, { wish: string; instances: readonly SimInstance[] }>();
  let launched = 0;

  /** The earlier launch of the same token in the same zone (the region where the request names none). */
  const earlier = (request: RunRequest, key: string, wish: string): readonly SimInstance[] | null => {
    const before = tokens.get(key);
    if (before === undefined) return null;
    if (before.wish !== wish) {
      refuse(
        'IdempotentParameterMismatch',
        `The client token '${request.token}' was used with other parameters before.`,
      );
    }
    if (before.instances.every((instance) => instance.state === 'terminated')) {
      refuse(
        'IdempotentInstanceTerminated',
        `The instances of the client token '${request.token}' are terminated.`,
      );
    }
    return before.instances;
  };

  return (request) => {
    const type = checkRun(request);
    const image = imageFor(parts, request, type);
    const place = placeFor(parts, request, type);
    const named = (request.card?.subnetId ?? request.subnetId ?? request.zone) !== null;
    const key = `${request.token}|${named ? place.subnet.zone : 'region'}`;
    const wish = JSON.stringify({ ...request, dryRun: false });
    const order: Order = {
      request,
      type,
      image,
      market: request.spot === null ? 'on-demand' : 'spot',
      place,
    };

    const before = request.token === null ? null : earlier(request, key, wish);
    if (before !== null) return before;
    if (request.dryRun) refuse('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
    parts.faults.strike('RunInstances', 'own');
    checkPrice(order);
    const count = countFor(parts, order);
    parts.takeTokens(count);
    const addresses = takeAddresses(parts.addresses, count, place.subnet.id);
    const instances = start(parts, order, addresses, launched);
    launched += count;
    if (request.token !== null) tokens.set(key, { wish, instances });
    return instances;
  };
}
