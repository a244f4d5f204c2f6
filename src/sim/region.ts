// One region of the emulated EC2: its parts put together, and the door that every call passes (limits, failures on
// purpose, dry runs, counting).

import { type CallRates, createCallRates } from './call-rates.ts';
import type { Capacity } from './capacity.ts';
import { createFleets } from './create-fleet.ts';
import { refuse } from './ec2-error.ts';
import type { Events } from './events.ts';
import type { Faults } from './faults.ts';
import { createImages } from './images.ts';
import type { SimInstance } from './instance.ts';
import { createInstances, type Instances } from './instances.ts';
import { createKeyPairs } from './key-pairs.ts';
import type { OrderParts } from './launch-order.ts';
import { createLaunchTemplates, type LaunchTemplates } from './launch-templates.ts';
import type { LifeEvents, Timing } from './lives.ts';
import { createNetworks } from './networks.ts';
import type { Offerings } from './offerings.ts';
import { createParameters } from './parameters.ts';
import { createPower } from './power.ts';
import { type Counted, createQuotas, type QuotaLimits } from './quotas.ts';
import { createSpotMarket } from './request-spot.ts';
import { createTags, deleteTags, type TagPattern, tagFinder } from './resource-tags.ts';
import { createLauncher } from './run-instances.ts';
import { createSecurityGroups } from './security-groups.ts';
import type { Seeded } from './seeded.ts';
import type { SpotPrices } from './spot-prices.ts';
import { createSpotRequests, type SpotRequests } from './spot-requests.ts';
import { type AddressBook, createStarter } from './start-instances.ts';
import type { Tag } from './tags.ts';
import type { Timeline } from './timeline.ts';
import { createUnaskedEnds } from './unasked-ends.ts';
import { createVolumes, type Volumes } from './volumes.ts';

export type RegionParts = {
  name: string;
  timeline: Timeline;
  random: Seeded;
  timing: Timing;
  /** Nothing exists that was not made or is not public: unknown ids and names are refused. */
  strict: boolean;
  capacity: Capacity;
  quotas: QuotaLimits;
  offerings: Offerings;
  events: Events;
  prices: SpotPrices;
  faults: Faults;
  addresses: AddressBook;
  hosts: Pick<LifeEvents, 'hostUp' | 'hostDown'> & {
    /** What a host really showed on its console, or null where that is left to the model. */
    console?(instance: SimInstance): string | null;
  };
};

export type Call = {
  action: string;
  /** Filtered or paged: counts for EC2's limits. */
  narrowed: boolean;
  dryRun: boolean;
};

export type Region = ReturnType<typeof createRegion>;

/** Status of a spot request whose instance has ended. */
const closedBy = (instance: SimInstance): string =>
  instance.stateReason?.code.startsWith('Server.') === true
    ? 'instance-terminated-no-capacity'
    : 'instance-terminated-by-user';

type LaunchesParts = Pick<
  RegionParts,
  'timeline' | 'timing' | 'random' | 'faults' | 'addresses' | 'offerings' | 'quotas'
> & {
  rates: CallRates;
  order: OrderParts;
  instances: Instances;
  spotRequests: SpotRequests;
  volumes: Volumes;
  templates: LaunchTemplates;
};

/** The three ways in which machines come to be. */
function createLaunches(parts: LaunchesParts) {
  const { timeline, timing, random, instances, spotRequests, order } = parts;
  const { capacity } = order;
  const start = createStarter({ ...parts, now: () => timeline.now(), capacity });
  /** What counts against quotas: placed machines, and open spot requests. */
  function* counted(): Generator<Counted> {
    for (const instance of instances.all()) if (instance.placed) yield instance;
    for (const { type } of spotRequests.open()) yield { type, market: 'spot' };
  }
  const quotas = createQuotas(parts.quotas, counted);
  // Whether fleets draw on the tokens of RunInstances is not published; the narrower reading is modelled.
  const takeTokens = (count: number): void => parts.rates.instances('RunInstances', count);
  const shared = { ...order, spotRequests, quotas, start };
  const launching = { ...shared, offerings: parts.offerings, faults: parts.faults, takeTokens };
  return {
    runInstances: createLauncher(launching),
    createFleet: createFleets({ ...launching, templates: parts.templates, random }),
    spotMarket: createSpotMarket({ ...shared, timeline, timing }),
  };
}

/** What stands in a region beside instances and spot requests. */
function createThings({ name, strict, random, timeline }: RegionParts) {
  const now = (): number => timeline.now();
  return {
    networks: createNetworks(name, strict),
    groups: createSecurityGroups(random, strict),
    images: createImages(name, strict, now()),
    parameters: createParameters(now),
    keyPairs: createKeyPairs({ random, now, strict }),
    volumes: createVolumes(),
    templates: createLaunchTemplates({ random, now }),
  };
}

export function createRegion(parts: RegionParts) {
  const { timeline, timing, random, capacity, prices, faults, addresses, offerings } = parts;
  const now = (): number => timeline.now();
  const rates: CallRates = createCallRates(now);
  const things = createThings(parts);
  const { networks, groups, images, keyPairs, volumes, templates } = things;
  const spotRequests = createSpotRequests({ timeline, random, unseenMs: timing.unseenMs });

  const tell = (kind: 'interruption' | 'rebalance' | 'state', instance: SimInstance): void =>
    parts.events.tell(kind, parts.name, instance);

  const leavePlace = (instance: SimInstance): void => {
    if (!instance.placed) return;
    instance.placed = false;
    capacity.give(instance.type, instance.zone, instance.market);
  };
  const events: LifeEvents = {
    ...parts.hosts,
    stopped: leavePlace,
    changed: (instance) => tell('state', instance),
    ended(instance) {
      volumes.release(instance.volume.id);
      networks.subnet(instance.subnetId).used -= 1;
      if (instance.address !== null) addresses.give(instance.address);
      if (instance.spotRequest !== null) spotRequests.instanceEnded(instance.spotRequest, closedBy(instance));
      leavePlace(instance);
      // A persistent request is open again, also where its stopped instance gave no room back.
      spotMarket.wake();
    },
  };
  const instances = createInstances({
    timeline,
    timing,
    events,
    console: (instance) => parts.hosts.console?.(instance) ?? null,
    fate: () => faults.instance(),
  });
  const launches = createLaunches({
    ...parts,
    rates,
    order: { networks, groups, images, keyPairs, capacity, prices },
    instances,
    spotRequests,
    volumes,
    templates,
  });
  const { spotMarket } = launches;
  const power = createPower({
    instances,
    spotRequests,
    capacity,
    takeTokens: (action, count) => rates.instances(action, count),
  });
  const tagsOf = tagFinder({ instances, keyPairs, groups, spotRequests, volumes, templates });

  return {
    name: parts.name,
    now,
    ...things,
    instances,
    spotRequests,
    offerings,
    prices,
    ...launches,
    power,
    unaskedEnds: createUnaskedEnds({ instances, spotRequests, timeline, tell }),
    terminateInstances: power.terminate,

    /** Lets a call in or throws: EC2's limits, failures on purpose. RunInstances meets its own failures and dry run later, behind its token. */
    admit({ action, narrowed, dryRun }: Call): void {
      rates.call(action, narrowed);
      faults.strike(action, 'general');
      if (action === 'RunInstances') return;
      faults.strike(action, 'own');
      if (dryRun) refuse('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
    },

    createTags: (resources: readonly string[], tags: readonly Tag[]): void =>
      createTags(tagsOf, resources, tags),
    deleteTags: (resources: readonly string[], patterns: readonly TagPattern[]): void =>
      deleteTags(tagsOf, resources, patterns),
  };
}
