// The two sides of the contract suite that stand on our own model of EC2: the adapter on the emulated cloud (real HTTP, real
// time), and the port that the simulated daemon meets (no HTTP, virtual time). Both end with the test.
import { onTestFinished } from 'vitest';
import { createNotices } from '../../../src/adapters/aws/create-notices.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { createEventQueues } from '../../../src/emulator/event-queues.ts';
import type { Cloud } from '../../../src/ports/cloud.ts';
import { createSeeded } from '../../../src/sim/seeded.ts';
import { createVirtualTimeline } from '../../../src/sim/timeline.ts';
import { NOTICE_MS } from '../../../src/sim/unasked-ends.ts';
import { createWorld, realTiming, type World } from '../../../src/sim/world.ts';
import { createNetworkLine } from '../../../src/simulator/daemon/network-line.ts';
import { createProcessLife } from '../../../src/simulator/daemon/process-life.ts';
import { createSimCloud } from '../../../src/simulator/daemon/sim-cloud.ts';
import { createSimNotices } from '../../../src/simulator/daemon/sim-notices.ts';
import type { CallTrouble } from '../../../src/simulator/daemon/sim-wire.ts';
import { createHostPark } from '../../../src/simulator/hosts/host-park.ts';
import { drive } from '../../../src/simulator/time/drive.ts';
import { createVirtualClock } from '../../../src/simulator/time/virtual-clock.ts';
import { keepingLog, launchSpec, siteAt } from '../../unit/adapters/aws/specimens.ts';
import { startCloudStage } from '../cloud-stage.ts';
import { SIM_START } from '../sim-stage.ts';
import { type CloudSide, type SideOptions, type Steering, wordsOf } from './side.ts';

/** Machines of one launch call of `fill`; EC2 lets an account begin 1,000 at once and two a second from then on. */
const FILL_BY = 500;

const imageOfAll = 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';

const steering = (world: World): Steering => ({
  capacity: (offering, count) => world.capacity.set(offering, count),
  quota: (market, vcpus) => world.quotas.set({ market, class: 'standard' }, vcpus),
  price: (place, usd) => world.prices.set(place, usd),
  tell: async (what, id) => {
    const found = world.find(id);
    if (found === null) throw new Error(`no instance ${id}`);
    const { unaskedEnds } = found.region;
    if (what === 'reclaim') unaskedEnds.reclaim(found.instance, NOTICE_MS);
    else unaskedEnds.advise(found.instance);
    await Promise.resolve();
  },
});

const subnetsOf = (world: World) =>
  world
    .region('eu-central-1')
    .networks.defaultSubnets()
    .map(({ id }) => id)
    .slice(0, 3);

const fillBy = (side: CloudSide) => async (count: number) => {
  const { launch, until } = wordsOf(side);
  for (let from = 0; from < count; from += FILL_BY)
    await until(
      () => launch(`fill-${from}`, Math.min(FILL_BY, count - from)),
      ({ kind }) => kind === 'launched',
    );
};

/** hostler's adapter on the emulated cloud. */
export async function emulatedSide({
  unseenMs = 100,
}: SideOptions = {}): Promise<CloudSide & { world: World }> {
  const stage = await startCloudStage({ unseenMs, strict: true }, { ami: imageOfAll });
  const notices = createNotices({ clock: stage.clock });
  onTestFinished(() => notices.close());
  const { world, endpoint } = stage.emulator;
  const side: CloudSide & { world: World } = {
    cloud: stage.cloud,
    notices,
    queueUrl: `${endpoint}/123456789012/hostler`,
    world,
    site: stage.site,
    spec: stage.spec,
    subnetIds: subnetsOf(world),
    set: steering(world),
    now: () => stage.clock.now(),
    pass: () => stage.clock.sleep(100),
    fill: async (count) => await fillBy(side)(count),
  };
  return side;
}

export type SimulatedSide = CloudSide & {
  world: World;
  /** What goes wrong with the next call of that action. */
  trouble: Map<string, CallTrouble>;
};

/** The port as the simulated daemon has it. */
export async function simulatedSide({ unseenMs = 1_000 }: SideOptions = {}): Promise<SimulatedSide> {
  const timeline = createVirtualTimeline(SIM_START);
  const random = createSeeded(7);
  const park = createHostPark({ timeline, random, fate: () => null, shutDown: () => undefined });
  const timing = { ...realTiming, unseenMs };
  const world = createWorld({ timeline, seed: 7, strict: true, timing, addresses: park.addresses });
  const life = createProcessLife();
  onTestFinished(() => life.kill());
  const clock = createVirtualClock(timeline, life, { aheadMs: 0 });
  const line = createNetworkLine(timeline, life);
  const trouble = new Map<string, CallTrouble>();
  const cloud = createSimCloud({
    world,
    clock,
    random,
    line,
    log: keepingLog(),
    trouble(action) {
      const wrong = trouble.get(action) ?? null;
      trouble.delete(action);
      return wrong;
    },
    onCall: () => undefined,
    onTerminate: () => undefined,
    onLaunch: () => undefined,
  });
  /** Awaits it while virtual time goes on. */
  async function within<T>(asked: Promise<T>): Promise<T> {
    let isOver = false;
    const settled = asked.finally(() => {
      isOver = true;
    });
    settled.catch(() => undefined);
    await drive(timeline, timeline.now() + 10 * MINUTE_MS, () => isOver);
    return await settled;
  }
  const notices = createSimNotices(createEventQueues(world, timeline), line);
  const site = siteAt(null);
  const side: SimulatedSide = {
    cloud: drivenBy(cloud, within),
    notices: {
      poll: async (queue, signal) => {
        const batch = await within(notices.poll(queue, signal));
        return { ...batch, acknowledge: async (later) => await within(batch.acknowledge(later)) };
      },
    },
    queueUrl: 'https://sqs.eu-central-1.amazonaws.com/123456789012/hostler',
    world,
    site,
    spec: launchSpec({ site, vpcId: null, subnetId: null, ami: imageOfAll }),
    subnetIds: subnetsOf(world),
    set: steering(world),
    now: () => clock.now(),
    pass: () => drive(timeline, timeline.now() + SECOND_MS),
    fill: async (count) => await fillBy(side)(count),
    trouble,
  };
  return await Promise.resolve(side);
}

/** The port whose promises drive virtual time until they settle. */
function drivenBy(port: Cloud, within: <V>(asked: Promise<V>) => Promise<V>): Cloud {
  return new Proxy(port, {
    get(target, name, self) {
      const found: unknown = Reflect.get(target, name, self);
      if (typeof found !== 'function') return found;
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(found, target, args);
        return answer instanceof Promise ? within(answer) : answer;
      };
    },
  });
}
