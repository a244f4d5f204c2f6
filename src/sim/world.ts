// The emulated cloud: regions made on first use, over one timeline, one seed, one set of failures and capacities. It
// knows EC2 and nothing of who calls: the emulator's HTTP skin and a simulator stand on the same world.
// Trap: regions share the random source, so that a run repeats only when calls come in the same order.
import { type Capacity, createCapacity } from './capacity.ts';
import { refuse } from './ec2-error.ts';
import { createEvents, type Events } from './events.ts';
import { createFaults, type Faults } from './faults.ts';
import type { SimInstance } from './instance.ts';
import type { Timing } from './lives.ts';
import { createOfferings, type Offerings } from './offerings.ts';
import { createQuotaLimits, type QuotaLimits } from './quotas.ts';
import { createRegion, type Region, type RegionParts } from './region.ts';
import { createSeeded } from './seeded.ts';
import { createSpotPrices, type SpotPrices } from './spot-prices.ts';
import type { SpotRequest } from './spot-requests.ts';
import type { Timeline } from './timeline.ts';

export type WorldOptions = Pick<RegionParts, 'addresses' | 'strict'> & {
  timeline: Timeline;
  seed: number;
  /** Default: EC2's pace. */
  timing?: Timing;
  /** Told when a host begins and ceases to answer. */
  hosts?: RegionParts['hosts'];
};

export type World = {
  /** True time, in ms since 1970. */
  now(): number;
  /** The region of that name, e.g. `eu-central-1`. Throws Ec2Error for what no region can be called. */
  region(name: string): Region;
  /** An instance that is still listed, with its region; null for an unknown id. */
  find(id: string): { instance: SimInstance; region: Region } | null;
  capacity: Capacity;
  /** vCPU quotas of the account, the same in each region. */
  quotas: QuotaLimits;
  offerings: Offerings;
  events: Events;
  prices: SpotPrices;
  faults: Faults;
  /** Instances of all regions that are still listed. */
  instances(): SimInstance[];
  /** Spot requests of all regions that are still listed. */
  spotRequests(): SpotRequest[];
};

/** EC2's pace as measured on common types: 17 s pending, 25 s until SSH answers, half a minute to end. The look
 * at a spot request is a guess: seconds, by all accounts. */
export const realTiming: Timing = {
  unseenMs: 1_000,
  pendingMs: 17_000,
  bootMs: 25_000,
  endingMs: 30_000,
  shownMs: 3_600_000,
  evaluateMs: 3_000,
};

const silent: RegionParts['hosts'] = { hostUp() {}, hostDown() {} };

export function createWorld(options: WorldOptions): World {
  const { timeline, timing = realTiming, addresses, strict, hosts = silent } = options;
  const random = createSeeded(options.seed);
  const capacity = createCapacity();
  const quotas = createQuotaLimits();
  const offerings = createOfferings();
  const events = createEvents(() => timeline.now());
  const prices = createSpotPrices();
  const faults = createFaults(createSeeded(options.seed + 1));
  const regions = new Map<string, Region>();

  return {
    now: () => timeline.now(),
    capacity,
    quotas,
    offerings,
    events,
    prices,
    faults,
    region(name) {
      const known = regions.get(name);
      if (known !== undefined) return known;
      if (!/^[a-z]{2}(-[a-z]+){1,3}-\d{1,2}$/.test(name)) {
        refuse('InvalidParameterValue', `'${name.slice(0, 40)}' is no region.`);
      }
      const region = createRegion({
        name,
        timeline,
        random,
        timing,
        strict,
        capacity,
        quotas,
        offerings,
        events,
        prices,
        faults,
        addresses,
        hosts,
      });
      regions.set(name, region);
      return region;
    },
    find(id) {
      for (const region of regions.values()) {
        const instance = region.instances.find(id);
        if (instance !== undefined) return { instance, region };
      }
      return null;
    },
    instances: () => [...regions.values()].flatMap((region) => [...region.instances.all()]),
    spotRequests: () => [...regions.values()].flatMap((region) => region.spotRequests.all()),
  };
}
