// Brings instances into being for an order that passed every check: addresses, capacity, record, life. Both ways to
// launch end here.
import type { Capacity } from './capacity.ts';
import type { SimInstance } from './instance.ts';
import type { Instances } from './instances.ts';
import type { LaunchOrder } from './launch-order.ts';
import type { Seeded } from './seeded.ts';
import { tagMap } from './tags.ts';
import type { Volumes } from './volumes.ts';

/** Where new instances get their private addresses. */
export type AddressBook = {
  /** A free address, or null when there is none left. */
  take(): string | null;
  give(address: string): void;
};

export type StartParts = {
  now(): number;
  random: Seeded;
  instances: Instances;
  capacity: Capacity;
  addresses: AddressBook;
  volumes: Volumes;
};

/** Starts `count` instances; `requestOf` gives each spot instance its request's id. Null when addresses run out. */
export type Starter = (
  order: LaunchOrder,
  count: number,
  requestOf: (instanceId: string) => string | null,
) => SimInstance[] | null;

function takeAddresses(book: AddressBook, count: number): string[] | null {
  const taken: string[] = [];
  while (taken.length < count) {
    const address = book.take();
    if (address === null) {
      for (const one of taken) book.give(one);
      return null;
    }
    taken.push(address);
  }
  return taken;
}

function recordOf(
  parts: StartParts,
  order: LaunchOrder,
  own: Pick<SimInstance, 'order' | 'reservation' | 'launchIndex' | 'address'>,
): SimInstance {
  const { request, type, image, market, subnet, groups, publicKey } = order;
  const { random } = parts;
  const now = parts.now();
  const tagsOf = (resource: string) =>
    tagMap(request.tags.find((some) => some.resource === resource)?.tags ?? []);
  const root = request.volumes.find((volume) => volume.device === image.rootDevice);
  return {
    ...own,
    id: `i-${random.hex(17)}`,
    state: 'pending',
    stateReason: null,
    type: type.name,
    architecture: type.architecture,
    zone: subnet.zone,
    market,
    imageId: image.id,
    rootDevice: image.rootDevice,
    subnetId: subnet.id,
    vpcId: subnet.vpcId,
    groups: groups.map(({ id, name }) => ({ id, name })),
    wantsPublic: request.card?.publicAddress ?? true,
    publicAddress: null,
    keyName: request.keyName,
    publicKey,
    profile: request.profile,
    userData: request.userData,
    token: request.token,
    spotRequest: null,
    shutdown: request.shutdown === 'terminate' ? 'terminate' : 'stop',
    protected: false,
    monitoring: request.monitoring,
    ebsOptimized: request.ebsOptimized,
    metadata: { tokens: request.metadata.tokens ?? 'optional', hopLimit: request.metadata.hopLimit ?? 1 },
    volume: { id: `vol-${random.hex(17)}`, encrypted: root?.encrypted ?? false, tags: tagsOf('volume') },
    tags: tagsOf('instance'),
    launchedAt: now,
    startedAt: now,
    reclaimAt: null,
    endingAt: null,
    terminatedAt: null,
    hostUp: false,
    placed: true,
  };
}

/** The starter of one region; instances of one call share a reservation. */
export function createStarter(parts: StartParts): Starter {
  let launched = 0;
  return (order, count, requestOf) => {
    const addresses = takeAddresses(parts.addresses, count);
    if (addresses === null) return null;
    const reservation = `r-${parts.random.hex(17)}`;
    return addresses.map((address, launchIndex) => {
      const instance = recordOf(parts, order, { order: launched++, reservation, launchIndex, address });
      order.subnet.used += 1;
      parts.capacity.take(instance.type, instance.zone, instance.market);
      instance.spotRequest = requestOf(instance.id);
      const root = order.request.volumes.find((volume) => volume.device === order.image.rootDevice);
      parts.volumes.attach(instance, {
        sizeGb: root?.sizeGb ?? order.image.rootSizeGb,
        type: root?.type ?? 'gp3',
        deleteOnTermination: root?.deleteOnTermination ?? true,
      });
      parts.instances.begin(instance);
      return instance;
    });
  };
}
