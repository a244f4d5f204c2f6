// One list of cases for the cloud port, held against the adapter on the emulated cloud (real HTTP, real time) and against the
// port that the simulated daemon meets (no HTTP, virtual time): what a seed proves holds on the wire, and the other way round.
import { describe, expect, onTestFinished, test } from 'vitest';
import { buildRequest } from '../../src/domain/build-request.ts';
import type { CloudSite, LaunchSpec } from '../../src/domain/config.ts';
import { TAG } from '../../src/domain/instance.ts';
import { MINUTE_MS, SECOND_MS } from '../../src/domain/units.ts';
import type { Cloud, LaunchAnswer } from '../../src/ports/cloud.ts';
import { createSeeded } from '../../src/sim/seeded.ts';
import { createVirtualTimeline } from '../../src/sim/timeline.ts';
import { createWorld, realTiming, type World } from '../../src/sim/world.ts';
import { createNetworkLine } from '../../src/simulator/daemon/network-line.ts';
import { createProcessLife } from '../../src/simulator/daemon/process-life.ts';
import { createSimCloud } from '../../src/simulator/daemon/sim-cloud.ts';
import type { CallTrouble } from '../../src/simulator/daemon/sim-wire.ts';
import { createHostPark } from '../../src/simulator/hosts/host-park.ts';
import { drive } from '../../src/simulator/time/drive.ts';
import { createVirtualClock } from '../../src/simulator/time/virtual-clock.ts';
import { startCloudStage } from '../support/cloud-stage.ts';
import { SIM_START } from '../support/sim-stage.ts';
import { forever, keepingLog, launchSpec, siteAt } from '../unit/adapters/aws/specimens.ts';

type Side = {
  cloud: Cloud;
  world: World;
  site: CloudSite;
  spec: LaunchSpec;
  now(): number;
  /** Awaits it while the side's time goes on. */
  within<T>(asked: Promise<T>): Promise<T>;
  pass(ms: number): Promise<unknown>;
  /** Simulated side only: what goes wrong with the next call of that action. */
  trouble: Map<string, CallTrouble>;
};

async function emulated(): Promise<Side> {
  const stage = await startCloudStage();
  return {
    cloud: stage.cloud,
    world: stage.emulator.world,
    site: stage.site,
    spec: stage.spec,
    now: () => stage.clock.now(),
    within: (asked) => asked,
    pass: (ms) => stage.clock.sleep(Math.min(ms, 800)),
    trouble: new Map(),
  };
}

async function simulated(): Promise<Side> {
  const timeline = createVirtualTimeline(SIM_START);
  const random = createSeeded(7);
  const park = createHostPark({ timeline, random, fate: () => null, shutDown: () => undefined });
  const world = createWorld({
    timeline,
    seed: 7,
    strict: false,
    timing: realTiming,
    addresses: park.addresses,
  });
  const life = createProcessLife();
  onTestFinished(() => life.kill());
  const clock = createVirtualClock(timeline, life, { aheadMs: 0 });
  const trouble = new Map<string, CallTrouble>();
  const cloud = createSimCloud({
    world,
    clock,
    random,
    log: keepingLog(),
    line: createNetworkLine(timeline, life),
    trouble(action) {
      const wrong = trouble.get(action) ?? null;
      trouble.delete(action);
      return wrong;
    },
    onCall: () => undefined,
    onTerminate: () => undefined,
    onLaunch: () => undefined,
  });
  const site = siteAt(null);
  return {
    cloud,
    world,
    site,
    spec: launchSpec({ site, vpcId: null, subnetId: null }),
    now: () => clock.now(),
    async within(asked) {
      let isOver = false;
      const settled = asked.finally(() => {
        isOver = true;
      });
      settled.catch(() => undefined);
      await drive(timeline, timeline.now() + 10 * MINUTE_MS, () => isOver);
      return await settled;
    },
    pass: (ms) => drive(timeline, timeline.now() + ms),
    trouble,
  };
}

const types = ['m5.large', 'm6i.large', 'm5a.large'];
const zones = ['a', 'b', 'c'].map((letter) => `eu-central-1${letter}`);

/** A side with its usual words. */
function wordsOf(side: Side) {
  const { cloud, site, within, world } = side;
  const subnetIds = world
    .region('eu-central-1')
    .networks.defaultSubnets()
    .map(({ id }) => id);
  const many = { instanceTypes: types, subnetIds, market: 'spot', markets: ['spot'] } as const;
  const order = async (token: string, count: number, more: Partial<LaunchSpec> = {}) => {
    const spec = { ...side.spec, ...more };
    const request = buildRequest(spec, await within(cloud.resolve(spec, forever)), {
      userData: Buffer.from('#!/bin/sh\n').toString('base64'),
      tags: { [TAG.owner]: 'me', [TAG.manager]: 'manager-1', [TAG.launch]: token, [TAG.pool]: 'build' },
      at: side.now(),
    });
    return { token, count, request };
  };
  const launch = async (token: string, count: number, more: Partial<LaunchSpec> = {}) =>
    await within(cloud.launch(site, await order(token, count, more), forever));
  return { ...side, many, order, launch, listed: () => within(cloud.list(site, 'me', forever)) };
}

const ids = (answer: LaunchAnswer) =>
  answer.kind === 'launched' ? answer.instances.map(({ id }) => id).toSorted() : [];

describe.each([
  ['on the emulated cloud', emulated],
  ['in the simulator', simulated],
] as const)('the cloud port %s', (_where, begin) => {
  test('launches by RunInstances; the token brings the same machines again, and no others', async () => {
    const { launch, within, cloud, site, order } = wordsOf(await begin());
    const first = await launch('t-1', 3);
    expect(first).toMatchObject({ kind: 'launched', short: 0 });
    expect(ids(await launch('t-1', 3))).toEqual(ids(first));
    const other = await within(cloud.launch(site, await order('t-1', 2), forever));
    expect(other).toMatchObject({ kind: 'refused', outcome: { kind: 'token-mismatch' } });
  });

  test('launches by a fleet over one template, and says what each empty place answered', async () => {
    const { launch, many, world, cloud } = wordsOf(await begin());
    for (const type of types.slice(1))
      for (const zone of zones) world.capacity.set({ type, zone, market: 'spot' }, 0);
    const answer = await launch('t-1', 4, many);
    expect(answer).toMatchObject({ kind: 'launched', short: 0 });
    expect(answer.kind === 'launched' && answer.instances.every(({ type }) => type === 'm5.large')).toBe(
      true,
    );
    for (const zone of zones) world.capacity.set({ type: 'm5.large', zone, market: 'spot' }, 0);
    const refused = await launch('t-2', 4, many);
    expect(refused).toMatchObject({ kind: 'refused', outcome: { kind: 'insufficient-capacity' } });
    expect(refused.kind === 'refused' && refused.refusals?.length).toBe(9);
    expect(cloud.calls()).toMatchObject({ CreateFleet: 2, CreateLaunchTemplate: 1 });
  });

  test('gives a part where capacity ends', async () => {
    const { launch, many, world } = wordsOf(await begin());
    for (const type of types)
      for (const zone of zones)
        world.capacity.set({ type, zone, market: 'spot' }, type === 'm5.large' ? 1 : 0);
    const answer = await launch('t-1', 5, many);
    expect(answer).toMatchObject({ kind: 'launched', short: 2 });
    expect(ids(answer)).toHaveLength(3);
  });

  test('names a quota with its value', async () => {
    const { launch, world } = wordsOf(await begin());
    world.quotas.set({ market: 'spot', class: 'standard' }, 2);
    const spot = { market: 'spot', markets: ['spot'] } as const;
    expect(await launch('t-1', 1, spot)).toMatchObject({ kind: 'launched' });
    const answer = await launch('t-2', 1, spot);
    expect(answer).toMatchObject({ kind: 'refused', outcome: { kind: 'quota', quota: { vcpus: 2 } } });
  });

  test('opens spot requests that are filled later, and cancels them', async () => {
    const { launch, world, cloud, site, within, pass } = wordsOf(await begin());
    const spot = { market: 'spot', markets: ['spot'], way: 'spot-request' } as const;
    for (const zone of zones) world.capacity.set({ type: 'm5.large', zone, market: 'spot' }, 0);
    const answer = await launch('t-1', 2, spot);
    expect(answer).toMatchObject({ kind: 'launched', instances: [], short: 0 });
    const requests = answer.kind === 'launched' ? (answer.requests ?? []) : [];
    expect(requests).toHaveLength(2);
    await pass(5 * SECOND_MS);
    const ended = await within(cloud.cancelSpotRequests(site, requests.slice(0, 1), forever));
    expect(ended).toMatchObject([{ kind: 'done' }]);
    for (const zone of zones) world.capacity.set({ type: 'm5.large', zone, market: 'spot' }, null);
    for (let look = 0; look < 20 && world.instances().length === 0; look += 1) await pass(SECOND_MS);
    const seen = await within(cloud.listSpotRequests(site, 'me', forever));
    expect(seen.map(({ state }) => state).toSorted()).toEqual(['active', 'cancelled']);
  });

  test('ends machines, and one unknown id alone fails', async () => {
    const { launch, cloud, site, within, pass } = wordsOf(await begin());
    const [one = '', two = ''] = ids(await launch('t-1', 2));
    await pass(2 * SECOND_MS);
    const strange = 'i-0123456789abcdef0';
    const answers = await within(cloud.terminate(site, [one, strange, two], forever));
    expect(answers.map(({ kind }) => kind)).toEqual(['accepted', 'failed', 'accepted']);
    expect(await within(cloud.terminate(site, [one], forever))).toMatchObject([{ kind: 'accepted' }]);
  });

  test('finds its launch template among the leftovers, and removes it', async () => {
    const { launch, many, cloud, site, within } = wordsOf(await begin());
    await launch('t-1', 1, many);
    const found = await within(cloud.listLeftovers(site, 'me', forever));
    expect(found.map(({ kind }) => kind)).toEqual(['launch-template']);
    expect(await within(cloud.removeLeftovers(site, found, forever))).toMatchObject([{ kind: 'done' }]);
    expect(await within(cloud.listLeftovers(site, 'me', forever))).toEqual([]);
  });

  test('knows the spot price of each place', async () => {
    const { cloud, site, within, world } = wordsOf(await begin());
    world.prices.set({ type: 'm5.large', zone: 'eu-central-1b' }, 0.0123);
    const offering = { type: 'm5.large', zone: 'eu-central-1b', market: 'spot' } as const;
    const prices = await within(cloud.prices(site, { offerings: [offering], own: null }, forever));
    expect([...prices.values()]).toMatchObject([{ usdPerHour: 0.0123 }]);
  });
});

describe('the simulated wire', () => {
  test('a lost answer of a fleet is unknown, and the token finds its machines', async () => {
    const side = wordsOf(await simulated());
    side.trouble.set('CreateFleet', 'lost-answer');
    expect(await side.launch('t-1', 3, side.many)).toMatchObject({ kind: 'unknown' });
    expect(side.world.instances()).toHaveLength(3);
    const again = await side.launch('t-1', 3, side.many);
    expect(ids(again)).toEqual(
      side.world
        .instances()
        .map(({ id }) => id)
        .toSorted(),
    );
  });

  test.each([
    ['throttled', { kind: 'refused', outcome: { kind: 'throttled' } }, 0],
    ['failed', { kind: 'unknown' }, 0],
    ['duplicated', { kind: 'launched' }, 2],
  ] as const)('a %s launch', async (trouble, expected, machines) => {
    const side = wordsOf(await simulated());
    side.trouble.set('RunInstances', trouble);
    expect(await side.launch('t-1', 2)).toMatchObject(expected);
    expect(side.world.instances()).toHaveLength(machines);
  });
});
