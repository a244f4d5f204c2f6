import { describe, expect, test } from 'vitest';
import { NOTICE_MS } from '../../../src/sim/unasked-ends.ts';
import { ask, createFixture, type Fixture, one, spot } from './sim-fixture.ts';

const zone = 'eu-central-1a';

/** An instance that runs and answers. */
function running({ region, timeline }: Fixture, wish = {}) {
  const instance = one(region.runInstances(ask({ zone, ...wish })));
  timeline.advance(5_000);
  return instance;
}
const requestOf = ({ region }: Fixture, id: string | null) => region.spotRequests.find(id ?? '');

describe('a host that powers itself off', () => {
  test('ends its instance where that was asked for, with a reason of its own', () => {
    const fixture = createFixture();
    const instance = running(fixture, { shutdown: 'terminate' });
    fixture.region.unaskedEnds.hostOff(instance);
    expect(instance).toMatchObject({
      state: 'shutting-down',
      stateReason: { code: 'Client.InstanceInitiatedShutdown' },
    });
    fixture.timeline.advance(2_000);
    expect(instance).toMatchObject({ state: 'terminated', address: null });
    expect(fixture.hosts).toEqual([`up ${instance.id}`, `down ${instance.id}`]);
  });

  test('stops its instance otherwise, which can be started again', () => {
    const fixture = createFixture();
    const instance = running(fixture, { shutdown: 'stop' });
    fixture.region.unaskedEnds.hostOff(instance);
    fixture.timeline.advance(2_000);
    expect(instance).toMatchObject({
      state: 'stopped',
      stateReason: { code: 'Client.InstanceInitiatedShutdown' },
    });
    fixture.region.power.start([instance.id]);
    fixture.timeline.advance(5_000);
    expect(instance).toMatchObject({ state: 'running', stateReason: null });
  });

  test('ends a one-time spot instance whatever was asked for, and its request', () => {
    const fixture = createFixture();
    const instance = running(fixture, { shutdown: 'stop', spot: spot() });
    fixture.region.unaskedEnds.hostOff(instance);
    fixture.timeline.advance(2_000);
    expect(instance.state).toBe('terminated');
    expect(requestOf(fixture, instance.spotRequest)).toMatchObject({
      state: 'closed',
      status: 'instance-terminated-by-user',
    });
  });

  test('changes nothing for an instance that is ending already', () => {
    const fixture = createFixture();
    const instance = running(fixture);
    fixture.region.terminateInstances([instance.id]);
    fixture.region.unaskedEnds.hostOff(instance);
    expect(instance.stateReason?.code).toBe('Client.UserInitiatedShutdown');
  });
});

describe('a spot instance that EC2 takes back', () => {
  test('runs for two minutes more while its request shows the end already', () => {
    const fixture = createFixture();
    const instance = running(fixture, { spot: spot() });
    const begun = fixture.timeline.now();
    expect(fixture.region.unaskedEnds.reclaim(instance, NOTICE_MS)).toBe(true);
    expect(instance).toMatchObject({ state: 'running', stateReason: null, reclaimAt: begun + 120_000 });
    const closed = { state: 'closed', status: 'instance-terminated-no-capacity' };
    expect(requestOf(fixture, instance.spotRequest)).toMatchObject(closed);
    fixture.timeline.advance(119_999);
    expect(instance.state).toBe('running');
    fixture.timeline.advance(1);
    expect(instance).toMatchObject({
      state: 'shutting-down',
      stateReason: { code: 'Server.SpotInstanceTermination' },
    });
    fixture.timeline.advance(2_000);
    expect(instance.state).toBe('terminated');
    expect(requestOf(fixture, instance.spotRequest)).toMatchObject(closed);
  });

  test('that its owner ends meanwhile ends as the owner wished', () => {
    const fixture = createFixture();
    const instance = running(fixture, { spot: spot() });
    fixture.region.unaskedEnds.reclaim(instance, 10_000);
    fixture.region.terminateInstances([instance.id]);
    fixture.timeline.advance(20_000);
    expect(instance).toMatchObject({
      state: 'terminated',
      stateReason: { code: 'Client.UserInitiatedShutdown' },
    });
  });

  test('is told once; on-demand instances and those that do not run are never taken back', () => {
    const fixture = createFixture();
    const { unaskedEnds } = fixture.region;
    const cheap = running(fixture, { spot: spot() });
    expect([unaskedEnds.reclaim(cheap, 5_000), unaskedEnds.reclaim(cheap, 5_000)]).toEqual([true, false]);
    expect(unaskedEnds.reclaim(running(fixture), 5_000)).toBe(false);
    const ended = running(fixture, { spot: spot() });
    fixture.region.terminateInstances([ended.id]);
    expect(unaskedEnds.reclaim(ended, 5_000)).toBe(false);
  });
});
