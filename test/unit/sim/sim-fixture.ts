// A world on a timeline that tests move by hand, and requests in few words.
import { Ec2Error } from '../../../src/sim/ec2-error.ts';
import type { SimInstance } from '../../../src/sim/instance.ts';
import type { Timing } from '../../../src/sim/lives.ts';
import type { Region } from '../../../src/sim/region.ts';
import type { RunRequest, SpotWish } from '../../../src/sim/run-request.ts';
import type { Query } from '../../../src/sim/search.ts';
import { createVirtualTimeline, type VirtualTimeline } from '../../../src/sim/timeline.ts';
import { createWorld, type World } from '../../../src/sim/world.ts';

export const pace: Timing = {
  unseenMs: 500,
  pendingMs: 3_000,
  bootMs: 5_000,
  endingMs: 2_000,
  shownMs: 60_000,
  evaluateMs: 1_000,
};

export type Fixture = {
  world: World;
  region: Region;
  timeline: VirtualTimeline;
  /** `up i-…`, `down i-…` in the order they came. */
  hosts: string[];
  /** Addresses in nobody's hands. */
  free: string[];
};

export function createFixture(
  options: { strict?: boolean; addresses?: number; seed?: number } = {},
): Fixture {
  const timeline = createVirtualTimeline(Date.UTC(2026, 0, 5, 9));
  const hosts: string[] = [];
  const free = Array.from({ length: options.addresses ?? 3_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
  const world = createWorld({
    timeline,
    seed: options.seed ?? 1,
    timing: pace,
    strict: options.strict ?? false,
    addresses: { take: () => free.shift() ?? null, give: (address) => free.push(address) },
    hosts: {
      hostUp: (instance) => hosts.push(`up ${instance.id}`),
      hostDown: (instance) => hosts.push(`down ${instance.id}`),
    },
  });
  return { world, region: world.region('eu-central-1'), timeline, hosts, free };
}

export const spot = (maxPrice: string | null = null): SpotWish => ({
  maxPrice,
  requestType: 'one-time',
  interruption: 'terminate',
  validUntil: null,
  blockMinutes: null,
});

export const ask = (wish: Partial<RunRequest> = {}): RunRequest => ({
  imageId: 'ami-0123456789abcdef0',
  type: 'm5.large',
  minCount: 1,
  maxCount: 1,
  token: null,
  dryRun: false,
  zone: null,
  subnetId: null,
  groupIds: [],
  groupNames: [],
  card: null,
  keyName: null,
  userData: null,
  profile: null,
  shutdown: 'terminate',
  monitoring: false,
  ebsOptimized: false,
  metadata: { tokens: 'required', hopLimit: 1 },
  volumes: [],
  spot: null,
  tags: [],
  ...wish,
});

export const query = (wish: Partial<Query> = {}): Query => ({
  ids: [],
  filters: [],
  page: { maxResults: null, nextToken: null },
  ...wish,
});

/** The one instance of a launch that asks for one. */
export function one(instances: readonly SimInstance[]): SimInstance {
  const [instance] = instances;
  if (instance === undefined || instances.length !== 1) throw new Error(`not one: ${instances.length}`);
  return instance;
}

/** The code that a call is refused with, or `done`. */
export function codeOf(call: () => unknown): string {
  try {
    call();
    return 'done';
  } catch (error) {
    if (error instanceof Ec2Error) return error.code;
    throw error;
  }
}
