// docker-machine over EC2: the calls it makes, what it leaves behind, how it fares under limits.
import { describe, expect, test } from 'vitest';
import { drive } from '../../../../src/sim/drive.ts';
import { createLedger } from '../../../../src/sim/ledger.ts';
import { createDockerMachine } from '../../../../src/sim/peer/docker-machine.ts';
import type { PeerFlavourName } from '../../../../src/sim/peer/peer-flavour.ts';
import type { Market } from '../../../../src/sim/run-request.ts';
import type { Signal, ToolCall } from '../../../../src/sim/runner/machine-tool.ts';
import { createVirtualTimeline } from '../../../../src/sim/timeline.ts';
import { createWorld, realTiming } from '../../../../src/sim/world.ts';
import { MONDAY } from './peer-file.ts';

const ZONE = 'eu-central-1a';

function machines(flavour: PeerFlavourName, market: Market = 'on-demand') {
  const timeline = createVirtualTimeline(MONDAY);
  let address = 0;
  const world = createWorld({
    timeline,
    seed: 1,
    strict: false,
    timing: realTiming,
    addresses: { take: () => `10.1.${(address += 1) >> 8}.${address & 255}`, give: () => undefined },
    hosts: {
      hostUp: (instance) => tool.hostChanged(instance),
      hostDown: (instance) => tool.hostChanged(instance),
    },
  });
  const ledger = createLedger(timeline.now, world.prices);
  const tool = createDockerMachine({
    timeline,
    seed: 2,
    world,
    region: 'eu-central-1',
    ledger,
    flavour,
    launch: () => ({ type: 'm5.large', zone: ZONE, market, maxPrice: null }),
  });
  /** A call that can be hit by a signal. */
  const spawned = () => {
    const listeners: ((signal: Signal) => void)[] = [];
    const call: ToolCall = {
      parent: 1,
      parentGone: () => false,
      onParentGone: () => () => undefined,
      onSignal(listener) {
        listeners.push(listener);
        return () => undefined;
      },
    };
    return { call, hit: (signal: Signal) => listeners.forEach((listener) => listener(signal)) };
  };
  const done = async <T>(work: Promise<T>, seconds = 3_600): Promise<T | 'unfinished'> => {
    let answer: T | 'unfinished' = 'unfinished';
    void work.then((value) => {
      answer = value;
    });
    await drive(timeline, timeline.now() + seconds * 1_000, () => answer !== 'unfinished');
    return answer;
  };
  return {
    timeline,
    world,
    ledger,
    tool,
    spawned,
    done,
    create: (name: string) => tool.create(name, spawned().call, 'glrt-a'),
    pass: (seconds: number) => drive(timeline, timeline.now() + seconds * 1_000),
    running: () => world.instances().filter(({ endingAt }) => endingAt === null).length,
  };
}

describe('the calls of one create', () => {
  test.each([
    ['gitlab', 'on-demand', 11, 18],
    ['gitlab', 'spot', 12, 18],
    ['upstream', 'on-demand', 34, 50],
    ['upstream', 'spot', 37, 50],
    ['bare', 'on-demand', 1, 1],
  ] as const)('of %s as %s are %i to %i', async (flavour, market, least, most) => {
    const peer = machines(flavour, market);
    expect(await peer.done(peer.create('one'))).toBe(true);
    const { calls, callsByAction } = peer.ledger.totals();
    expect(calls).toBeGreaterThanOrEqual(least);
    expect(calls).toBeLessThanOrEqual(most);
    expect(
      callsByAction[flavour === 'upstream' && market === 'spot' ? 'RequestSpotInstances' : 'RunInstances'],
    ).toBe(1);
  });

  test('take EC2’s boot, the sleeps between looks and the setting up', async () => {
    for (const [flavour, least, most] of [
      ['bare', 25, 25.1],
      ['upstream', 38, 52],
      ['gitlab', 38, 75],
    ] as const) {
      const peer = machines(flavour);
      await peer.done(peer.create('one'));
      const seconds = (peer.timeline.now() - MONDAY) / 1_000;
      expect(seconds).toBeGreaterThan(least);
      expect(seconds).toBeLessThan(most);
    }
  });

  test('of a job and a removal add up to what was counted', async () => {
    const peer = machines('gitlab');
    await peer.done(peer.create('one'));
    const before = peer.ledger.totals().calls;
    const { call } = peer.spawned();
    expect(await peer.done(peer.tool.config('one', call))).toBe(true);
    expect(await peer.done(peer.tool.config('one', call))).toBe(true);
    expect(await peer.done(peer.tool.url('one', call))).toMatch(/^tcp:\/\/10\.1\.0\.1:2376$/);
    expect(await peer.done(peer.tool.storePath('one', call))).toBe(true);
    expect(peer.ledger.totals().calls - before).toBe(3);
    expect(await peer.done(peer.tool.inspect('one', call))).toBe(true);
    await peer.done(peer.tool.stop('one', call));
    expect(await peer.done(peer.tool.remove('one', 'y', call))).toBe(true);
    const ending = peer.ledger.totals().calls - before - 3;
    expect(ending).toBeGreaterThanOrEqual(5);
    expect(ending).toBeLessThanOrEqual(12);
    expect([peer.tool.names(), peer.running()]).toEqual([[], 0]);
  });

  test('of a removal are four for a spot machine, which cannot be stopped', async () => {
    const peer = machines('gitlab', 'spot');
    await peer.done(peer.create('one'));
    const before = peer.ledger.totals().calls;
    const { call } = peer.spawned();
    expect(await peer.done(peer.tool.stop('one', call))).toBe(false);
    expect(await peer.done(peer.tool.remove('one', 'y', call))).toBe(true);
    expect(peer.ledger.totals().calls - before).toBe(4);
  });
});

describe('a create that is killed', () => {
  test('leaves a ghost in the store, and an instance that nobody knows', async () => {
    const peer = machines('gitlab');
    const { call, hit } = peer.spawned();
    const made = peer.tool.create('one', call, 'glrt-a');
    await peer.pass(3);
    hit('QUIT');
    expect(await peer.done(made)).toBe(false);
    expect(peer.tool.names()).toEqual(['one']);
    expect(peer.tool.instanceOf('one')).toBeNull();
    await peer.pass(600);
    expect(await peer.done(peer.tool.remove('one', 'y', peer.spawned().call))).toBe(true);
    expect([peer.tool.names(), peer.running()]).toEqual([[], 1]);
  });

  test('before its launch leaves the folder alone', async () => {
    const peer = machines('gitlab');
    const { call, hit } = peer.spawned();
    const made = peer.tool.create('one', call, 'glrt-a');
    await peer.pass(0.3);
    hit('KILL');
    await peer.done(made);
    await peer.pass(600);
    expect([peer.tool.names(), peer.running()]).toEqual([['one'], 0]);
  });

  test('is written again by a create whose folder was removed meanwhile', async () => {
    const peer = machines('gitlab');
    const made = peer.create('one');
    await peer.pass(10);
    await peer.done(peer.tool.remove('one', 'y', peer.spawned().call), 5);
    expect(peer.tool.names()).toEqual([]);
    await peer.done(made);
    expect(peer.tool.names()).toEqual(['one']);
  });
});

describe('a create that EC2 refuses', () => {
  test('fails after the SDK’s tries and leaves its folder for `rm`', async () => {
    const peer = machines('gitlab');
    peer.world.capacity.set({ type: 'm5.large', zone: ZONE, market: null }, 0);
    expect(await peer.done(peer.create('one'))).toBe(false);
    expect(peer.ledger.totals().callsByAction['RunInstances']).toBe(6);
    expect(peer.tool.hasConfig('one')).toBe(true);
    expect(await peer.done(peer.tool.remove('one', 'y', peer.spawned().call))).toBe(true);
  });

  test('as spot by request waits ten minutes, then leaves an open request that EC2 fills later', async () => {
    const peer = machines('upstream', 'spot');
    peer.world.capacity.set({ type: 'm5.large', zone: ZONE, market: null }, 0);
    expect(await peer.done(peer.create('one'))).toBe(false);
    expect((peer.timeline.now() - MONDAY) / 60_000).toBeGreaterThan(9.5);
    expect(peer.world.spotRequests().filter(({ state }) => state === 'open')).toHaveLength(1);
    await peer.done(peer.tool.remove('one', 'y', peer.spawned().call));
    peer.world.capacity.set({ type: 'm5.large', zone: ZONE, market: null }, null);
    await peer.pass(60);
    expect(peer.running()).toBe(1);
  });

  test('two hundred at once is throttled and partly fails', async () => {
    const peer = machines('gitlab');
    const made = Array.from({ length: 200 }, (_, index) => peer.create(`m${index}`));
    const answers = await peer.done(Promise.all(made));
    const good = answers === 'unfinished' ? [] : answers.filter((yes) => yes);
    expect(good.length).toBeGreaterThan(20);
    expect(good.length).toBeLessThan(200);
    const { callsByAction } = peer.ledger.totals();
    expect(callsByAction['RunInstances']).toBeGreaterThan(400);
  });
});

describe('a host that has gone', () => {
  test('answers `config` and `url` with no', async () => {
    const peer = machines('gitlab', 'spot');
    await peer.done(peer.create('one'));
    const [instance] = peer.world.instances();
    if (instance === undefined) throw new Error('no instance');
    peer.world.region('eu-central-1').instances.end(instance);
    const { call } = peer.spawned();
    expect(await peer.done(peer.tool.config('one', call))).toBe(false);
    expect(await peer.done(peer.tool.url('one', call))).toBeNull();
    expect(peer.tool.instanceAt('tcp://10.1.0.1:2376')).toBeNull();
  });
});
