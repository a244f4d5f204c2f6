// Messages of a queue: EC2's events as AWS documents them, and everything that somebody else may put there.
import { describe, expect, test } from 'vitest';
import { readEvent } from '../../../../src/adapters/aws/read-event.ts';
import { readSpotRequestPage } from '../../../../src/adapters/aws/read-spot-requests.ts';

const at = Date.UTC(2026, 10, 22, 12);
const event = (type: string, detail: unknown, more: object = {}) =>
  JSON.stringify({
    version: '0',
    id: '1e5527d7-bb36-4607-3370-4164db56a40e',
    'detail-type': type,
    source: 'aws.ec2',
    account: '123456789012',
    time: '2026-11-22T12:00:00Z',
    region: 'eu-central-1',
    resources: ['arn:aws:ec2:eu-central-1:123456789012:instance/i-0b662ef9931388ba0'],
    detail,
    ...more,
  });
const id = 'i-0b662ef9931388ba0';

describe('readEvent', () => {
  test('an interruption warning has a deadline two minutes later', () => {
    const body = event('EC2 Spot Instance Interruption Warning', {
      'instance-id': id,
      'instance-action': 'terminate',
    });
    expect(readEvent(body)).toEqual([
      { instance: id, kind: 'interruption', at, deadline: at + 120_000, source: 'queue', code: 'terminate' },
    ]);
  });

  test('advice to rebalance, changes of state and announced repairs are told as such', () => {
    expect(readEvent(event('EC2 Instance Rebalance Recommendation', { 'instance-id': id }))).toMatchObject([
      { kind: 'rebalance', deadline: null },
    ]);
    const change = { 'instance-id': id, state: 'shutting-down' };
    expect(readEvent(event('EC2 Instance State-change Notification', change))).toMatchObject([
      { kind: 'state', code: 'shutting-down' },
    ]);
    const health = {
      service: 'EC2',
      eventTypeCode: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
      affectedEntities: [{ entityValue: id }, { entityValue: 'vol-0123456789abcdef0' }],
    };
    expect(readEvent(event('AWS Health Event', health))).toMatchObject([
      { instance: id, kind: 'rebalance', code: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED' },
    ]);
  });

  test.each<[string, string]>([
    ['nothing', ''],
    ['no JSON', '<xml/>'],
    ['no object', '[1,2,3]'],
    ['another event', event('EC2 Fleet State Change', {})],
    ['a name of every object', event('constructor', { 'instance-id': id })],
    ['no instance', event('EC2 Instance Rebalance Recommendation', {})],
    [
      'an id that is none',
      event('EC2 Instance Rebalance Recommendation', { 'instance-id': 'i-1; rm -rf /' }),
    ],
    [
      'a state that is none',
      event('EC2 Instance State-change Notification', { 'instance-id': id, state: 'A B' }),
    ],
    [
      'a time that is none',
      event('EC2 Instance Rebalance Recommendation', { 'instance-id': id }, { time: 'now' }),
    ],
    [
      'health of another service',
      event('AWS Health Event', { service: 'RDS', eventTypeCode: 'X', affectedEntities: [] }),
    ],
    [
      'more than an event can be',
      event('EC2 Instance Rebalance Recommendation', { 'instance-id': id, pad: 'x'.repeat(70_000) }),
    ],
  ])('%s is no notice', (_what, body) => {
    expect(readEvent(body)).toEqual([]);
  });
});

describe('readSpotRequestPage', () => {
  const page = (items: string) =>
    `<DescribeSpotInstanceRequestsResponse><requestId>r</requestId><spotInstanceRequestSet>${items}</spotInstanceRequestSet><nextToken>n</nextToken></DescribeSpotInstanceRequestsResponse>`;

  test('reads a request with its status, instance and tags', () => {
    const item = `<item><spotInstanceRequestId>sir-1a2b3c4d</spotInstanceRequestId><state>active</state><status><code>fulfilled</code><updateTime>2026-11-22T12:00:00.000Z</updateTime></status><instanceId>i-1</instanceId><createTime>2026-11-22T11:59:00.000Z</createTime><launchSpecification><instanceType>m5.large</instanceType></launchSpecification><launchedAvailabilityZone>eu-central-1a</launchedAvailabilityZone><tagSet><item><key>hostler:owner</key><value>me</value></item></tagSet></item>`;
    expect(readSpotRequestPage(page(item))).toEqual({
      requests: [
        {
          id: 'sir-1a2b3c4d',
          state: 'active',
          status: 'fulfilled',
          statusAt: at,
          instance: 'i-1',
          type: 'm5.large',
          zone: 'eu-central-1a',
          createdAt: at - 60_000,
          validUntil: null,
          tags: { 'hostler:owner': 'me' },
        },
      ],
      nextToken: 'n',
    });
  });

  test('a state of tomorrow counts as open: it may still bring a machine', () => {
    const [request] = readSpotRequestPage(
      page('<item><spotInstanceRequestId>sir-1</spotInstanceRequestId><state>pondering</state></item>'),
    ).requests;
    expect(request).toMatchObject({ state: 'open', status: '', statusAt: 0, instance: null });
  });

  test.each([
    ['another answer', '<DescribeInstancesResponse/>'],
    ['no list', '<DescribeSpotInstanceRequestsResponse/>'],
    ['a request without id', page('<item><state>open</state></item>')],
    ['half an answer', page('').slice(0, -20)],
    ['nothing', ''],
  ])('%s is unreadable, not empty', (_what, xml) => {
    expect(() => readSpotRequestPage(xml)).toThrow();
  });
});
