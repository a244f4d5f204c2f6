// Notices from spot requests and listings, and the rules that fill a queue.
import { describe, expect, test } from 'vitest';
import { eventRules, queueArn } from '../../../src/domain/event-rules.ts';
import { noticesOfListing } from '../../../src/domain/notice.ts';
import { noticesOfRequests, type SpotRequest } from '../../../src/domain/spot-request.ts';
import { instanceOf, machine, NOON } from '../../support/builders.ts';

const request = (over: Partial<SpotRequest>): SpotRequest => ({
  id: 'sir-1',
  state: 'active',
  status: 'fulfilled',
  statusAt: NOON,
  instance: 'i-1',
  type: 'm5.large',
  zone: 'eu-central-1a',
  createdAt: NOON - 1_000,
  validUntil: null,
  tags: {},
  ...over,
});

describe('noticesOfRequests', () => {
  test.each([
    ['marked-for-termination', 'active'],
    ['marked-for-stop', 'active'],
    ['instance-terminated-no-capacity', 'closed'],
    ['instance-terminated-by-price', 'closed'],
    ['instance-terminated-by-service', 'closed'],
  ] as const)('%s of a living instance is one, with two minutes left', (status, state) => {
    expect(noticesOfRequests([request({ status, state })], () => true)).toEqual([
      {
        instance: 'i-1',
        kind: 'interruption',
        at: NOON,
        deadline: NOON + 120_000,
        source: 'spot-requests',
        code: status,
      },
    ]);
  });

  test.each([
    'fulfilled',
    'instance-terminated-by-user',
    'request-canceled-and-instance-running',
    'capacity-not-available',
    'a-word-of-tomorrow',
  ])('%s is none', (status) => {
    expect(noticesOfRequests([request({ status })], () => true)).toEqual([]);
  });

  test('an instance that is down already needs none, nor a request without one', () => {
    const status = 'instance-terminated-no-capacity';
    expect(noticesOfRequests([request({ status })], () => false)).toEqual([]);
    expect(noticesOfRequests([request({ status, instance: null })], () => true)).toEqual([]);
  });

  test('without a time of its own has no deadline, rather than one in 1970', () => {
    const [notice] = noticesOfRequests(
      [request({ status: 'marked-for-termination', statusAt: 0 })],
      () => true,
    );
    expect(notice?.deadline).toBeNull();
  });
});

describe('noticesOfListing', () => {
  const alive = instanceOf(machine({ id: 'm-1' }));
  const before = new Map([[alive.id, alive]]);

  test('an instance on its way out that was alive before is one', () => {
    expect(noticesOfListing(before, [{ ...alive, state: 'shutting-down' }], NOON)).toEqual([
      {
        instance: alive.id,
        kind: 'state',
        at: NOON,
        deadline: null,
        source: 'listing',
        code: 'shutting-down',
      },
    ]);
  });

  test('one that lives on, was leaving before, or was never seen is none', () => {
    const gone = { ...alive, state: 'terminated' as const };
    expect(noticesOfListing(before, [alive], NOON)).toEqual([]);
    expect(noticesOfListing(new Map([[alive.id, gone]]), [gone], NOON)).toEqual([]);
    expect(noticesOfListing(new Map(), [gone], NOON)).toEqual([]);
  });
});

describe('event rules', () => {
  test('name the four events, the queue, and let EventBridge alone write to it', () => {
    const arn = queueArn('https://sqs.eu-central-1.amazonaws.com/123456789012/hostler') ?? '';
    expect(arn).toBe('arn:aws:sqs:eu-central-1:123456789012:hostler');
    const { rules, queuePolicy } = eventRules(arn);
    expect(rules.map(({ eventPattern }) => (eventPattern['detail-type'] as string[])[0])).toEqual([
      'EC2 Spot Instance Interruption Warning',
      'EC2 Instance Rebalance Recommendation',
      'EC2 Instance State-change Notification',
      'AWS Health Event',
    ]);
    expect(rules.every(({ targets }) => targets[0]?.arn === arn)).toBe(true);
    expect(JSON.stringify(queuePolicy)).toContain(
      'arn:aws:events:eu-central-1:123456789012:rule/hostler-spot-interruption',
    );
  });

  test('know China and refuse to guess where a URL tells nothing', () => {
    expect(queueArn('https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q')).toBe(
      'arn:aws-cn:sqs:cn-north-1:123456789012:q',
    );
    expect(queueArn('http://127.0.0.1:8900/123456789012/q')).toBeNull();
  });
});
