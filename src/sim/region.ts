// One region of the emulated EC2: its parts put together, and the door that every call passes (limits, failures on
// purpose, dry runs, counting).

import { type CallRates, createCallRates } from './call-rates.ts';
import type { Capacity } from './capacity.ts';
import { refuse } from './ec2-error.ts';
import type { Faults } from './faults.ts';
import { createImages } from './images.ts';
import type { SimInstance } from './instance.ts';
import { createInstances } from './instances.ts';
import type { LifeEvents, Timing } from './lives.ts';
import { createNetworks } from './networks.ts';
import { type AddressBook, createLauncher } from './run-instances.ts';
import { createSecurityGroups } from './security-groups.ts';
import type { Seeded } from './seeded.ts';
import { createSpotRequests } from './spot-requests.ts';
import { checkTags, type Tag } from './tags.ts';
import type { Timeline } from './timeline.ts';

export type RegionParts = {
  name: string;
  timeline: Timeline;
  random: Seeded;
  timing: Timing;
  /** Nothing exists that was not made or is not public: unknown ids and names are refused. */
  strict: boolean;
  capacity: Capacity;
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

const closedBy = (instance: SimInstance): string =>
  instance.stateReason?.code.startsWith('Server.') === true
    ? 'instance-terminated-no-capacity'
    : 'instance-terminated-by-user';

export function createRegion(parts: RegionParts) {
  const { timeline, random, capacity, faults, addresses, strict } = parts;
  const rates: CallRates = createCallRates(() => timeline.now());
  const networks = createNetworks(parts.name, strict);
  const groups = createSecurityGroups(random, strict);
  const images = createImages(parts.name, strict, timeline.now());
  const spotRequests = createSpotRequests();
  const events: LifeEvents = {
    ...parts.hosts,
    ended(instance) {
      capacity.give(instance.type, instance.zone, instance.market);
      networks.subnet(instance.subnetId).used -= 1;
      if (instance.address !== null) addresses.give(instance.address);
      if (instance.spotRequest !== null) {
        spotRequests.close(instance.spotRequest, closedBy(instance), timeline.now());
      }
    },
  };
  const instances = createInstances({
    timeline,
    timing: parts.timing,
    events,
    console: (instance) => parts.hosts.console?.(instance) ?? null,
  });
  const run = createLauncher({
    random,
    now: () => timeline.now(),
    networks,
    groups,
    images,
    instances,
    spotRequests,
    capacity,
    faults,
    addresses,
    takeTokens: (count) => rates.instances('RunInstances', count),
  });

  return {
    name: parts.name,
    now: () => timeline.now(),
    networks,
    groups,
    images,
    instances,
    spotRequests,
    runInstances: run,

    /** Lets a call in or throws: EC2's limits, failures on purpose. RunInstances meets its own failures and dry run later, behind its token. */
    admit({ action, narrowed, dryRun }: Call): void {
      rates.call(action, narrowed);
      faults.strike(action, 'general');
      if (action === 'RunInstances') return;
      faults.strike(action, 'own');
      if (dryRun) refuse('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
    },

    terminateInstances(ids: readonly string[]) {
      const living = instances.known(ids).filter((instance) => instance.endingAt === null);
      rates.instances('TerminateInstances', living.length);
      return instances.terminate(ids);
    },

    /** CreateTags on instances, spot requests and security groups. */
    createTags(resources: readonly string[], tags: readonly Tag[]): void {
      const targets = resources.map((id) => {
        if (id.startsWith('i-')) return instances.known([id])[0]?.tags;
        if (id.startsWith('sg-')) return groups.byId(id).tags;
        return spotRequests.find(id)?.tags;
      });
      for (const [at, target] of targets.entries()) {
        if (target === undefined) refuse('InvalidID', `The ID '${resources[at]?.slice(0, 60)}' is not valid`);
        checkTags(tags, target);
      }
      for (const target of targets) for (const { key, value } of tags) target?.set(key, value);
    },
  };
}
