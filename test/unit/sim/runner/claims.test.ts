// How fast the runner claims and fills up, against what real releases did with a stub in place of docker-machine.
import { describe, expect, test } from 'vitest';
import { createStubWorld, START, type StubWish } from './stub-world.ts';

/** Seconds from the queueing of `count` jobs at once to each claim. */
async function claims(wish: StubWish, count: number): Promise<number[]> {
  const world = createStubWorld(wish);
  world.runner.start();
  await world.pass(60);
  const from = world.timeline.now();
  const jobs = world.queue(count);
  await world.until(() => jobs.every((job) => job.endedAt !== null));
  return jobs.map((job) => ((job.startedAt ?? Number.NaN) - from) / 1_000);
}

const last = (seconds: readonly number[]): number => seconds.at(-1) ?? Number.NaN;

/** One request of a loaded runner: 87 claims a second. */
const speed = { requestMs: 11 };

describe('twenty jobs at once, MaxBuilds 1', () => {
  test('with one idle machine claims one every second poll: the last after 38.2 s', async () => {
    const seen = await claims({ idle: { idleCount: 1 }, stub: { createMs: 150 }, runner: { speed } }, 20);
    expect(Math.abs(last(seen) - 38.2)).toBeLessThan(0.5);
  });

  test('asks no faster for ten requests at once', async () => {
    const section = { requestConcurrency: 10 };
    const wish = { idle: { idleCount: 1 }, stub: { createMs: 150 }, section, runner: { speed } };
    expect(Math.abs(last(await claims(wish, 20)) - 38.2)).toBeLessThan(0.5);
  });

  test('with five idle machines claims five, then four a second: the last after 4.2 s', async () => {
    const seen = await claims({ idle: { idleCount: 5 }, stub: { createMs: 150 }, runner: { speed } }, 20);
    expect(seen.filter((seconds) => seconds < 0.5)).toHaveLength(5);
    expect(Math.abs(last(seen) - 4.2)).toBeLessThan(0.3);
  });

  test('with five idle machines of five seconds each claims five every six seconds', async () => {
    const seen = await claims({ idle: { idleCount: 5 }, stub: { createMs: 5_000 }, runner: { speed } }, 20);
    expect(Math.abs(last(seen) - 18.1)).toBeLessThan(0.2);
    expect(seen.map((seconds) => Math.floor(seconds / 6))).toEqual(
      [0, 1, 2, 3].flatMap((wave) => Array.from({ length: 5 }, () => wave)),
    );
  });

  test('without idle machines claims all in a tenth of a second', async () => {
    expect(last(await claims({ stub: { createMs: 150 } }, 20))).toBeLessThan(0.16);
    expect(last(await claims({ stub: { createMs: 20_000 } }, 40))).toBeLessThan(0.26);
  });
});

describe('limit and growth without idle machines', () => {
  test('a limit of three claims three, and the fourth when a machine has gone', async () => {
    const world = createStubWorld({ section: { limit: 3 } });
    world.runner.start();
    const jobs = world.queue(6);
    await world.pass(3.9);
    expect(jobs.filter((job) => job.startedAt !== null)).toHaveLength(3);
    await world.until(() => jobs[3]?.startedAt !== null);
    const gone = world.stub.calls.find(({ verb }) => verb === 'rm -y')?.endedAt ?? Number.NaN;
    const claimed = (jobs[3]?.startedAt ?? 0) - START;
    expect(claimed - gone).toBeGreaterThan(0);
    expect(claimed - gone).toBeLessThan(1_100);
  });

  test('MaxGrowthRate bounds creates and claims alike', async () => {
    const world = createStubWorld({ section: { limit: 10, maxGrowthRate: 2 } });
    world.runner.start();
    const jobs = world.queue(6);
    await world.pass(0.9);
    expect(jobs.filter((job) => job.startedAt !== null)).toHaveLength(2);
    await world.until(() => jobs.every((job) => job.endedAt !== null));
    const creates = world.stub.calls.filter(({ verb }) => verb === 'create');
    for (const { at } of creates) {
      const atOnce = creates.filter((other) => other.at <= at && (other.endedAt ?? Infinity) > at);
      expect(atOnce.length).toBeLessThanOrEqual(2);
    }
    expect(Math.round(((jobs[2]?.startedAt ?? 0) - START) / 1_000)).toBe(5);
  });

  test('`concurrent` bounds jobs, not machines', async () => {
    const world = createStubWorld({ idle: { idleCount: 3 }, settings: { concurrent: 2 } });
    world.runner.start();
    await world.pass(10);
    const jobs = world.queue(4, { durationMs: 60_000 });
    await world.pass(30);
    expect(jobs.filter((job) => job.startedAt !== null)).toHaveLength(2);
    // With all its workers at work nobody polls: what it had is what it holds.
    expect(world.stub.folders.size).toBe(3);
  });

  test('takes jobs of the oldest first and gives each its own machine when each may have one', async () => {
    const world = createStubWorld();
    world.runner.start();
    const jobs = world.queue(8);
    await world.until(() => jobs.every((job) => job.endedAt !== null));
    expect(jobs.map((job) => job.startedAt)).toEqual(
      jobs.map((job) => job.startedAt).toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    );
    expect(new Set(jobs.map((job) => job.machine)).size).toBe(8);
  });
});

describe('a machine and its job', () => {
  test('are not bound: whoever waits longest takes the first that comes', async () => {
    const slow = new Set<string>();
    const world = createStubWorld({
      stub: {
        answer(verb, name) {
          if (verb !== 'create') return true;
          // The first create is the slowest.
          slow.add(name);
          return slow.size === 1 ? 30_000 : 4_000;
        },
      },
    });
    world.runner.start();
    const [first, second] = world.queue(2);
    await world.until(() => first?.endedAt !== null && second?.endedAt !== null);
    const [slowOne, quickOne] = world.stub.calls.filter(({ verb }) => verb === 'create');
    expect(first?.machine).toBe(quickOne?.name);
    expect(second?.machine).toBe(slowOne?.name);
  });

  test('are reused while jobs follow, newest first, until MaxBuilds', async () => {
    const world = createStubWorld({ section: { maxBuilds: 3 } });
    world.runner.start();
    for (let round = 0; round < 4; round += 1) {
      const [job] = world.queue(1);
      await world.until(() => job?.endedAt !== null);
      await world.pass(5);
    }
    const creates = world.stub.calls.filter(({ verb }) => verb === 'create');
    expect(creates).toHaveLength(2);
    expect(world.verbs(creates[0]?.name).slice(-3)).toEqual(['inspect', 'stop', 'rm -y']);
  });

  test('part after IdleTime when nobody wants it any more', async () => {
    const world = createStubWorld({ section: { maxBuilds: 10 }, idle: { idleTimeMs: 20_000 } });
    world.runner.start();
    const [job] = world.queue(1);
    await world.until(() => job?.endedAt !== null);
    const ended = world.timeline.now();
    await world.until(() => world.verbs().includes('rm -y'));
    const seconds = (world.timeline.now() - ended) / 1_000;
    expect(seconds).toBeGreaterThan(20);
    expect(seconds).toBeLessThan(21.1);
  });
});

describe('polls that are left out', () => {
  test('change nothing: a runner told of its folders does the same as one that looks each second', async () => {
    const story = async (told: boolean) => {
      const world = createStubWorld({
        idle: { idleCount: 2, idleTimeMs: 30_000 },
        section: { maxBuilds: 3 },
      });
      if (!told) delete world.stub.tool.onNames;
      const { runner } = told ? world : { runner: world.again() };
      runner.start();
      for (const seconds of [0, 7, 0.5, 90, 400, 3]) {
        await world.pass(seconds);
        world.queue(3, { durationMs: 5_500 });
      }
      await world.pass(900);
      return world.stub.calls.map(({ verb, name, at }) => `${at} ${verb} ${name}`);
    };
    expect(await story(true)).toEqual(await story(false));
  });
});
