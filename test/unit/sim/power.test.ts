import { describe, expect, test } from 'vitest';
import { describeStatus } from '../../../src/sim/instance-status.ts';
import { ask, codeOf, createFixture, type Fixture, one, query, spot } from './sim-fixture.ts';

const zone = 'eu-central-1a';
const unknown = 'i-0123456789abcdef0';

/** An instance that runs and answers. */
function running({ region, timeline }: Fixture, wish = {}) {
  const instance = one(region.runInstances(ask({ zone, ...wish })));
  timeline.advance(5_000);
  return instance;
}

describe('stopping', () => {
  test('silences the host, then keeps the private address and gives the rest back', () => {
    const fixture = createFixture({ addresses: 1 });
    const { region, timeline, hosts, free, world } = fixture;
    world.capacity.set({ type: 'm5.large', zone, market: null }, 1);
    const instance = running(fixture);
    expect(region.power.stop([instance.id])).toEqual([
      { id: instance.id, before: 'running', after: 'stopping' },
    ]);
    expect(hosts).toEqual([`up ${instance.id}`, `down ${instance.id}`]);
    expect(world.capacity.left('m5.large', zone, 'on-demand')).toBe(0);
    timeline.advance(2_000);
    expect(instance).toMatchObject({
      state: 'stopped',
      address: '10.0.0.0',
      publicAddress: null,
      stateReason: { code: 'Client.UserInitiatedShutdown' },
    });
    expect(world.capacity.left('m5.large', zone, 'on-demand')).toBe(1);
    expect(free).toEqual([]);
  });

  test('one that is stopped already is no error', () => {
    const fixture = createFixture();
    const instance = running(fixture);
    fixture.region.power.stop([instance.id]);
    fixture.timeline.advance(2_000);
    expect(fixture.region.power.stop([instance.id])).toEqual([
      { id: instance.id, before: 'stopped', after: 'stopped' },
    ]);
  });

  test('a one-time spot instance is refused, and nobody of the call stops', () => {
    const fixture = createFixture();
    const plain = running(fixture);
    const cheap = running(fixture, { spot: spot() });
    expect(codeOf(() => fixture.region.power.stop([plain.id, cheap.id]))).toBe('UnsupportedOperation');
    expect([plain.state, cheap.state]).toEqual(['running', 'running']);
  });

  test('one that never ran, or has ended, is refused', () => {
    const fixture = createFixture();
    const { region, timeline } = fixture;
    const fresh = one(region.runInstances(ask()));
    timeline.advance(500);
    expect(codeOf(() => region.power.stop([fresh.id]))).toBe('IncorrectInstanceState');
    region.terminateInstances([fresh.id]);
    expect(codeOf(() => region.power.stop([fresh.id]))).toBe('IncorrectInstanceState');
    expect(codeOf(() => region.power.stop([unknown]))).toBe('InvalidInstanceID.NotFound');
    expect(codeOf(() => region.power.stop([]))).toBe('MissingParameter');
  });

  test('a stopped one can be terminated, and gives nothing back twice', () => {
    const fixture = createFixture({ addresses: 1 });
    const { region, timeline, world, free } = fixture;
    world.capacity.set({ type: 'm5.large', zone, market: null }, 1);
    const instance = running(fixture);
    region.power.stop([instance.id]);
    timeline.advance(2_000);
    region.terminateInstances([instance.id]);
    timeline.advance(2_000);
    expect(instance.state).toBe('terminated');
    expect(free).toHaveLength(1);
    expect(world.capacity.left('m5.large', zone, 'on-demand')).toBe(1);
  });

  test('one that is terminated while it stops never becomes stopped', () => {
    const fixture = createFixture();
    const instance = running(fixture);
    fixture.region.power.stop([instance.id]);
    fixture.timeline.advance(1_000);
    fixture.region.terminateInstances([instance.id]);
    fixture.timeline.advance(1_500);
    expect(instance.state).toBe('shutting-down');
    fixture.timeline.advance(500);
    expect(instance.state).toBe('terminated');
  });
});

describe('starting', () => {
  test('a stopped one boots again, with the same private address', () => {
    const fixture = createFixture();
    const { region, timeline, hosts } = fixture;
    const instance = running(fixture);
    region.power.stop([instance.id]);
    timeline.advance(10_000);
    const at = timeline.now();
    expect(region.power.start([instance.id])).toEqual([
      { id: instance.id, before: 'stopped', after: 'pending' },
    ]);
    expect(instance).toMatchObject({ startedAt: at, stateReason: null, address: '10.0.0.0' });
    timeline.advance(5_000);
    expect(instance).toMatchObject({ state: 'running', publicAddress: '10.0.0.0' });
    expect(hosts).toEqual(['up', 'down', 'up'].map((word) => `${word} ${instance.id}`));
  });

  test('one that runs is no error; one that is still stopping is', () => {
    const fixture = createFixture();
    const instance = running(fixture);
    const start = () => fixture.region.power.start([instance.id]);
    expect(start()).toEqual([{ id: instance.id, before: 'running', after: 'running' }]);
    fixture.region.power.stop([instance.id]);
    expect(codeOf(start)).toBe('IncorrectInstanceState');
  });

  test('without capacity none of the call starts', () => {
    const fixture = createFixture();
    const { region, timeline, world } = fixture;
    const some = [running(fixture), running(fixture)];
    const ids = some.map((instance) => instance.id);
    region.power.stop(ids);
    timeline.advance(2_000);
    world.capacity.set({ type: 'm5.large', zone, market: null }, 1);
    expect(codeOf(() => region.power.start(ids))).toBe('InsufficientInstanceCapacity');
    expect(some.map((instance) => instance.state)).toEqual(['stopped', 'stopped']);
    expect(codeOf(() => region.power.start(ids.slice(1)))).toBe('done');
  });

  test('a reboot leaves all as it is, and is refused for one that does not run', () => {
    const fixture = createFixture();
    const instance = running(fixture);
    expect(codeOf(() => fixture.region.power.reboot([instance.id]))).toBe('done');
    expect(instance.state).toBe('running');
    fixture.region.power.stop([instance.id]);
    expect(codeOf(() => fixture.region.power.reboot([instance.id]))).toBe('IncorrectInstanceState');
  });
});

describe('protection', () => {
  test('keeps a whole zone from being terminated; other zones end', () => {
    const fixture = createFixture();
    const [kept, beside] = [running(fixture), running(fixture)];
    const other = running(fixture, { zone: 'eu-central-1b' });
    kept.protected = true;
    const call = () => fixture.region.terminateInstances([kept.id, beside.id, other.id]);
    expect(codeOf(call)).toBe('OperationNotPermitted');
    expect([kept, beside, other].map(({ state }) => state)).toEqual(['running', 'running', 'shutting-down']);
    kept.protected = false;
    expect(codeOf(call)).toBe('done');
  });
});

describe('status checks', () => {
  const healthOf = ({ region }: Fixture, all = false) =>
    describeStatus(region.instances, query(), all).things.map(({ health }) => health);

  test('are passed when the host answers, and only of running ones unless all are asked for', () => {
    const fixture = createFixture();
    const { region, timeline } = fixture;
    const instance = one(region.runInstances(ask()));
    timeline.advance(1_000);
    expect(healthOf(fixture)).toEqual([]);
    expect(healthOf(fixture, true)).toEqual(['not-applicable']);
    timeline.advance(2_000);
    expect(healthOf(fixture)).toEqual(['initializing']);
    timeline.advance(2_000);
    expect(healthOf(fixture)).toEqual(['ok']);
    region.terminateInstances([instance.id]);
    expect(healthOf(fixture, true)).toEqual(['not-applicable']);
  });

  test('fail for a host that never boots', () => {
    const fixture = createFixture();
    fixture.world.faults.set({ code: 'never-boots', rate: 1, action: null });
    running(fixture);
    expect(healthOf(fixture)).toEqual(['impaired']);
    const filters = [{ name: 'instance-status.status', values: ['ok'] }];
    expect(describeStatus(fixture.region.instances, query({ filters }), false).things).toEqual([]);
  });
});
