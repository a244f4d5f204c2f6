// The rates that EC2 publishes are never exceeded, whatever is asked for when.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createCallLimits,
  ownLimits,
  requestLimits,
  resourceLimits,
} from '../../../../src/adapters/aws/call-limits.ts';
import { createTokenBucket } from '../../../../src/adapters/aws/token-bucket.ts';

const launches = { size: 5, perSecond: 2 };

describe('token bucket', () => {
  test('a full bucket gives its size at once and then its rate', () => {
    const bucket = createTokenBucket(launches, 0);
    expect([1, 2, 3, 4, 5].map(() => bucket.reserve(1, 0, 0))).toEqual([0, 0, 0, 0, 0]);
    expect(bucket.reserve(1, 0, 0)).toBeNull();
    expect(bucket.available(500)).toBe(1);
    expect(bucket.available(60_000)).toBe(5);
  });

  test('waiting calls queue up behind each other', () => {
    const bucket = createTokenBucket(launches, 0);
    for (let call = 0; call < 5; call += 1) bucket.reserve(1, 0, 0);
    expect([1, 2, 3].map(() => bucket.reserve(1, 0, 10_000))).toEqual([500, 1_000, 1_500]);
  });

  test('refuses what would wait too long and takes nothing for it', () => {
    const bucket = createTokenBucket(launches, 0);
    for (let call = 0; call < 5; call += 1) bucket.reserve(1, 0, 0);
    expect(bucket.reserve(4, 0, 1_000)).toBeNull();
    expect(bucket.reserve(1, 500, 0)).toBe(0);
  });

  test('throttling empties the bucket, halves its refill, and the rate comes back along a line', () => {
    const bucket = createTokenBucket({ size: 100, perSecond: 20 }, 0);
    bucket.throttled(0);
    expect(bucket.available(0)).toBe(0);
    expect(bucket.available(1_000)).toBe(10);
    bucket.throttled(2_000);
    expect(bucket.available(3_000)).toBe(5);
    expect(bucket.available(600_000)).toBe(100);
    expect(bucket.reserve(100, 600_000, 0)).toBe(0);
    expect(bucket.available(601_000)).toBe(20);
  });

  test('answers to calls that were already out count as one sign', () => {
    const bucket = createTokenBucket({ size: 100, perSecond: 20 }, 0);
    for (let answer = 0; answer < 10; answer += 1) bucket.throttled(answer);
    expect(bucket.available(1_009)).toBe(10);
  });

  test('slows to a sixteenth at most, so that something always goes out', () => {
    const bucket = createTokenBucket({ size: 100, perSecond: 16 }, 0);
    for (let second = 0; second < 20; second += 1) bucket.throttled(second * 1_000);
    expect(bucket.reserve(1, 19_000, 2_000)).toBeLessThanOrEqual(1_000);
  });

  test('in no stretch of time do more calls start than the bucket holds plus its refill', () => {
    const steps = fc.array(fc.record({ after: fc.integer({ min: 0, max: 3_000 }), throttle: fc.boolean() }), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const bucket = createTokenBucket(launches, 0);
        const starts: number[] = [];
        let now = 0;
        for (const step of list) {
          now += step.after;
          if (step.throttle) bucket.throttled(now);
          const waitMs = bucket.reserve(1, now, 5_000);
          if (waitMs !== null) starts.push(now + waitMs);
        }
        return starts.every((from, first) =>
          starts.slice(first).every((to, more) => more + 1 <= 5 + (2 * (to - from)) / 1_000 + 1e-6),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe('call limits', () => {
  test('a launch needs a call and its instances; without the instances it takes no call', () => {
    const limits = createCallLimits(() => 0);
    expect(limits.reserve({ action: 'RunInstances', instances: 990, maxWaitMs: 0 })).toBe(0);
    expect(limits.reserve({ action: 'RunInstances', instances: 20, maxWaitMs: 0 })).toBeNull();
    expect(limits.launchBudget()).toMatchObject({ launches: 3, instances: 9 });
    limits.refundInstances('RunInstances', 990);
    expect(limits.launchBudget()).toMatchObject({ launches: 3, instances: 999 });
  });

  test('actions have their own buckets', () => {
    const limits = createCallLimits(() => 0);
    limits.throttled('RunInstances');
    expect(limits.launchBudget().launches).toBe(0);
    expect(limits.reserve({ action: 'DescribeInstances', instances: 0, maxWaitMs: 0 })).toBe(0);
    expect(limits.reserve({ action: 'TerminateInstances', instances: 5, maxWaitMs: 0 })).toBe(0);
  });

  test('a little room is left for calls that arrive closer together than they left', () => {
    expect(ownLimits({ size: 5, perSecond: 2 })).toEqual({ size: 4, perSecond: 2 });
    expect(ownLimits({ size: 100, perSecond: 20 })).toEqual({ size: 94, perSecond: 20 });
  });

  test('sizes and refills are those that EC2 publishes', () => {
    expect(requestLimits['RunInstances']).toEqual({ size: 5, perSecond: 2 });
    expect(requestLimits['TerminateInstances']).toEqual({ size: 100, perSecond: 5 });
    expect(resourceLimits['RunInstances']).toEqual({ size: 1_000, perSecond: 2 });
    expect(resourceLimits['TerminateInstances']).toEqual({ size: 1_000, perSecond: 20 });
  });
});
