// RunInstances: the request against what the region has. Order of the checks: the request itself, its token, where it
// goes, price, capacity, the market's tokens; only then something begins.
// Trap: a token that launched before answers with the same instances, whatever fails now; a refused launch leaves its
// token unused.
import { refuse } from './ec2-error.ts';
import type { Faults } from './faults.ts';
import type { SimInstance } from './instance.ts';
import { type LaunchOrder, type OrderParts, orderFor, priceAbove, roomFor } from './launch-order.ts';
import type { Offerings } from './offerings.ts';
import type { Quotas } from './quotas.ts';
import type { RunRequest } from './run-request.ts';
import { checkOpenRoom, type SpotRequests } from './spot-requests.ts';
import type { Starter } from './start-instances.ts';
import { tagMap } from './tags.ts';

export type LaunchParts = OrderParts & {
  spotRequests: SpotRequests;
  quotas: Quotas;
  offerings: Offerings;
  faults: Faults;
  start: Starter;
  /** Throws RequestLimitExceeded when the region's instance tokens do not cover `count`. */
  takeTokens(count: number): void;
};

function checkPrice(parts: LaunchParts, order: LaunchOrder): void {
  const price = priceAbove(parts, order);
  if (price === null) return;
  refuse(
    'SpotMaxPriceTooLow',
    `Your Spot request price of ${order.request.spot?.maxPrice} is lower than the minimum required Spot request fulfillment price of ${price}.`,
  );
}

const noAddresses = (order: LaunchOrder): never =>
  refuse(
    'InsufficientFreeAddressesInSubnet',
    `There are not enough free addresses in subnet '${order.subnet.id}'.`,
  );

/** How many may start: at least MinCount, at most MaxCount, as capacity and addresses allow. */
function countFor(parts: LaunchParts, order: LaunchOrder): number {
  const { request, type, subnet, market } = order;
  const least = request.minCount ?? 1;
  parts.quotas.check(type, market, least);
  const { machines, addresses } = roomFor(parts, order);
  const room = Math.min(request.maxCount ?? 1, machines);
  if (room < least) {
    refuse(
      'InsufficientInstanceCapacity',
      `We currently do not have sufficient ${type.name} capacity in the Availability Zone you requested (${subnet.zone}). Our system will be working on provisioning additional capacity.`,
    );
  }
  const count = Math.min(room, addresses, parts.quotas.room(type, market));
  return count < least ? noAddresses(order) : count;
}

/** Starts `count` of the order, each spot instance with a request of its own; null when addresses run out. */
export function startOrder(
  parts: Pick<LaunchParts, 'spotRequests' | 'start'>,
  order: LaunchOrder,
  count: number,
): SimInstance[] | null {
  const { request, type, subnet, market } = order;
  const { spot } = request;
  const requestOf = (instanceId: string): string | null => {
    if (market !== 'spot') return null;
    const tags = request.tags.find((some) => some.resource === 'spot-instances-request')?.tags ?? [];
    const made = parts.spotRequests.add({
      kind: spot?.requestType === 'persistent' ? 'persistent' : 'one-time',
      interruption: spot?.interruption ?? 'terminate',
      // A relaunch is EC2's own: one machine, without the token and tags of the first.
      wish: { ...request, minCount: 1, maxCount: 1, token: null, tags: [] },
      type: type.name,
      maxPrice: spot?.maxPrice ?? String(type.hourlyUsd),
      validFrom: null,
      validUntil: null,
      tags: tagMap(tags),
    });
    parts.spotRequests.fulfil(made, { id: instanceId, zone: subnet.zone });
    return made.id;
  };
  return parts.start(order, count, requestOf);
}

/** The launcher of one region, with its memory of tokens. */
export function createLauncher(parts: LaunchParts): (request: RunRequest) => readonly SimInstance[] {
  const tokens = new Map<string, { wish: string; instances: readonly SimInstance[] }>();

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
    const order = orderFor(parts, request);
    const named = (request.card?.subnetId ?? request.subnetId ?? request.zone) !== null;
    const key = `${request.token}|${named ? order.subnet.zone : 'region'}`;
    const wish = JSON.stringify({ ...request, dryRun: false });

    const before = request.token === null ? null : earlier(request, key, wish);
    if (before !== null) return before;
    if (request.dryRun) refuse('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
    parts.faults.strike('RunInstances', 'own');
    parts.offerings.check(order.type.name, order.subnet.zone);
    if (order.market === 'spot') checkOpenRoom(parts.spotRequests, 0);
    checkPrice(parts, order);
    const count = countFor(parts, order);
    parts.takeTokens(count);
    const instances = startOrder(parts, order, count) ?? noAddresses(order);
    if (request.token !== null) tokens.set(key, { wish, instances });
    return instances;
  };
}
