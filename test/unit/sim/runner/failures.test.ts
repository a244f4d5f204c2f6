// The runner under failing creates, dead hosts, failing removals, cancels and time limits, as measured with releases 15
// and 19.
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../../src/sim/gitlab/job.ts';
import { createStubWorld, START, type StubWish } from './stub-world.ts';

/** A world in which one job is queued. */
function withOneJob(
  wish: StubWish = {},
  spec: Parameters<ReturnType<typeof createStubWorld>['queue']>[1] = {},
) {
  const world = createStubWorld(wish);
  world.runner.start();
  const [job] = world.queue(1, spec);
  if (job === undefined) throw new Error('no job');
  return { ...world, job };
}

const seconds = (job: Job): number => ((job.endedAt ?? Number.NaN) - (job.startedAt ?? 0)) / 1_000;
const failingCreate = (verb: string): boolean => verb !== 'create';

describe('a create that fails', () => {
  test.each([
    [0, 18],
    [10_000, 108],
  ])(
    'always, after %i ms: nine creates with nine names, the job fails %i s after its claim',
    async (createMs, took) => {
      const world = withOneJob({ stub: { createMs, answer: failingCreate } });
      await world.until(() => world.job.endedAt !== null);
      const creates = world.stub.calls.filter(({ verb }) => verb === 'create');
      expect(new Set(creates.map(({ name }) => name)).size).toBe(9);
      expect(world.stub.calls).toHaveLength(9);
      expect([world.job.status, world.job.failure]).toEqual(['failed', 'runner_system_failure']);
      expect(Math.round(seconds(world.job))).toBe(took);
    },
  );

  test('has three tries a second apart, then four seconds until the next three', async () => {
    const world = withOneJob({ stub: { createMs: 0, answer: failingCreate } });
    await world.until(() => world.job.endedAt !== null);
    const at = world.stub.calls.map((call) => call.at);
    expect(at.slice(1).map((ms, index) => Math.round((ms - (at[index] ?? 0)) / 1_000))).toEqual([
      1, 1, 4, 1, 1, 4, 1, 1,
    ]);
  });

  test('once only costs the job a second', async () => {
    let creates = 0;
    const answer = (verb: string): boolean => verb !== 'create' || ++creates > 1;
    const world = withOneJob({ stub: { createMs: 100, answer } });
    await world.until(() => world.job.endedAt !== null);
    expect(world.job.status).toBe('success');
    expect(((world.job.hostAt ?? 0) - (world.job.startedAt ?? 0)) / 1_000).toBeCloseTo(1.2, 1);
  });

  test('is removed when it left its folder, beside the next create', async () => {
    const world = withOneJob({ stub: { createMs: 100, answer: failingCreate, leavesFolder: true } });
    await world.until(() => world.job.endedAt !== null);
    const [first] = world.stub.calls;
    expect(world.verbs(first?.name)).toEqual(['create', 'inspect', 'stop', 'rm -y']);
    expect(world.stub.folders.size).toBe(0);
  });

  test('does not wait for `limit` when it tries again, while new claims do', async () => {
    let creates = 0;
    const answer = (verb: string): boolean => (verb === 'create' ? ++creates > 1 : verb !== 'rm -y');
    const world = withOneJob({
      stub: { createMs: 100, answer, leavesFolder: true },
      section: { limit: 1 },
    });
    const [, other] = [world.job, world.queue(1)[0]];
    await world.pass(10);
    expect(creates).toBe(2);
    expect(world.job.status).toBe('success');
    expect(other?.startedAt).toBeNull();
  });
});

describe('a job that ends while its create runs', () => {
  test('by a cancel: the create goes on, its machine is used for nothing and goes', async () => {
    const world = withOneJob({ stub: { createMs: 40_000 } });
    await world.pass(5);
    world.gitlab.cancel(world.job.id);
    expect(world.job.status).toBe('canceling');
    await world.until(() => world.job.endedAt !== null);
    expect(world.job.status).toBe('canceled');
    expect(seconds(world.job)).toBeGreaterThan(40);
    expect(seconds(world.job)).toBeLessThan(41.2);
    await world.pass(5);
    expect(world.verbs()).toEqual([
      'create',
      'config',
      'config',
      'url',
      'inspect -f',
      'inspect',
      'stop',
      'rm -y',
    ]);
    expect(world.hosts.ran).toEqual([]);
  });

  test('by its time limit: GitLab shows it running until the create is over', async () => {
    const world = withOneJob({ stub: { createMs: 40_000 } }, { timeoutMs: 20_000 });
    await world.pass(30);
    expect(world.job.status).toBe('running');
    await world.until(() => world.job.endedAt !== null);
    expect(world.job.failure).toBe('job_execution_timeout');
    expect(seconds(world.job)).toBeGreaterThan(40);
  });

  test('by a cancel, its creates failing: the preparation ends its three creates and no second begins', async () => {
    const world = withOneJob({ stub: { createMs: 20_000, answer: failingCreate } });
    await world.pass(1);
    world.gitlab.cancel(world.job.id);
    await world.until(() => world.job.endedAt !== null);
    expect(world.verbs()).toEqual(['create', 'create', 'create']);
    expect(world.job.status).toBe('canceled');
  });

  test('leaves its machine to whoever waits; the create of that one becomes a surplus machine', async () => {
    const world = withOneJob({ stub: { createMs: 40_000 }, section: { maxBuilds: 10 } });
    await world.pass(5);
    world.gitlab.cancel(world.job.id);
    await world.pass(20);
    const [other] = world.queue(1);
    await world.until(() => other?.endedAt !== null);
    expect(other?.machine).toBe(world.stub.calls[0]?.name);
    await world.pass(40);
    expect(world.runner.machines().map(({ state, builds }) => [state, builds])).toEqual([
      ['idle', 2],
      ['idle', 0],
    ]);
  });
});

describe('a job that ends while its script runs', () => {
  test('by a cancel hears of it with its next output, within three seconds', async () => {
    const world = withOneJob({}, { durationMs: 600_000 });
    await world.pass(60);
    world.gitlab.cancel(world.job.id);
    const from = world.timeline.now();
    await world.until(() => world.job.endedAt !== null);
    expect((world.timeline.now() - from) / 1_000).toBeLessThan(3.1);
    await world.pass(1);
    expect(world.verbs().slice(-3)).toEqual(['inspect', 'stop', 'rm -y']);
  });

  test('by its time limit ends at the second', async () => {
    const world = withOneJob({}, { durationMs: 600_000, timeoutMs: 60_000 });
    await world.until(() => world.job.endedAt !== null);
    expect(Math.round(seconds(world.job))).toBe(60);
    expect(world.job.failure).toBe('job_execution_timeout');
  });
});

describe('a host', () => {
  test('that dies idle in a pool is not seen by polls; its job makes another, and it stays', async () => {
    let dead = '';
    const world = createStubWorld({
      idle: { idleCount: 1 },
      section: { maxBuilds: 10 },
      stub: { answer: (verb, name) => !(verb === 'config' && name === dead) },
    });
    world.runner.start();
    await world.pass(20);
    dead = world.runner.machines()[0]?.name ?? '';
    await world.pass(60);
    expect(world.runner.machines().map(({ name }) => name)).toEqual([dead]);
    const [job] = world.queue(1);
    await world.until(() => job?.endedAt !== null);
    expect(job?.status).toBe('success');
    expect(job?.machine).not.toBe(dead);
    const own = world.runner.machines().find(({ name }) => name === dead);
    expect([own?.state, own?.builds]).toEqual(['idle', 0]);
  });

  test('that is not the newest is never asked: dead or not it fills its place', async () => {
    const world = createStubWorld({ idle: { idleCount: 2 } });
    world.runner.start();
    await world.pass(336);
    const asked = new Set(world.stub.calls.filter(({ verb }) => verb === 'config').map(({ name }) => name));
    expect(asked.size).toBe(1);
    expect([...asked][0]).toBe([...world.stub.folders.keys()].toSorted().at(-1));
  });

  test('whose first `config` in a poll fails is removed at once and replaced', async () => {
    let bad = '';
    const world = createStubWorld({
      idle: { idleCount: 1 },
      stub: {
        answer(verb, name) {
          if (verb !== 'config') return true;
          bad ||= name;
          return name !== bad;
        },
      },
    });
    world.runner.start();
    await world.pass(20);
    expect(world.verbs(bad)).toEqual(['create', 'config', 'inspect', 'stop', 'rm -y']);
    expect(world.runner.machines()).toHaveLength(1);
  });

  test.each(['url', 'inspect -f'])(
    'whose `%s` fails costs the job three tries and stays free',
    async (verb) => {
      const world = withOneJob({ stub: { createMs: 100, answer: (asked) => asked !== verb } });
      await world.until(() => world.job.endedAt !== null);
      expect(world.job.failure).toBe('runner_system_failure');
      expect(Math.round(seconds(world.job))).toBe(9);
      expect(world.verbs().filter((asked) => asked === verb)).toHaveLength(3);
      expect(world.verbs().filter((asked) => asked === 'create')).toHaveLength(1);
      expect(world.runner.machines().map(({ state }) => state)).toEqual(['idle']);
    },
  );

  test('that breaks off in the job fails it; with MaxBuilds 1 it goes, else it is idle again', async () => {
    for (const [maxBuilds, left] of [
      [1, []],
      [10, ['idle']],
    ] as const) {
      const world = createStubWorld({ section: { maxBuilds } });
      world.hosts.mood = 'breaking';
      world.runner.start();
      const [job] = world.queue(1);
      await world.until(() => job?.endedAt !== null);
      await world.pass(2);
      expect([job?.status, job?.failure]).toEqual(['failed', 'runner_system_failure']);
      expect(world.runner.machines().map(({ state }) => state)).toEqual(left);
    }
  });

  test('whose container is killed fails the script and is used again', async () => {
    const world = createStubWorld({ section: { maxBuilds: 10 } });
    world.hosts.mood = 'killing';
    world.runner.start();
    const [job] = world.queue(1);
    await world.until(() => job?.endedAt !== null);
    expect(job?.failure).toBe('script_failure');
    expect(world.runner.machines().map(({ state }) => state)).toEqual(['idle']);
  });

  test('that refuses before the script began has three starts', async () => {
    const world = createStubWorld({ stub: { createMs: 100 } });
    world.hosts.mood = 'refusing';
    world.runner.start();
    const [job] = world.queue(1);
    await world.until(() => job?.endedAt !== null);
    expect(job?.failure).toBe('runner_system_failure');
    expect(world.verbs().filter((verb) => verb === 'create')).toHaveLength(3);
  });

  test('that goes silent is not noticed: the job lives on until its time limit', async () => {
    const world = createStubWorld();
    world.hosts.mood = 'silent';
    world.runner.start();
    const [job] = world.queue(1, { durationMs: 40_000, timeoutMs: 900_000 });
    await world.pass(800);
    expect(job?.status).toBe('running');
    await world.until(() => job?.endedAt !== null);
    expect(job?.failure).toBe('job_execution_timeout');
  });
});

describe('a removal', () => {
  test('whose `stop` takes too long is killed after a minute; its place is free after `rm`', async () => {
    const world = withOneJob({
      section: { limit: 1 },
      stub: { answer: (verb) => (verb === 'stop' ? 70_000 : true) },
    });
    const [other] = world.queue(1);
    await world.until(() => other?.startedAt !== null);
    const stop = world.stub.calls.find(({ verb }) => verb === 'stop');
    const rm = world.stub.calls.find(({ verb }) => verb === 'rm -y');
    expect(((rm?.at ?? 0) - (stop?.at ?? 0)) / 1_000).toBeCloseTo(60, 1);
    expect((other?.startedAt ?? 0) - START).toBeGreaterThan(rm?.endedAt ?? Infinity);
  });

  test('that fails three times is tried every thirty seconds and holds its place', async () => {
    const answer = (verb: string, _name: string, nth: number): boolean => verb !== 'rm -y' || nth >= 3;
    const world = withOneJob({ section: { limit: 1 }, stub: { answer } });
    const [other] = world.queue(1);
    await world.until(() => other?.startedAt !== null);
    const tries = world.stub.calls.filter(({ verb }) => verb === 'rm -y').map(({ at }) => at);
    expect(tries.slice(1).map((at, index) => Math.round((at - (tries[index] ?? 0)) / 1_000))).toEqual([
      30, 30, 30,
    ]);
    const held = (other?.startedAt ?? 0) - (world.job.endedAt ?? 0);
    expect(Math.round(held / 1_000)).toBeGreaterThanOrEqual(90);
    expect(Math.round(held / 1_000)).toBeLessThanOrEqual(91);
  });

  test.each([
    [19, 30, ['rm -f']],
    [15, 40, []],
  ] as const)('that always fails, release %i: after %i tries or more %j', async (release, least, forced) => {
    const world = withOneJob({
      runner: { release },
      stub: { answer: (verb) => !verb.startsWith('rm') },
    });
    await world.pass(30 * 45);
    const tries = world.verbs().filter((verb) => verb === 'rm -y');
    expect(tries.length).toBeGreaterThanOrEqual(least);
    expect(world.verbs().filter((verb) => verb === 'rm -f')).toEqual(forced);
    // What it forgot it finds again in the store, as a machine that was used once.
    expect(world.stub.folders.size).toBe(1);
  });

  test('of a machine whose `inspect` says no is over without a call, and the folder is found again', async () => {
    const world = withOneJob({ stub: { answer: (verb) => verb !== 'inspect' } });
    await world.until(() => world.job.endedAt !== null);
    await world.pass(5);
    expect(world.verbs()).not.toContain('rm -y');
    expect(world.stub.folders.size).toBe(1);
  });
});
