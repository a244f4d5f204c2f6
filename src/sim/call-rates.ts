// EC2's request limits: token buckets by API, and resource tokens by instance, as EC2 publishes them (API throttling
// page of its developer guide). One set per region.
// Trap: a refused call takes no token, so that a client that stops asking recovers as published.
import { refuse } from './ec2-error.ts';

type Size = { size: number; perSecond: number };

/** Calls: [tokens at most, refill a second]. */
const described: Size = { size: 100, perSecond: 20 };
const describedWhole: Size = { size: 50, perSecond: 10 };
const mutating: Size = { size: 50, perSecond: 5 };
const special = new Map<string, Size>(
  Object.entries({
    RunInstances: { size: 5, perSecond: 2 },
    StartInstances: { size: 5, perSecond: 2 },
    TerminateInstances: { size: 100, perSecond: 5 },
    CreateTags: { size: 100, perSecond: 10 },
    DeleteTags: { size: 100, perSecond: 10 },
    CreateLaunchTemplateVersion: { size: 100, perSecond: 5 },
  }),
);

/** These have the smaller bucket when neither filtered nor paged. */
const wide = new Set([
  'DescribeInstances',
  'DescribeInstanceStatus',
  'DescribeNetworkInterfaces',
  'DescribeSecurityGroups',
  'DescribeSnapshots',
  'DescribeSpotInstanceRequests',
  'DescribeVolumes',
]);

/** Instances: tokens at most, refill a second. */
const resources: Readonly<Record<string, Size>> = {
  RunInstances: { size: 1000, perSecond: 2 },
  StartInstances: { size: 1000, perSecond: 2 },
  TerminateInstances: { size: 1000, perSecond: 20 },
  StopInstances: { size: 1000, perSecond: 20 },
};

function sizeOf(action: string, narrowed: boolean): Size {
  if (/^(Describe|Get|List|Search)/.test(action)) {
    return wide.has(action) && !narrowed ? describedWhole : described;
  }
  return special.get(action) ?? mutating;
}

export type CallRates = {
  /** Takes one call of `action`. `narrowed`: filtered or paged. Throws RequestLimitExceeded. */
  call(action: string, narrowed: boolean): void;
  /** Takes `count` instances of `action`. Throws RequestLimitExceeded and takes none. */
  instances(action: string, count: number): void;
};

/** Full buckets at `now()`. */
export function createCallRates(now: () => number): CallRates {
  const buckets = new Map<string, { tokens: number; at: number }>();

  const take = (key: string, { size, perSecond }: Size, count: number): boolean => {
    const at = now();
    const bucket = buckets.get(key) ?? { tokens: size, at };
    const tokens = Math.min(size, bucket.tokens + ((at - bucket.at) / 1000) * perSecond);
    const enough = tokens >= count;
    buckets.set(key, { tokens: enough ? tokens - count : tokens, at });
    return enough;
  };

  return {
    call(action, narrowed) {
      const size = sizeOf(action, narrowed);
      if (!take(`${action}/${size.size}`, size, 1)) refuse('RequestLimitExceeded', 'Request limit exceeded.');
    },
    instances(action, count) {
      const size = resources[action];
      if (size !== undefined && !take(`${action}/instances`, size, count)) {
        refuse('RequestLimitExceeded', `Request limit exceeded: ${count} resource tokens of ${action}.`);
      }
    },
  };
}
