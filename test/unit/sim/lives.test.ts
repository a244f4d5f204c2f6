import { describe, expect, test } from 'vitest';
import { describeSpotRequests } from '../../../src/sim/spot-requests.ts';
import { ask, codeOf, createFixture, one, query, spot } from './sim-fixture.ts';

const byId = (id: string) => query({ ids: [id] });

describe('the life of an instance', () => {
  test('it is pending, then running, then its host answers', () => {
    const { region, timeline, hosts } = createFixture();
    const instance = one(region.runInstances(ask()));
    expect(instance).toMatchObject({ state: 'pending', publicAddress: null, hostUp: false });
    expect(instance.address).toBe('10.0.0.0');
    timeline.advance(2_999);
    expect(instance.state).toBe('pending');
    timeline.advance(1);
    expect(instance).toMatchObject({ state: 'running', publicAddress: '10.0.0.0', hostUp: false });
    timeline.advance(2_000);
    expect(hosts).toEqual([`up ${instance.id}`]);
  });

  test('one without a public address never gets one', () => {
    const { region, timeline } = createFixture();
    const card = { subnetId: null, groupIds: [], publicAddress: false };
    const instance = one(region.runInstances(ask({ card })));
    timeline.advance(10_000);
    expect(instance).toMatchObject({ state: 'running', publicAddress: null });
  });

  test('a new one is not known by id or listed for a moment', () => {
    const { region, timeline } = createFixture();
    const { id } = one(region.runInstances(ask()));
    timeline.advance(499);
    expect(codeOf(() => region.instances.describe(byId(id)))).toBe('InvalidInstanceID.NotFound');
    expect(codeOf(() => region.terminateInstances([id]))).toBe('InvalidInstanceID.NotFound');
    expect(region.instances.describe(query()).things).toEqual([]);
    timeline.advance(1);
    expect(region.instances.describe(byId(id)).things).toHaveLength(1);
  });

  test('terminating goes through shutting-down and frees address and capacity at its end', () => {
    const { region, timeline, hosts, free, world } = createFixture({ addresses: 1 });
    world.capacity.set({ type: 'm5.large', zone: 'eu-central-1a', market: null }, 1);
    const instance = one(region.runInstances(ask({ zone: 'eu-central-1a' })));
    timeline.advance(5_000);
    expect(region.terminateInstances([instance.id])).toEqual([
      { id: instance.id, before: 'running', after: 'shutting-down' },
    ]);
    expect(hosts).toEqual([`up ${instance.id}`, `down ${instance.id}`]);
    expect(codeOf(() => region.runInstances(ask({ zone: 'eu-central-1a' })))).toBe(
      'InsufficientInstanceCapacity',
    );
    timeline.advance(2_000);
    expect(instance).toMatchObject({ state: 'terminated', address: null, terminatedAt: timeline.now() });
    expect(free).toEqual(['10.0.0.0']);
    expect(codeOf(() => region.runInstances(ask({ zone: 'eu-central-1a' })))).toBe('done');
  });

  test('one that is terminated while pending never runs', () => {
    const { region, timeline, hosts } = createFixture();
    const instance = one(region.runInstances(ask()));
    timeline.advance(1_000);
    region.terminateInstances([instance.id]);
    timeline.advance(20_000);
    expect(instance).toMatchObject({ state: 'terminated', publicAddress: null });
    expect(hosts).toEqual([]);
  });

  test('a terminated one stays listed for a while, then is unknown', () => {
    const { region, timeline } = createFixture();
    const { id } = one(region.runInstances(ask()));
    timeline.advance(5_000);
    region.terminateInstances([id]);
    timeline.advance(61_999);
    expect(region.instances.describe(byId(id)).things[0]?.state).toBe('terminated');
    timeline.advance(1);
    expect(codeOf(() => region.instances.describe(byId(id)))).toBe('InvalidInstanceID.NotFound');
  });

  test('terminating twice is no error and changes nothing', () => {
    const { region, timeline } = createFixture();
    const instance = one(region.runInstances(ask()));
    timeline.advance(5_000);
    region.terminateInstances([instance.id]);
    const asked = instance.endingAt;
    timeline.advance(1_000);
    expect(region.terminateInstances([instance.id, instance.id])).toEqual([
      { id: instance.id, before: 'shutting-down', after: 'shutting-down' },
    ]);
    expect(instance.endingAt).toBe(asked);
  });

  test('one unknown id and none of the call ends', () => {
    const { region, timeline } = createFixture();
    const instance = one(region.runInstances(ask()));
    timeline.advance(5_000);
    const ids = [instance.id, 'i-0123456789abcdef0'];
    expect(codeOf(() => region.terminateInstances(ids))).toBe('InvalidInstanceID.NotFound');
    expect(codeOf(() => region.terminateInstances([instance.id, 'i-x']))).toBe('InvalidInstanceID.Malformed');
    expect(instance.state).toBe('running');
  });

  test('a server-side state reason ends it straight from pending', () => {
    const { region, timeline, world, free } = createFixture({ addresses: 1 });
    world.faults.set({ code: 'Server.InsufficientInstanceCapacity', rate: 1, action: null });
    const instance = one(region.runInstances(ask({ spot: spot() })));
    timeline.advance(3_000);
    expect(instance).toMatchObject({
      state: 'terminated',
      stateReason: { code: 'Server.InsufficientInstanceCapacity' },
    });
    expect(free).toHaveLength(1);
    expect(region.spotRequests.find(instance.spotRequest ?? '')).toMatchObject({
      state: 'closed',
      status: 'instance-terminated-no-capacity',
    });
  });

  test('a host that never boots leaves its instance running, and the console says so', () => {
    const { region, timeline, world, hosts } = createFixture();
    world.faults.set({ code: 'never-boots', rate: 1, action: null });
    const { id } = one(region.runInstances(ask()));
    timeline.advance(4_999);
    expect(region.instances.console(id)).toBeNull();
    timeline.advance(60_000);
    expect(hosts).toEqual([]);
    expect(region.instances.console(id)?.text).toContain('waiting for its network');
  });
});

describe('spot requests', () => {
  test('a spot instance has an active request that closes with it', () => {
    const { region, timeline } = createFixture();
    const tags = [{ resource: 'spot-instances-request', tags: [{ key: 'owner', value: 'me' }] }];
    const instance = one(region.runInstances(ask({ spot: spot(), tags })));
    const filters = [{ name: 'tag:owner', values: ['me'] }];
    const listed = () => describeSpotRequests(region.spotRequests, query({ filters })).things;
    timeline.advance(500);
    expect(listed()).toMatchObject([{ state: 'active', status: 'fulfilled', instanceId: instance.id }]);
    timeline.advance(5_000);
    region.terminateInstances([instance.id]);
    timeline.advance(2_000);
    expect(listed()).toMatchObject([{ state: 'closed', status: 'instance-terminated-by-user' }]);
  });

  test('an on-demand instance has none', () => {
    const { region } = createFixture();
    expect(one(region.runInstances(ask())).spotRequest).toBeNull();
    expect(region.spotRequests.all()).toEqual([]);
  });
});
