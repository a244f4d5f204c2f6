// The runner's end, its next start, and changes of its file, as measured: what stays in the store, who calls what.
import { describe, expect, test } from 'vitest';
import type { DrainSettings } from '../../../../src/sim/runner/runner-settings.ts';
import { createStubWorld, START, type StubWish } from './stub-world.ts';

/** A runner with one job whose create takes that long. */
async function creating(createMs: number, wish: StubWish = {}) {
  const world = createStubWorld({ ...wish, stub: { createMs, ...wish.stub } });
  world.runner.start();
  const [job] = world.queue(1, { durationMs: 20_000 });
  if (job === undefined) throw new Error('no job');
  await world.pass(3);
  return { ...world, job };
}

/** How long until the process has ended, in seconds. */
async function endOf(world: Pick<Awaited<ReturnType<typeof creating>>, 'until' | 'runner' | 'timeline'>) {
  const from = world.timeline.now();
  await world.until(() => !world.runner.alive());
  return (world.timeline.now() - from) / 1_000;
}

describe('TERM', () => {
  test('waits for the create of its job, then fails the job and ends', async () => {
    const world = await creating(20_000);
    void world.runner.stop('TERM', 'process');
    expect(await endOf(world)).toBeLessThan(19);
    expect([world.job.status, world.job.failure]).toEqual(['failed', 'unknown_failure']);
    expect(world.hosts.ran).toEqual([]);
  });

  test('is a system failure to release 15', async () => {
    const world = await creating(20_000, { runner: { release: 15 } });
    void world.runner.stop('TERM', 'process');
    await endOf(world);
    expect(world.job.failure).toBe('runner_system_failure');
  });

  test('waits half a minute at most: the create is an orphan that ends its work, the job runs on in GitLab', async () => {
    const world = await creating(40_000);
    const code = world.runner.stop('TERM', 'process');
    expect(await endOf(world)).toBe(30);
    expect(await code).toBe(1);
    await world.pass(60);
    expect(world.stub.folders.size).toBe(1);
    expect(world.job.status).toBe('running');
    await world.pass(3_700);
    expect([world.job.status, world.job.failure]).toEqual(['failed', 'stuck_or_timeout_failure']);
  });

  test('a second one ends it at once', async () => {
    const world = await creating(40_000);
    void world.runner.stop('TERM', 'process');
    await world.pass(1);
    expect(await world.runner.stop('TERM', 'process')).toBe(1);
    expect(world.runner.alive()).toBe(false);
  });

  test('without a job ends it at once; an idle create goes on', async () => {
    const world = createStubWorld({ idle: { idleCount: 1 }, stub: { createMs: 20_000 } });
    world.runner.start();
    await world.pass(2);
    void world.runner.stop('TERM', 'process');
    await world.pass(0);
    expect(world.runner.alive()).toBe(false);
    await world.pass(30);
    expect(world.stub.folders.size).toBe(1);
  });

  test('leaves the folder behind in most stops', async () => {
    let left = 0;
    for (let seed = 1; seed <= 40; seed += 1) {
      const world = await creating(4_000, { runner: { seed } });
      await world.until(() => world.job.scriptAt !== null);
      void world.runner.stop('TERM', 'process');
      await endOf(world);
      await world.pass(5);
      left += world.stub.folders.size;
    }
    expect(left).toBeGreaterThan(8);
    expect(left).toBeLessThan(40);
  });
});

describe('QUIT', () => {
  test.each([1, 2, 3, 4, 5])(
    'lets the job run, claims no more, and leaves its machine without `rm` (seed %i)',
    async (seed) => {
      const world = await creating(4_000, { runner: { seed } });
      void world.runner.stop('QUIT', 'process');
      const [other] = world.queue(1);
      await endOf(world);
      await world.pass(60);
      expect(world.job.status).toBe('success');
      expect(other?.startedAt).toBeNull();
      expect(world.verbs()).toContain('inspect');
      expect(world.verbs()).not.toContain('rm -y');
      expect(world.stub.folders.size).toBe(1);
    },
  );

  test('to the whole group kills a create that heeds it: a new one is made while the runner ends', async () => {
    const world = await creating(8_000, { stub: { dies: true } });
    void world.runner.stop('QUIT', 'group');
    await endOf(world);
    expect(world.job.status).toBe('success');
    expect(world.verbs().filter((verb) => verb === 'create')).toHaveLength(2);
  });

  test('to the whole group changes nothing for a create that ignores it', async () => {
    const world = await creating(8_000);
    void world.runner.stop('QUIT', 'group');
    await endOf(world);
    expect(world.job.status).toBe('success');
    expect(world.verbs().filter((verb) => verb === 'create')).toHaveLength(1);
  });

  test('gives way to TERM', async () => {
    const world = await creating(4_000);
    await world.until(() => world.job.scriptAt !== null);
    void world.runner.stop('QUIT', 'process');
    await world.pass(2);
    void world.runner.stop('TERM', 'process');
    expect(await endOf(world)).toBeLessThan(1);
    expect(world.job.failure).toBe('unknown_failure');
  });
});

describe('KILL', () => {
  test('ends it at once; its create is an orphan that ends its work', async () => {
    const world = await creating(10_000);
    expect(await world.runner.stop('KILL', 'process')).toBeNull();
    expect(world.runner.alive()).toBe(false);
    await world.pass(20);
    expect(world.verbs()).toEqual(['create']);
    expect(world.stub.folders.size).toBe(1);
    expect(world.job.status).toBe('running');
  });

  test('to the whole group ends its create, too', async () => {
    const world = await creating(10_000);
    void world.runner.stop('KILL', 'group');
    await world.pass(20);
    expect(world.stub.folders.size).toBe(0);
  });

  test('tells its calls that they are orphans', async () => {
    const world = createStubWorld();
    const told: boolean[] = [];
    const { create } = world.stub.tool;
    world.stub.tool.create = (name, call, section) => {
      told.push(call.parentGone());
      call.onParentGone(() => told.push(call.parentGone()));
      return create(name, call, section);
    };
    world.runner.start();
    world.queue(1);
    await world.pass(1);
    void world.runner.stop('KILL', 'process');
    expect(told).toEqual([false, true]);
  });
});

describe('the next start', () => {
  test.each([0, 2])('with MaxBuilds 1 and IdleCount %i removes what it finds', async (idleCount) => {
    const world = createStubWorld({ idle: { idleCount } });
    for (const name of ['runner-abc123def-auto-1-aaaaaaaa', 'runner-abc123def-auto-2-bbbbbbbb'])
      world.stub.set(name, { whole: true });
    world.runner.start();
    await world.pass(0.3);
    expect(world.verbs('runner-abc123def-auto-1-aaaaaaaa')).toEqual(['inspect', 'stop', 'rm -y']);
    expect(world.verbs('runner-abc123def-auto-2-bbbbbbbb')).toEqual(['inspect', 'stop', 'rm -y']);
    await world.pass(10);
    expect(world.stub.folders.size).toBe(idleCount);
  });

  test('with MaxBuilds 10 keeps what it finds, asks the newest, and removes after IdleTime', async () => {
    const world = createStubWorld({ section: { maxBuilds: 10 }, idle: { idleTimeMs: 30_000 } });
    world.stub.set('runner-abc123def-auto-1-aaaaaaaa', { whole: true });
    world.stub.set('runner-abc123def-auto-2-bbbbbbbb', { whole: true });
    world.runner.start();
    await world.pass(29);
    expect(world.verbs()).toEqual(['config']);
    expect(world.stub.calls[0]?.name).toBe('runner-abc123def-auto-2-bbbbbbbb');
    await world.pass(3);
    expect(world.stub.folders.size).toBe(0);
  });

  test('counts a folder without config.json, asks it every poll and never removes it', async () => {
    const world = createStubWorld({
      section: { maxBuilds: 10, limit: 1 },
      stub: { answer: (verb) => verb !== 'config' },
    });
    world.stub.set('runner-abc123def-auto-1-aaaaaaaa', { whole: false });
    world.runner.start();
    await world.pass(10);
    expect(world.verbs().length).toBeGreaterThanOrEqual(9);
    expect(new Set(world.verbs())).toEqual(new Set(['config']));
    expect(world.stub.folders.size).toBe(1);
  });

  test('never calls for names of another token or shape', async () => {
    const world = createStubWorld({ idle: { idleCount: 1 } });
    for (const name of ['runner-other-auto-1-aaaaaaaa', 'mine', '.runner-abc123def-auto-1-aaaaaaaa'])
      world.stub.set(name, { whole: true });
    world.runner.start();
    await world.pass(60);
    expect(world.stub.calls.filter(({ name }) => !name.startsWith('runner-abc123def-auto-'))).toEqual([]);
  });

  test('after KILL removes the orphan create’s folder as soon as it stands', async () => {
    const world = await creating(20_000);
    void world.runner.stop('KILL', 'process');
    await world.pass(1);
    world.runner.start();
    await world.pass(40);
    const [create] = world.stub.calls;
    expect(world.verbs(create?.name)).toEqual(['create', 'inspect', 'stop', 'rm -y']);
    expect(world.stub.folders.size).toBe(0);
  });
});

describe('a change of the file', () => {
  test('is seen within three seconds: fewer idle ones go after IdleTime, more come at the next poll', async () => {
    const world = createStubWorld({ idle: { idleCount: 2, idleTimeMs: 20_000 } });
    world.runner.start();
    await world.pass(10);
    const change = (idleCount: number): void => {
      const idle = { idleCount, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 20_000 };
      world.runner.settings({ ...world.settings, sections: [{ ...world.section, idle: () => idle }] });
    };
    change(4);
    await world.pass(4);
    expect(world.verbs().filter((verb) => verb === 'create')).toHaveLength(4);
    change(0);
    await world.pass(40);
    expect(world.stub.folders.size).toBe(0);
  });

  test.each(['a new token', 'no section'])(
    'to %s: no call for old machines ever again, the job ends normally',
    async (to) => {
      const world = createStubWorld({ idle: { idleCount: 3 }, section: { maxBuilds: 2 } });
      world.runner.start();
      await world.pass(20);
      const [job] = world.queue(1, { durationMs: 30_000 });
      await world.until(() => job?.scriptAt !== null);
      await world.pass(10);
      const sections = to === 'no section' ? [] : [{ ...world.section, token: 'glrt-other45678' }];
      world.runner.settings({ ...world.settings, sections });
      await world.pass(4);
      const before = world.stub.calls.length;
      await world.pass(2_000);
      const later = world.stub.calls.slice(before).filter(({ name }) => name.startsWith('runner-abc123def-'));
      expect(later).toEqual([]);
      expect(job?.status).toBe('success');
      expect(
        [...world.stub.folders.keys()].filter((name) => name.startsWith('runner-abc123def-')).length,
      ).toBe(4);
    },
  );
});

describe('[machine.shutdown_drain]', () => {
  const drain: DrainSettings = { concurrency: 3, maxRetries: 3, retryBackoffMs: 5_000 };
  const settings = { drain, shutdownTimeoutMs: 300_000 };

  test('ends all that is known after QUIT: inspect, rm -f, no stop', async () => {
    const world = createStubWorld({ settings, section: { maxBuilds: 10 }, idle: { idleCount: 3 } });
    world.runner.start();
    await world.pass(20);
    const [job] = world.queue(1, { durationMs: 10_000 });
    await world.until(() => job?.scriptAt !== null);
    await world.pass(8);
    const before = world.stub.calls.length;
    const code = world.runner.stop('QUIT', 'process');
    await endOf(world);
    expect(await code).toBe(0);
    expect(job?.status).toBe('success');
    expect(world.stub.folders.size).toBe(0);
    const verbs = new Set(world.stub.calls.slice(before).map(({ verb }) => verb));
    expect(verbs).toEqual(new Set(['inspect', 'rm -f']));
  });

  test('waits for creates, tries again after five seconds, and ends with shutdown_timeout', async () => {
    const world = createStubWorld({
      settings,
      idle: { idleCount: 1 },
      stub: { createMs: 20_000, answer: (verb, _name, nth) => verb !== 'rm -f' || nth > 0 },
    });
    world.runner.start();
    await world.pass(1);
    void world.runner.stop('QUIT', 'process');
    const seconds = await endOf(world);
    expect(seconds).toBeGreaterThan(23);
    expect(seconds).toBeLessThan(25);
    expect(world.stub.folders.size).toBe(0);

    const hanging = createStubWorld({
      settings: { drain, shutdownTimeoutMs: 30_000 },
      idle: { idleCount: 1 },
      stub: { createMs: 4_000, answer: (verb) => (verb === 'rm -f' ? 'hang' : true) },
    });
    hanging.runner.start();
    await hanging.pass(10);
    void hanging.runner.stop('QUIT', 'process');
    expect(await endOf(hanging)).toBe(30);
  });
});

describe('GitLab away', () => {
  test('costs no job that runs: its end is told when GitLab is back, its machine waits until then', async () => {
    const world = await creating(4_000);
    await world.until(() => world.job.scriptAt !== null);
    world.gitlab.weather.awayUntil(world.timeline.now() + 120_000);
    await world.pass(110);
    expect(world.job.status).toBe('running');
    expect(world.verbs()).not.toContain('rm -y');
    await world.until(() => world.job.endedAt !== null);
    expect(world.job.status).toBe('success');
    expect((world.timeline.now() - START) / 1_000).toBeGreaterThan(120);
  });

  test('or slow, or refusing: jobs are claimed when an answer comes', async () => {
    const world = createStubWorld();
    world.runner.start();
    const from = world.timeline.now();
    world.gitlab.weather.throttledUntil(from + 30_000, 1);
    const [job] = world.queue(1);
    await world.pass(29);
    expect(job?.startedAt).toBeNull();
    await world.pass(3);
    expect(job?.startedAt).not.toBeNull();
    world.gitlab.weather.slowUntil(world.timeline.now() + 60_000, 10_000);
    const [slow] = world.queue(1);
    await world.until(() => slow?.startedAt !== null);
    expect((slow?.startedAt ?? 0) - (slow?.queuedAt ?? 0)).toBeGreaterThan(10_000);
  });
});
