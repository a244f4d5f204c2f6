// One region of the emulated EC2: its parts put together, and the door that every call passes (limits, failures on
// purpose, dry runs, counting).

import { type CallRates, createCallRates } from './call-rates.ts';
import type { Capacity } from './capacity.ts';
import { refuse } from './ec2-error.ts';
import type { Faults } from './faults.ts';
import { createImages } from './images.ts';
import type { SimInstance } from './instance.ts';
import { createInstances } from './instances.ts';
import { createKeyPairs } from './key-pairs.ts';
import type { LifeEvents, Timing } from './lives.ts';
import { createNetworks } from './networks.ts';
import { createParameters } from './parameters.ts';
import { createPower } from './power.ts';
import { createSpotMarket } from './request-spot.ts';
import { createTags, deleteTags, type TagPattern, tagFinder } from './resource-tags.ts';
import { createLauncher } from './run-instances.ts';
import { createSecurityGroups } from './security-groups.ts';
import type { Seeded } from './seeded.ts';
import type { SpotPrices } from './spot-prices.ts';
import { createSpotRequests } from './spot-requests.ts';
import { type AddressBook, createStarter } from './start-instances.ts';
import type { Tag } from './tags.ts';
import type { Timeline } from './timeline.ts';
import { createUnaskedEnds } from './unasked-ends.ts';

export type RegionParts = {
  name: string;
  timeline: Timeline;
  random: Seeded;
  timing: Timing;
  /** Nothing exists that was not made or is not public: unknown ids and names are refused. */
  strict: boolean;
  capacity: Capacity;
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

export function createRegion(parts: RegionParts) {
  const { timeline, timing, random, capacity, prices, faults, addresses, strict } = parts;
  const now = (): number => timeline.now();
  const rates: CallRates = createCallRates(now);
  const networks = createNetworks(parts.name, strict);
  const groups = createSecurityGroups(random, strict);
  const images = createImages(parts.name, strict, now());
  const parameters = createParameters(now);
  const keyPairs = createKeyPairs({ random, now, strict });
  const spotRequests = createSpotRequests({ timeline, random, unseenMs: timing.unseenMs });

  const leavePlace = (instance: SimInstance): void => {
    if (!instance.placed) return;
    instance.placed = false;
    capacity.give(instance.type, instance.zone, instance.market);
  };
  const events: LifeEvents = {
    ...parts.hosts,
    stopped: leavePlace,
    ended(instance) {
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
  const start = createStarter({ now, random, instances, capacity, addresses });
  const order = { networks, groups, images, keyPairs, capacity, prices };
  const spotMarket = createSpotMarket({ ...order, timeline, timing, spotRequests, start });
  const run = createLauncher({
    ...order,
    spotRequests,
    faults,
    start,
    takeTokens: (count) => rates.instances('RunInstances', count),
  });
  const power = createPower({
    instances,
    spotRequests,
    capacity,
    takeTokens: (action, count) => rates.instances(action, count),
  });
  const tagsOf = tagFinder({ instances, keyPairs, groups, spotRequests });

  return {
    name: parts.name,
    now,
    networks,
    groups,
    images,
    parameters,
    keyPairs,
    instances,
    spotRequests,
    runInstances: run,
    spotMarket,
    power,
    unaskedEnds: createUnaskedEnds({ instances, spotRequests, timeline }),
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
