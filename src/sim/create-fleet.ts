// CreateFleet of type instant: one call for machines that may come from several places. What each place gives or why it
// does not; both may stand in one answer.
// Traps: places are tried in the order of the strategy until the wish is filled, so places behind that tell nothing; a
// fleet that brings nothing is a good answer with errors, not a refused call.
import { Ec2Error, refuse } from './ec2-error.ts';
import type { Faults } from './faults.ts';
import { checkWish, type FleetOverride, type FleetWish } from './fleet-wish.ts';
import type { SimInstance } from './instance.ts';
import { type LaunchOrder, type OrderParts, orderFor, priceAbove, roomFor } from './launch-order.ts';
import type { LaunchTemplates, TemplateVersion } from './launch-templates.ts';
import type { Offerings } from './offerings.ts';
import type { Quotas } from './quotas.ts';
import { startOrder } from './run-instances.ts';
import type { Market, RunRequest } from './run-request.ts';
import type { Seeded } from './seeded.ts';
import type { SpotRequests } from './spot-requests.ts';
import type { Starter } from './start-instances.ts';

/** One place with what it is made of. */
export type FleetPlace = { template: TemplateVersion; override: FleetOverride };

export type FleetAnswer = {
  id: string;
  launched: readonly { place: FleetPlace; instances: readonly SimInstance[] }[];
  errors: readonly { place: FleetPlace; market: Market; code: string; message: string }[];
};

export type FleetParts = OrderParts & {
  templates: LaunchTemplates;
  spotRequests: SpotRequests;
  quotas: Quotas;
  offerings: Offerings;
  faults: Faults;
  random: Seeded;
  start: Starter;
  /** Throws RequestLimitExceeded when the region's instance tokens do not cover `count`. */
  takeTokens(count: number): void;
};

const noOverride: FleetOverride = {
  type: null,
  subnetId: null,
  zone: null,
  maxPrice: null,
  priority: null,
  imageId: null,
  keyName: null,
  profile: null,
  volumes: [],
  metadata: null,
};

/** The launch that one place comes to: the template, what the override says, the fleet's own tags and user data. */
function requestFor(
  wish: FleetWish,
  { template, override }: FleetPlace,
  userData: string | null,
): RunRequest {
  const { data } = template;
  const card =
    data.card === null ? null : { ...data.card, subnetId: override.subnetId ?? data.card.subnetId };
  const forRequests = data.tags.filter(({ resource }) => resource === 'spot-instances-request');
  const tags = wish.tags.filter(({ resource }) => resource !== 'fleet');
  return {
    ...data,
    imageId: override.imageId ?? data.imageId,
    type: override.type ?? data.type,
    minCount: 1,
    maxCount: 1,
    token: null,
    dryRun: false,
    zone: override.zone ?? data.zone,
    subnetId: card === null ? (override.subnetId ?? data.subnetId) : null,
    card,
    keyName: override.keyName ?? data.keyName,
    profile: override.profile ?? data.profile,
    userData: userData ?? data.userData,
    metadata: override.metadata ?? data.metadata,
    volumes: override.volumes.length > 0 ? override.volumes : data.volumes,
    spot:
      wish.market === 'spot'
        ? {
            maxPrice: override.maxPrice,
            requestType: 'one-time',
            interruption: 'terminate',
            validUntil: null,
            blockMinutes: null,
          }
        : null,
    tags: [...tags, ...forRequests],
  };
}

/** One subnet a zone, as EC2 has it for a fleet. */
function checkSubnets(orders: readonly { order: LaunchOrder | null }[]): void {
  const byZone = new Map<string, string>();
  for (const { order } of orders) {
    if (order === null) continue;
    const { zone, id } = order.subnet;
    if ((byZone.get(zone) ?? id) !== id) {
      refuse(
        'InvalidParameterCombination',
        `A fleet cannot span two subnets of the Availability Zone ${zone}.`,
      );
    }
    byZone.set(zone, id);
  }
}

type Try = { place: FleetPlace; order: LaunchOrder | null; error: Ec2Error | null; price: number };

/** A place as far as it can be known before anything starts. */
function look(parts: FleetParts, wish: FleetWish, place: FleetPlace, userData: string | null): Try {
  try {
    const order = orderFor(parts, requestFor(wish, place, userData));
    const spotPrice = parts.prices.of(order.type, order.subnet.zone);
    return { place, order, error: null, price: wish.market === 'spot' ? spotPrice : order.type.hourlyUsd };
  } catch (error) {
    if (!(error instanceof Ec2Error)) throw error;
    return { place, order: null, error, price: Number.POSITIVE_INFINITY };
  }
}

/** How many of `wanted` the place gives, or throws why it gives none. */
function roomAt(parts: FleetParts, order: LaunchOrder, wanted: number): number {
  const { type, subnet, market } = order;
  parts.faults.strike('RunInstances', 'own');
  parts.offerings.check(type.name, subnet.zone);
  const price = priceAbove(parts, order);
  if (price !== null) {
    refuse(
      'SpotMaxPriceTooLow',
      `Your Spot request price is lower than the minimum required Spot request fulfillment price of ${price}.`,
    );
  }
  parts.quotas.check(type, market, 1);
  const { machines, addresses } = roomFor(parts, order);
  if (machines < 1) {
    refuse(
      'InsufficientInstanceCapacity',
      `We currently do not have sufficient ${type.name} capacity in the Availability Zone you requested (${subnet.zone}). Our system will be working on provisioning additional capacity.`,
    );
  }
  if (addresses < 1) {
    refuse(
      'InsufficientFreeAddressesInSubnet',
      `There are not enough free addresses in subnet '${subnet.id}'.`,
    );
  }
  return Math.min(wanted, machines, addresses, parts.quotas.room(type, market));
}

/** Places in the order in which they are tried. */
function sorted(wish: FleetWish, tries: readonly Try[]): Try[] {
  if (wish.strategy === 'prioritized' || wish.strategy === 'capacity-optimized-prioritized') {
    const rank = ({ place }: Try) => place.override.priority ?? Number.POSITIVE_INFINITY;
    return tries.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
  }
  return tries.toSorted((a, b) => (a.price === b.price ? 0 : a.price - b.price));
}

type Made = { launched: FleetAnswer['launched'][number][]; errors: FleetAnswer['errors'][number][] };

function fill(parts: FleetParts, wish: FleetWish, tries: readonly Try[], total: number): Made {
  const made: Made = { launched: [], errors: [] };
  let left = total;
  let budget = wish.maxTotalPrice ?? Number.POSITIVE_INFINITY;
  for (const { place, order, error, price } of sorted(wish, tries)) {
    if (left === 0) break;
    try {
      if (order === null) throw error ?? new Ec2Error('InternalError', 'no order');
      const affordable = Math.floor(budget / price + 1e-9);
      if (affordable < 1) {
        refuse('SpotMaxPriceTooLow', 'The total price of the fleet does not reach for another instance.');
      }
      const count = Math.min(affordable, roomAt(parts, order, left));
      const instances = startOrder(parts, order, count);
      if (instances === null) {
        refuse(
          'InsufficientFreeAddressesInSubnet',
          `There are not enough free addresses in subnet '${order.subnet.id}'.`,
        );
      }
      left -= count;
      budget -= count * price;
      made.launched.push({ place, instances });
    } catch (thrown) {
      if (!(thrown instanceof Ec2Error)) throw thrown;
      made.errors.push({ place, market: wish.market, code: thrown.code, message: thrown.message });
    }
  }
  return made;
}

/** The fleets of one region, with their memory of tokens. */
export function createFleets(parts: FleetParts): (wish: FleetWish) => FleetAnswer {
  const tokens = new Map<string, { asked: string; answer: FleetAnswer }>();
  return (wish) => {
    const total = checkWish(wish);
    const asked = JSON.stringify(wish);
    const before = wish.token === null ? undefined : tokens.get(wish.token);
    if (before !== undefined && before.asked !== asked) {
      refuse(
        'IdempotentParameterMismatch',
        `The client token '${wish.token}' was used with other parameters before.`,
      );
    }
    if (before !== undefined) return before.answer;
    const tries = wish.configs.flatMap(({ template, version, userData, overrides }) => {
      const found = parts.templates.version(template, version ?? '');
      if (
        wish.market === 'on-demand' &&
        found.data.tags.some(({ resource }) => resource === 'spot-instances-request')
      ) {
        refuse(
          'InvalidParameterValue',
          "'spot-instances-request' is not a valid taggable resource type for this launch.",
        );
      }
      const places = overrides.length > 0 ? overrides : [noOverride];
      return places.map((override) => look(parts, wish, { template: found, override }, userData));
    });
    checkSubnets(tries);
    parts.takeTokens(total);
    const answer = {
      id: `fleet-${parts.random.hex(8)}-${parts.random.hex(12)}`,
      ...fill(parts, wish, tries, total),
    };
    if (wish.token !== null) tokens.set(wish.token, { asked, answer });
    return answer;
  };
}
