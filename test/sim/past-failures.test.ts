// What the simulator once found broken in hostler, each as a story of its own.
import { describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../src/domain/units.ts';
import type { SimHost } from '../../src/simulator/hosts/sim-host.ts';
import { type SimStory, simConfig, simStory } from '../support/sim-stage.ts';

function enqueue({ stage }: SimStory, count: number, minutes: number): void {
  for (let job = 0; job < count; job += 1) stage.gitlab.enqueue({ durationMs: minutes * MINUTE_MS });
}

function running({ stage }: SimStory): number {
  return stage.jobHosts.count();
}

function hostWithJob({ stage }: SimStory): SimHost {
  const host = [...stage.park.all()].find(({ instance }) => stage.jobHosts.jobsOn(instance.id).length > 0);
  if (host === undefined) throw new Error('no job runs');
  return host;
}

/** The daemon ends and finds no database at its next start. */
function loseDatabase({ stage }: SimStory): void {
  stage.daemon.crash(null);
  stage.daemon.disk.erase();
  stage.daemon.start();
}

describe('a lost database', () => {
  test('brings no machines beyond the limit while those that stand are not taken back yet', async () => {
    const story = await simStory({ limit: 5 });
    enqueue(story, 5, 60);
    await story.until('five jobs to run', () => running(story) === 5);
    loseDatabase(story);
    enqueue(story, 5, 1);
    await story.minutes(10);
    expect(story.alive()).toHaveLength(5);
    expect(story.book.all()).toEqual([]);
  });

  test('launches nothing before EC2 was seen, however often the first look fails', async () => {
    let isBlind = false;
    const trouble = (action: string) => (isBlind && action === 'DescribeInstances' ? 'failed' : null);
    const story = await simStory({ limit: 4, idleCount: 2, way: 'drop-in', hooks: { trouble } });
    enqueue(story, 4, 60);
    await story.until('four jobs to run', () => running(story) === 4);
    isBlind = true;
    loseDatabase(story);
    await story.minutes(5);
    expect(story.alive()).toHaveLength(4);
    isBlind = false;
    await story.until(
      'all machines to be known again',
      () => story.stage.daemon.disk.tables.leases.size >= 4,
    );
    expect(story.book.all()).toEqual([]);
  });

  test('asks for no spot machine beside the requests that are open still, however late EC2 shows them', async () => {
    let isBlind = false;
    const trouble = (action: string) =>
      isBlind && action === 'DescribeSpotInstanceRequests' ? 'failed' : null;
    const story = await simStory({ limit: 2, bySpotRequest: true, hooks: { trouble } });
    const { world } = story.stage;
    const [type = ''] = (await simConfig({ bySpotRequest: true })).pools[0]?.launch.instanceTypes ?? [];
    const offer = { type, zone: 'eu-central-1a', market: 'spot' } as const;
    const open = () => world.spotRequests().filter(({ state }) => state === 'open').length;
    world.capacity.set(offer, 0);
    enqueue(story, 2, 60);
    await story.until('requests to be open', () => open() === 2);
    isBlind = true;
    loseDatabase(story);
    await story.minutes(1);
    world.capacity.set(offer, null);
    await story.minutes(2);
    isBlind = false;
    await story.minutes(15);
    expect(story.alive()).toHaveLength(2);
    expect(running(story)).toBe(2);
    expect(story.book.all()).toEqual([]);
  });

  test('leaves a silent host with a job alone: the folder that names it is enough', async () => {
    const story = await simStory();
    enqueue(story, 1, 45);
    await story.until('the job to run', () => running(story) === 1);
    const host = hostWithJob(story);
    await story.until('its script to begin', () => host.containers.size === 1);
    host.afflict('mute');
    loseDatabase(story);
    await story.minutes(40);
    host.heal('mute');
    await story.until('the job to end', () =>
      [...story.stage.gitlab.jobs()].every((job) => job.endedAt !== null),
    );
    expect([...story.stage.gitlab.jobs()].map(({ status }) => status)).toEqual(['success']);
    expect(story.book.all()).toEqual([]);
  });
});

describe("a lost database while the runner's store cannot be read", () => {
  test('takes no host for free that a folder may hold', async () => {
    let isUnreadable = false;
    const hooks = { isUnreadable: () => isUnreadable };
    const story = await simStory({ idleCount: 1, idleTimeS: 240, way: 'drop-in', hooks });
    await story.until('the runner to hold a machine', () => story.stage.folder.machines.size === 1);
    isUnreadable = true;
    loseDatabase(story);
    await story.minutes(4);
    isUnreadable = false;
    await story.until(
      'the lease to be known again',
      () => story.stage.daemon.disk.tables.leases.size === 1,
      5,
    );
    enqueue(story, 1, 10);
    await story.minutes(20);
    expect([...story.stage.gitlab.jobs()].map(({ status }) => status)).toEqual(['success']);
    expect(story.book.all()).toEqual([]);
  });
});

describe('a folder whose end could not be written', () => {
  test('goes in the end, and fills no slot of the runner for ever', async () => {
    let isUnreadable = false;
    const hooks = { isUnreadable: () => isUnreadable };
    const story = await simStory({ idleCount: 1, idleTimeS: 7200, way: 'drop-in', hooks });
    await story.until('the runner to hold a machine', () => story.stage.folder.machines.size === 1);
    const [host] = [...story.stage.park.all()];
    const [first] = [...story.stage.folder.machines.keys()];
    isUnreadable = true;
    if (host !== undefined) story.stage.world.region('eu-central-1').unaskedEnds.hostOff(host.instance);
    await story.until('the lease to end', () => story.stage.daemon.disk.tables.leases.size === 0);
    await story.minutes(2);
    isUnreadable = false;
    await story.until('the folder to go', () => !story.stage.folder.machines.has(first ?? ''), 30);
    expect(story.book.all()).toEqual([]);
  });
});

describe('a token that changed', () => {
  test('does not keep a host for ever whose Docker died meanwhile', async () => {
    const story = await simStory({ idleTimeS: 3600 });
    enqueue(story, 1, 1);
    await story.until('the job to end', () =>
      [...story.stage.gitlab.jobs()].every((job) => job.endedAt !== null),
    );
    const [host] = [...story.stage.park.all()];
    story.stage.change(await simConfig({ idleTimeS: 60, token: 'glrt-other00000000000' }));
    host?.afflict('docker-dies');
    await story.until('the host to end', () => story.alive().length === 0, (2 * HOUR_MS) / MINUTE_MS);
    expect(story.stage.daemon.disk.tables.leases.size).toBe(0);
  });
});

describe('a crash between the steps of a cleaning', () => {
  test('leaves the host to the next start, which cleans it and hands it out again', async () => {
    let crashes = 0;
    const falls = ({ what, side }: { what: string; side: string }) =>
      what === 'docker clean' && side === 'after' && ++crashes === 1;
    const story = await simStory({ hooks: { falls } });
    enqueue(story, 1, 1);
    await story.until('the lease to end', () => crashes > 0);
    enqueue(story, 1, 1);
    await story.until('both jobs to end', () =>
      [...story.stage.gitlab.jobs()].every((job) => job.endedAt !== null),
    );
    expect(story.stage.daemon.starts()).toBe(2);
    expect(story.stage.world.instances()).toHaveLength(1);
    expect(story.book.all()).toEqual([]);
  });
});

describe("a manager's clock that is off by an hour", () => {
  // Seeds 66, 118, 235, 240 and 289: behind, requests were to end at a time that had passed for EC2.
  test.each([-1, 1])('(%i) does not keep spot requests from being taken and filled', async (hours) => {
    const story = await simStory({ bySpotRequest: true });
    await story.minutes(2);
    story.stage.wall.aheadMs += hours * HOUR_MS;
    await story.minutes(2);
    enqueue(story, 3, 1);
    await story.until('the jobs to end', () =>
      [...story.stage.gitlab.jobs()].every((job) => job.endedAt !== null),
    );
    expect(story.stage.world.spotRequests().filter(({ state }) => state === 'cancelled')).toEqual([]);
    expect(story.book.all()).toEqual([]);
  });
});
