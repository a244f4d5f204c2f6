// Where a seed's pool gets its machines: one place, as docker-machine's options name it, or a choice of types and zones with
// hostler's own keys for the way to launch, the fallback and EC2's advice.
// Trap: drawn from a stream of its own, so that everything else of a seed stays what it was.
import { placeSubnet } from '../../sim/networks.ts';
import { createSeeded, type Seeded } from '../../sim/seeded.ts';
import type { World } from '../../sim/world.ts';

export type CloudWish = {
  types: readonly string[];
  zones: readonly string[];
  launch: 'auto' | 'run-instances' | 'fleet' | 'spot-request';
  onDemand: 'never' | 'when-short' | '30%' | '2';
  rebalance: 'ignore' | 'drain' | 'replace';
  /** Whether EC2's events come through a queue. */
  hasQueue: boolean;
  /** USD an hour; null = no bound. */
  maxPrice: string | null;
};

/** What the draw hangs on. */
type Base = { market: 'spot' | 'on-demand'; type: string; zone: string };

const REGION = 'eu-central-1';
/** Of one price class, so that a bound on the price leaves some of them when prices move. */
const TYPES = ['m5.large', 'm6i.large', 'm6a.large', 'm5a.large', 'm7i.large'] as const;
const ZONES = ['a', 'b', 'c'] as const;
/** Pools that choose: so many that each way to launch and each rule is met by dozens of 300 seeds (a test counts). */
const CHOICES = 0.85;
const WAYS = {
  spot: ['auto', 'fleet', 'run-instances', 'spot-request', 'spot-request'],
  'on-demand': ['auto', 'fleet', 'run-instances'],
} as const;
const RULES = ['never', 'when-short', 'when-short', '30%', '30%', '2', '2'] as const;
const QUEUE = `https://sqs.${REGION}.amazonaws.com/123456789012/hostler`;

function pick<T>(random: Seeded, list: readonly T[]): T {
  return list[Math.floor(random.float() * list.length)] as T;
}

/** So many of the list, in its order from a drawn beginning. */
function some<T>(random: Seeded, list: readonly T[], count: number): T[] {
  const from = Math.floor(random.float() * list.length);
  return Array.from({ length: count }, (_, at) => list[(from + at) % list.length] as T);
}

/** One place and no way of its own: what docker-machine's options say alone. */
const isPlain = ({ types, zones, launch }: CloudWish) =>
  types.length === 1 && zones.length === 1 && launch === 'auto';

/** One choice for each pool of a seed. */
export function cloudWishes(seed: number, pools: readonly Base[]): CloudWish[] {
  const random = createSeeded(seed * 8191 + 29);
  return pools.map((pool): CloudWish => {
    const isChoice = random.float() < CHOICES;
    const { market } = pool;
    const types = some(random, TYPES, 1 + Math.floor(random.float() * 4));
    const zones = some(random, ZONES, 1 + Math.floor(random.float() * 3));
    const drawn: CloudWish = {
      types,
      zones,
      launch: pick(random, WAYS[market]),
      onDemand: market === 'spot' ? pick(random, RULES) : 'never',
      rebalance: pick(random, ['ignore', 'drain', 'replace']),
      hasQueue: random.float() < 0.5,
      maxPrice: market === 'spot' && random.float() < 0.25 ? '0.06' : null,
    };
    if (isChoice) return isPlain(drawn) ? { ...drawn, onDemand: 'never' } : drawn;
    const plain = { launch: 'auto', onDemand: 'never', rebalance: 'drain', maxPrice: null } as const;
    return { ...drawn, ...plain, types: [pool.type], zones: [pool.zone] };
  });
}

const subnetOf = (zone: string) => `subnet-000000000000000${zone}0`;
const quoted = (list: readonly string[]) => `[${list.map((one) => `"${one}"`).join(', ')}]`;

/** docker-machine's options of that choice. */
export function optionsOf(wish: CloudWish, market: 'spot' | 'on-demand'): string[] {
  return [
    `amazonec2-region=${REGION}`,
    ...(isPlain(wish) ? [`amazonec2-zone=${wish.zones[0]}`] : []),
    'amazonec2-use-private-address=true',
    `amazonec2-instance-type=${wish.types[0]}`,
    ...(market === 'spot' ? ['amazonec2-request-spot-instance=true'] : []),
    ...(wish.maxPrice === null ? [] : [`amazonec2-spot-price=${wish.maxPrice}`]),
  ];
}

/** hostler's own table of that choice; at rest no fleet is wanted any more, so that its template has to go. */
export function ownTableOf(wish: CloudWish, isResting: boolean): string {
  const queue = wish.hasQueue ? `\n    interruption_queue = "${QUEUE}"` : '';
  const table = `  [runners.hostler]${queue}`;
  if (isPlain(wish)) return table;
  const mixed = `
    markets = ["spot", "on-demand"]
    on_demand = ${wish.onDemand === '2' ? '2' : `"${wish.onDemand}"`}`;
  return `${table}
    instance_types = ${quoted(wish.types)}
    subnets = ${quoted(wish.zones.map(subnetOf))}
    launch = "${isResting ? 'run-instances' : wish.launch}"
    rebalance = "${wish.rebalance}"
    fallback_after = "1m"${wish.onDemand === 'never' ? '' : mixed}`;
}

/** Tells the world where the subnets of the choices lie. */
export function placeSubnets(world: World): void {
  const { networks } = world.region(REGION);
  for (const zone of ZONES)
    placeSubnet(networks, subnetOf(zone), { vpcId: networks.defaultVpc.id, zone: `${REGION}${zone}` });
}

/** Every type and zone of the choices once, by the region's zone names. */
export function placesOf(wishes: readonly CloudWish[]): { type: string; zone: string }[] {
  const all = wishes.flatMap(({ types, zones }) =>
    types.flatMap((type) => zones.map((zone) => ({ type, zone: `${REGION}${zone}` }))),
  );
  return [...new Map(all.map((place) => [`${place.type}:${place.zone}`, place])).values()];
}
