import { describe, expect, test } from 'vitest';
import type { SpotOrder } from '../../../src/sim/request-spot.ts';
import {
  cancelSpotRequests,
  describeSpotRequests,
  OPEN_AT_MOST,
  type SpotRequest,
} from '../../../src/sim/spot-requests.ts';
import { ask, codeOf, createFixture, type Fixture, query, spot } from './sim-fixture.ts';

const zone = 'eu-central-1a';
const place = { type: 'm5.large', zone, market: 'spot' } as const;
const minute = 60_000;
const hour = 60 * minute;

const order = (wish: Partial<SpotOrder> = {}): SpotOrder => ({
  wish: ask({ zone, spot: spot('0.05') }),
  count: 1,
  kind: null,
  interruption: null,
  validFrom: null,
  validUntil: null,
  token: null,
  tags: [],
  ...wish,
});

/** The one request that an order makes. */
function asked({ region }: Fixture, wish: Partial<SpotOrder> = {}): SpotRequest {
  const [request] = region.spotMarket.request(order(wish));
  if (request === undefined) throw new Error('no request');
  return request;
}

const living = ({ world }: Fixture) => world.instances().filter(({ endingAt }) => endingAt === null);

function end(fixture: Fixture, request: SpotRequest): void {
  // A new instance is not known for a moment.
  fixture.timeline.advance(500);
  fixture.region.terminateInstances([request.instanceId ?? '']);
  fixture.timeline.advance(2_000);
}

describe('a spot request', () => {
  test('is open until EC2 has looked at it, then active with an instance of its own', () => {
    const fixture = createFixture();
    const request = asked(fixture);
    expect(request).toMatchObject({ state: 'open', status: 'pending-evaluation', instanceId: null });
    expect(living(fixture)).toEqual([]);
    fixture.timeline.advance(1_000);
    expect(request).toMatchObject({ state: 'active', status: 'fulfilled', zone });
    expect(living(fixture)).toMatchObject([
      { id: request.instanceId, spotRequest: request.id, market: 'spot', state: 'pending' },
    ]);
  });

  test('tags itself only: what comes of it carries none', () => {
    const fixture = createFixture();
    const tags = [{ resource: 'spot-instances-request', tags: [{ key: 'owner', value: 'me' }] }];
    const request = asked(fixture, { tags });
    fixture.timeline.advance(1_000);
    expect([...request.tags]).toEqual([['owner', 'me']]);
    expect(living(fixture).map((one) => one.tags.size)).toEqual([0]);
  });

  test('is not found for a moment, by id or in listings', () => {
    const { region, timeline } = createFixture();
    const [request] = region.spotMarket.request(order());
    const listed = (ids: string[]) => describeSpotRequests(region.spotRequests, query({ ids })).things;
    expect(listed([])).toEqual([]);
    expect(codeOf(() => listed([request?.id ?? '']))).toBe('InvalidSpotInstanceRequestID.NotFound');
    timeline.advance(500);
    expect(listed([])).toEqual([request]);
    expect(listed([request?.id ?? ''])).toEqual([request]);
  });

  test('stays open without capacity and is served when some comes, hours later, oldest first', () => {
    const fixture = createFixture();
    fixture.world.capacity.set(place, 0);
    const first = asked(fixture);
    const second = asked(fixture);
    fixture.timeline.advance(5 * hour);
    expect([first, second].map(({ state, status }) => `${state} ${status}`)).toEqual([
      'open capacity-not-available',
      'open capacity-not-available',
    ]);
    fixture.world.capacity.set(place, 1);
    fixture.timeline.advance(1_000);
    expect([first.state, second.state]).toEqual(['active', 'open']);
    end(fixture, first);
    fixture.timeline.advance(1_000);
    expect(second).toMatchObject({ state: 'active', status: 'fulfilled' });
  });

  test('stays open below the price and is served when the price falls', () => {
    const fixture = createFixture();
    fixture.world.prices.set(place, 0.06);
    const request = asked(fixture);
    fixture.timeline.advance(hour);
    expect(request).toMatchObject({ state: 'open', status: 'price-too-low' });
    fixture.world.prices.set(place, 0.05);
    fixture.timeline.advance(1_000);
    expect(request.status).toBe('fulfilled');
  });

  test('waits for a free address', () => {
    const fixture = createFixture({ addresses: 1 });
    const first = asked(fixture);
    const second = asked(fixture);
    fixture.timeline.advance(1_000);
    expect([first.status, second.status]).toEqual(['fulfilled', 'constraint-not-fulfillable']);
    end(fixture, first);
    fixture.timeline.advance(2_000);
    expect(second.status).toBe('fulfilled');
  });

  test('is given up after seven days, or when its own time is over', () => {
    const fixture = createFixture();
    fixture.world.capacity.set(place, 0);
    const week = asked(fixture);
    const brief = asked(fixture, { validUntil: fixture.timeline.now() + minute });
    fixture.timeline.advance(minute);
    expect([week.state, brief.state, brief.status]).toEqual(['open', 'cancelled', 'schedule-expired']);
    fixture.timeline.advance(7 * 24 * hour);
    fixture.world.capacity.set(place, null);
    fixture.timeline.advance(hour);
    expect([week.state, week.status]).toEqual(['cancelled', 'schedule-expired']);
    expect(living(fixture)).toEqual([]);
  });

  test('for later is not looked at before', () => {
    const fixture = createFixture();
    const request = asked(fixture, { validFrom: fixture.timeline.now() + hour });
    fixture.timeline.advance(hour);
    expect(request).toMatchObject({ state: 'open', status: 'not-scheduled-yet' });
    fixture.timeline.advance(1_000);
    expect(request.state).toBe('active');
  });

  test('that was served does not end with its time', () => {
    const fixture = createFixture();
    const request = asked(fixture, { validUntil: fixture.timeline.now() + minute });
    fixture.timeline.advance(hour);
    expect(request.state).toBe('active');
  });

  test('closes with its instance and is forgotten four hours later', () => {
    const fixture = createFixture();
    const request = asked(fixture);
    fixture.timeline.advance(6_000);
    end(fixture, request);
    expect(request).toMatchObject({ state: 'closed', status: 'instance-terminated-by-user' });
    fixture.timeline.advance(4 * hour - 1);
    expect(fixture.world.spotRequests()).toEqual([request]);
    fixture.timeline.advance(1);
    expect(fixture.world.spotRequests()).toEqual([]);
  });

  test('with the same token is made once', () => {
    const fixture = createFixture();
    const first = asked(fixture, { token: 't' });
    expect(asked(fixture, { token: 't' })).toBe(first);
    expect(codeOf(() => asked(fixture, { token: 't', count: 2 }))).toBe('IdempotentParameterMismatch');
    expect(fixture.world.spotRequests()).toHaveLength(1);
  });
});

describe('cancelling', () => {
  test('an open request never becomes a machine', () => {
    const fixture = createFixture();
    const request = asked(fixture);
    fixture.timeline.advance(500);
    cancelSpotRequests(fixture.region.spotRequests, [request.id]);
    fixture.timeline.advance(hour);
    expect(request).toMatchObject({ state: 'cancelled', status: 'canceled-before-fulfillment' });
    expect(living(fixture)).toEqual([]);
  });

  test('an active one leaves its instance running', () => {
    const fixture = createFixture();
    const request = asked(fixture);
    fixture.timeline.advance(6_000);
    cancelSpotRequests(fixture.region.spotRequests, [request.id]);
    fixture.timeline.advance(hour);
    expect(request).toMatchObject({ state: 'cancelled', status: 'request-canceled-and-instance-running' });
    expect(living(fixture)).toHaveLength(1);
    end(fixture, request);
    expect(request).toMatchObject({ state: 'cancelled', status: 'instance-terminated-by-user' });
  });

  test('one unknown id and none is cancelled', () => {
    const fixture = createFixture();
    const request = asked(fixture);
    fixture.timeline.advance(500);
    const ids = [request.id, 'sir-12345678'];
    expect(codeOf(() => cancelSpotRequests(fixture.region.spotRequests, ids))).toBe(
      'InvalidSpotInstanceRequestID.NotFound',
    );
    expect(codeOf(() => cancelSpotRequests(fixture.region.spotRequests, []))).toBe('MissingParameter');
    expect(request.state).toBe('open');
  });
});

describe('a persistent request', () => {
  test('starts another machine when its instance is terminated, without the tags of the first', () => {
    const fixture = createFixture();
    const request = asked(fixture, { kind: 'persistent' });
    fixture.timeline.advance(6_000);
    const first = request.instanceId;
    fixture.region.createTags([first ?? ''], [{ key: 'Name', value: 'mine' }]);
    end(fixture, request);
    expect(request.state).toBe('open');
    fixture.timeline.advance(1_000);
    expect(request.state).toBe('active');
    expect(request.instanceId).not.toBe(first);
    expect(living(fixture).map((one) => [one.id, one.tags.size])).toEqual([[request.instanceId, 0]]);
  });

  test('that is cancelled first starts none', () => {
    const fixture = createFixture();
    const request = asked(fixture, { kind: 'persistent' });
    fixture.timeline.advance(6_000);
    cancelSpotRequests(fixture.region.spotRequests, [request.id]);
    end(fixture, request);
    fixture.timeline.advance(hour);
    expect(living(fixture)).toEqual([]);
  });

  test('has no end of its own', () => {
    const fixture = createFixture();
    fixture.world.capacity.set(place, 0);
    const request = asked(fixture, { kind: 'persistent' });
    fixture.timeline.advance(30 * 24 * hour);
    expect(request.state).toBe('open');
  });

  test('is disabled while its instance is stopped; ending that one opens it again', () => {
    const fixture = createFixture();
    const request = asked(fixture, { kind: 'persistent', interruption: 'stop' });
    fixture.timeline.advance(6_000);
    const ids = [request.instanceId ?? ''];
    fixture.region.power.stop(ids);
    expect(request).toMatchObject({ state: 'disabled', status: 'instance-stopped-by-user' });
    fixture.timeline.advance(2_000);
    fixture.region.power.start(ids);
    expect(request).toMatchObject({ state: 'active', status: 'fulfilled' });
    fixture.timeline.advance(6_000);
    fixture.region.power.stop(ids);
    fixture.timeline.advance(2_000);
    end(fixture, request);
    fixture.timeline.advance(1_000);
    expect(request.state).toBe('active');
    expect(request.instanceId).not.toBe(ids[0]);
  });
});

describe('too many open requests', () => {
  test('lock out further requests and spot launches, but no on-demand ones, until they are cancelled', () => {
    const { region, world, timeline } = createFixture();
    world.capacity.set(place, 0);
    const requests = region.spotMarket.request(order({ count: OPEN_AT_MOST - 1 }));
    expect(codeOf(() => region.spotMarket.request(order({ count: 2 })))).toBe('MaxSpotInstanceCountExceeded');
    expect(codeOf(() => region.spotMarket.request(order()))).toBe('done');
    expect(codeOf(() => region.spotMarket.request(order()))).toBe('MaxSpotInstanceCountExceeded');
    const elsewhere = { zone: 'eu-central-1b' };
    expect(codeOf(() => region.runInstances(ask({ ...elsewhere, spot: spot() })))).toBe(
      'MaxSpotInstanceCountExceeded',
    );
    expect(codeOf(() => region.runInstances(ask(elsewhere)))).toBe('done');
    timeline.advance(1_000);
    cancelSpotRequests(region.spotRequests, [requests[0]?.id ?? '']);
    expect(codeOf(() => region.runInstances(ask({ ...elsewhere, spot: spot() })))).toBe('done');
  });
});

describe('spot requests that EC2 refuses', () => {
  const soon = Date.UTC(2026, 0, 5, 10);
  test.each<[string, Partial<SpotOrder>, string]>([
    ['none at all', { count: 0 }, 'InvalidParameterValue'],
    ['a kind that is none', { kind: 'now and then' }, 'InvalidParameterValue'],
    ['an interruption that is none', { interruption: 'explode' }, 'InvalidParameterValue'],
    ['a one-time request that stops', { interruption: 'stop' }, 'InvalidParameterCombination'],
    ['a beginning in the past', { validFrom: 1 }, 'InvalidParameterValue'],
    ['an end in the past', { validUntil: 1 }, 'InvalidParameterValue'],
    ['an end before the beginning', { validFrom: soon, validUntil: soon }, 'InvalidParameterValue'],
    ['tags on the instance', { tags: [{ resource: 'instance', tags: [] }] }, 'InvalidParameterValue'],
    ['no image', { wish: ask({ imageId: null, spot: spot() }) }, 'MissingParameter'],
    ['a price that is none', { wish: ask({ spot: spot('cheap') }) }, 'InvalidParameterValue'],
    ['a type that cannot be', { wish: ask({ type: 'm5.huge', spot: spot() }) }, 'InvalidParameterValue'],
    ['a duration', { wish: ask({ spot: { ...spot(), blockMinutes: 60 } }) }, 'InvalidParameterValue'],
  ])('%s', (_what, wish, code) => {
    const fixture = createFixture();
    expect(codeOf(() => asked(fixture, wish))).toBe(code);
    expect(fixture.world.spotRequests()).toEqual([]);
  });
});
