// What CreateFleet is asked, and the checks that need nothing but the request itself.
import { refuse } from './ec2-error.ts';
import type { TemplateKey } from './launch-templates.ts';
import type { Market, RunRequest, VolumeWish } from './run-request.ts';
import { checkTags, type Tag } from './tags.ts';

/** One place of a fleet; null where the template decides. */
export type FleetOverride = {
  type: string | null;
  subnetId: string | null;
  zone: string | null;
  maxPrice: string | null;
  priority: number | null;
  imageId: string | null;
  keyName: string | null;
  profile: string | null;
  volumes: readonly VolumeWish[];
  metadata: RunRequest['metadata'] | null;
};

export type FleetWish = {
  type: string | null;
  total: number | null;
  market: Market;
  strategy: string | null;
  maxTotalPrice: number | null;
  configs: readonly {
    template: TemplateKey;
    version: string | null;
    /** Base64; goes over the template's. */
    userData: string | null;
    overrides: readonly FleetOverride[];
  }[];
  token: string | null;
  tags: readonly { resource: string; tags: readonly Tag[] }[];
};

/** EC2's bound on the capacity of one fleet. */
const MACHINES_AT_MOST = 10_000;

const RESOURCES = ['fleet', 'instance', 'volume', 'network-interface'];

const STRATEGIES: Readonly<Record<Market, readonly string[]>> = {
  spot: [
    'lowest-price',
    'diversified',
    'capacity-optimized',
    'capacity-optimized-prioritized',
    'price-capacity-optimized',
  ],
  'on-demand': ['lowest-price', 'prioritized'],
};

/** Checks the request's own rules and returns how many machines it wants. Throws EC2's errors. */
export function checkWish(wish: FleetWish): number {
  if (wish.type !== 'instant') {
    refuse(
      'UnsupportedOperation',
      `The emulator serves instant fleets only, not '${(wish.type ?? '').slice(0, 20)}'.`,
    );
  }
  const { total, strategy, market } = wish;
  if (total === null)
    refuse('MissingParameter', 'The request must contain the parameter TotalTargetCapacity');
  if (!(total >= 1 && total <= MACHINES_AT_MOST)) {
    refuse('InvalidParameterValue', `Invalid value '${total}' for TotalTargetCapacity.`);
  }
  if (strategy !== null && !STRATEGIES[market].includes(strategy)) {
    refuse('InvalidParameterValue', `Invalid value '${strategy.slice(0, 40)}' for AllocationStrategy.`);
  }
  if (wish.configs.length === 0) {
    refuse('MissingParameter', 'The request must contain the parameter LaunchTemplateConfigs');
  }
  const seen = new Set<string>();
  for (const { resource, tags } of wish.tags) {
    if (!RESOURCES.includes(resource) || seen.has(resource)) {
      refuse(
        'InvalidParameterValue',
        `'${resource.slice(0, 60)}' is not a valid taggable resource type for this operation.`,
      );
    }
    seen.add(resource);
    checkTags(tags);
  }
  return total;
}
