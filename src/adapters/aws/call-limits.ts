// EC2's published request rates as buckets, one set for each account and region (here: site).
// Sizes and refills: EC2 developer guide, "Request throttling for the Amazon EC2 API". They are shared with everything
// else in the account, so throttling can still happen; then the bucket of that action slows down by itself.
import type { CallBudget } from '../../domain/observation.ts';
import type { DurationMs } from '../../domain/units.ts';
import { type BucketLimits, createTokenBucket, type TokenBucket } from './token-bucket.ts';

/** Requests: calls in the bucket, calls a second. Actions without an entry are `describes`. */
export const requestLimits: Readonly<Record<string, BucketLimits>> = {
  RunInstances: { size: 5, perSecond: 2 },
  TerminateInstances: { size: 100, perSecond: 5 },
  CreateFleet: { size: 50, perSecond: 5 },
  CreateLaunchTemplate: { size: 50, perSecond: 5 },
  CreateLaunchTemplateVersion: { size: 100, perSecond: 5 },
  DeleteLaunchTemplate: { size: 50, perSecond: 5 },
  DeleteLaunchTemplateVersions: { size: 50, perSecond: 5 },
  RequestSpotInstances: { size: 50, perSecond: 5 },
  CancelSpotInstanceRequests: { size: 50, perSecond: 5 },
  DeleteVolume: { size: 50, perSecond: 5 },
  CreateTags: { size: 100, perSecond: 10 },
  CreateSecurityGroup: { size: 50, perSecond: 5 },
  AuthorizeSecurityGroupIngress: { size: 50, perSecond: 5 },
  // SSM publishes no bucket; 10 a second is far below its default throughput and far above our use (one a pool and hour).
  GetParameter: { size: 10, perSecond: 10 },
  // Service Quotas publishes no bucket; it is asked once in minutes.
  GetServiceQuota: { size: 5, perSecond: 1 },
  // SQS has no limit that we could reach; a queue that answers at once and empty must not become a loop.
  ReceiveMessage: { size: 20, perSecond: 5 },
  DeleteMessageBatch: { size: 20, perSecond: 5 },
};

/** Non-mutating calls, each action on its own; ours are always filtered or paged, so the larger bucket holds. */
export const describes: BucketLimits = { size: 100, perSecond: 20 };

/** Resource tokens: instances in the bucket, instances a second. */
export const resourceLimits: Readonly<Record<string, BucketLimits>> = {
  RunInstances: { size: 1_000, perSecond: 2 },
  TerminateInstances: { size: 1_000, perSecond: 20 },
};

/** Whether fleets draw on the instances of RunInstances is not published; counting them there is the safe reading. */
const resourceOf: Readonly<Record<string, string>> = { CreateFleet: 'RunInstances' };

/**
 * Milliseconds by which calls may arrive closer together than they left (connections, load). The tokens of that time
 * are left in EC2's bucket: one launch call of five, six describes of a hundred.
 */
const JITTER_MS: DurationMs = 300;

/** The published limits less the room for jitter. */
export function ownLimits({ size, perSecond }: BucketLimits): BucketLimits {
  return { size: size - Math.ceil((perSecond * JITTER_MS) / 1_000), perSecond };
}

export type CallLimits = {
  /** Takes what one call needs and says how long to wait; null (nothing taken) when that is beyond `maxWaitMs`. */
  reserve(call: { action: string; instances: number; maxWaitMs: DurationMs }): DurationMs | null;
  /** Instances that were not launched cost no resource tokens. */
  refundInstances(action: string, instances: number): void;
  throttled(action: string): void;
  /** Resource tokens there now. */
  instances(action: string): number;
  launchBudget(): CallBudget;
};

/** `monotonic` in milliseconds. */
export function createCallLimits(monotonic: () => DurationMs): CallLimits {
  const requests = new Map<string, TokenBucket>();
  const resources = new Map<string, TokenBucket>();
  const bucket = (of: Map<string, TokenBucket>, action: string, limits: BucketLimits): TokenBucket => {
    const known = of.get(action) ?? createTokenBucket(ownLimits(limits), monotonic());
    of.set(action, known);
    return known;
  };
  const requestBucket = (action: string) => bucket(requests, action, requestLimits[action] ?? describes);
  const resourceBucket = (action: string) => {
    const shared = resourceOf[action] ?? action;
    const limits = resourceLimits[shared];
    return limits === undefined ? null : bucket(resources, shared, limits);
  };

  return {
    reserve: ({ action, instances, maxWaitMs }) => {
      const now = monotonic();
      const forRequest = requestBucket(action).reserve(1, now, maxWaitMs);
      if (forRequest === null) return null;
      const resource = resourceBucket(action);
      if (resource === null) return forRequest;
      const forInstances = resource.reserve(instances, now, maxWaitMs);
      if (forInstances === null) requestBucket(action).refund(1);
      return forInstances === null ? null : Math.max(forRequest, forInstances);
    },
    refundInstances: (action, instances) => resourceBucket(action)?.refund(instances),
    throttled: (action) => requestBucket(action).throttled(monotonic()),
    instances: (action) => resourceBucket(action)?.available(monotonic()) ?? Number.POSITIVE_INFINITY,
    launchBudget: () => ({
      launches: requestBucket('RunInstances').available(monotonic()),
      instances: resourceBucket('RunInstances')?.available(monotonic()) ?? 0,
      fleets: requestBucket('CreateFleet').available(monotonic()),
      spotRequests: requestBucket('RequestSpotInstances').available(monotonic()),
    }),
  };
}
