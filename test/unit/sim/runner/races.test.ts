// What happens between two lines of the runner: jobs left without a machine, and that leaving out idle polls shows nowhere.
import { describe, expect, test } from 'vitest';
import { createSeeded } from '../../../../src/sim/seeded.ts';
import { createStubWorld, type StubWish } from './stub-world.ts';

/** Jobs at five a second for a minute; how many wait without end afterwards. */
async function stream(wish: StubWish, seed: number): Promise<{ stuck: number; jobs: number }> {
  const world = createStubWorld({ ...wish, runner: { seed, odds: {} } });
  world.runner.start();
  await world.pass(5);
  const jobs = [];
  for (let second = 0; second < 60; second += 1) {
    for (let part = 0; part < 5; part += 1) {
      jobs.push(...world.queue(1, { durationMs: 1_000 }));
      await world.pass(0.2);
    }
  }
  await world.pass(120);
  return { stuck: world.runner.stuck().length, jobs: jobs.length };
}

async function stuckIn(wish: StubWish): Promise<number> {
  let [stuck, jobs] = [0, 0];
  for (let seed = 1; seed <= 6; seed += 1) {
    const run = await stream(wish, seed);
    stuck += run.stuck;
    jobs += run.jobs;
  }
  expect(jobs).toBe(1_800);
  return stuck / jobs;
}

describe('the runner’s own race', () => {
  test('leaves about one job in a hundred without end with MaxBuilds 1 and IdleCount 0', async () => {
    const share = await stuckIn({ stub: { createMs: 3_000 } });
    expect(share).toBeGreaterThan(0.003);
    expect(share).toBeLessThan(0.03);
  });

  test('leaves none with MaxBuilds 10', async () => {
    expect(await stuckIn({ stub: { createMs: 3_000 }, section: { maxBuilds: 10 } })).toBe(0);
  });

  test('leaves none with an idle machine held', async () => {
    expect(await stuckIn({ stub: { createMs: 3_000 }, idle: { idleCount: 20 } })).toBe(0);
  });

  test('ends for a job when a machine comes that nobody else wants: IdleCount 1 frees it', async () => {
    let bad = 0;
    const world = createStubWorld({ stub: { answer: (verb) => verb !== 'config' || ++bad > 1 } });
    world.runner.start();
    const [job] = world.queue(1);
    await world.pass(92);
    // The first `config` after its create failed: the machine went, and nobody makes another.
    expect(world.verbs()).toEqual(['create', 'config', 'inspect', 'stop', 'rm -y']);
    expect(world.runner.stuck()).toEqual([job?.id]);
    expect(job?.status).toBe('running');
    const idle = { idleCount: 1, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 600_000 };
    world.runner.settings({ ...world.settings, sections: [{ ...world.section, idle: () => idle }] });
    await world.until(() => job?.scriptAt !== null, 12);
    expect(job?.scriptAt).not.toBeNull();
    expect(world.runner.stuck()).toEqual([]);
  });

  test('ends for a job that heard of its own create first with an ordinary try', async () => {
    let bad = 0;
    const world = createStubWorld({
      stub: { createMs: 100, answer: (verb) => verb !== 'config' || ++bad > 1 },
      runner: { odds: { missedWord: 0, ownCreateFirst: 1 } },
    });
    world.runner.start();
    const [job] = world.queue(1);
    await world.until(() => job?.endedAt !== null);
    expect(job?.status).toBe('success');
  });

  test('a job without end is ended by neither cancel nor time limit; TERM leaves it running', async () => {
    const world = createStubWorld({ stub: { answer: (verb) => verb !== 'config' } });
    world.runner.start();
    const [job] = world.queue(1, { timeoutMs: 60_000 });
    await world.pass(100);
    world.gitlab.cancel(job?.id ?? 0);
    await world.pass(100);
    expect(job?.status).toBe('canceling');
    void world.runner.stop('TERM', 'process');
    await world.pass(31);
    expect(world.runner.alive()).toBe(false);
    expect(job?.status).toBe('canceling');
  });
});

describe('a `config` that hangs', () => {
  test('in a poll stops every section from claiming; in a job only that job waits', async () => {
    const other = { token: 'glrt-other45678', machineName: 'other-%s' };
    const hung = { poll: true };
    const world = createStubWorld({
      stub: {
        createMs: 500,
        answer: (verb, name) => (verb === 'config' && hung.poll && name.includes('-auto-') ? 30_000 : true),
      },
      section: { maxBuilds: 10 },
      idle: { idleCount: 0 },
    });
    const second = world.gitlab.addRunner({ tags: ['other'], runUntagged: false });
    const sections = [
      {
        ...world.section,
        idle: () => ({ idleCount: 1, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 9e5 }),
      },
      { ...world.section, ...other, runner: second.id },
    ];
    world.runner.settings({ ...world.settings, sections });
    world.runner.start();
    await world.pass(4);
    const [job] = world.queue(1, { tags: ['other'] });
    await world.pass(20);
    expect(job?.startedAt).toBeNull();
    await world.until(() => job?.startedAt !== null);
    expect((job?.startedAt ?? 0) - (job?.queuedAt ?? 0)).toBeGreaterThan(20_000);

    // In a job's own look no other is held up.
    const [slow] = world.queue(1);
    await world.pass(2);
    expect(slow?.startedAt).not.toBeNull();
    const [quick] = world.queue(1, { tags: ['other'] });
    await world.pass(5);
    expect([slow?.hostAt, quick?.startedAt === null]).toEqual([null, false]);
  });
});

describe('polls that are left out', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'change nothing: told of its folders or looking every second, the calls are the same (story %i)',
    async (story) => {
      const random = createSeeded(story);
      const pick = <T>(some: readonly T[]): T => some[Math.floor(random.float() * some.length)] as T;
      const section = { maxBuilds: pick([1, 2, 10]), limit: pick([0, 3, 8]), maxGrowthRate: pick([0, 0, 2]) };
      const idle = {
        idleCount: pick([0, 0, 1, 3]),
        idleTimeMs: pick([5_000, 31_500, 600_000]),
        idleScaleFactor: pick([0, 1.5]),
      };
      const steps = Array.from({ length: 12 }, () => ({
        seconds: random.float() * pick([0.3, 8, 400]),
        jobs: Math.floor(random.float() * 5),
        durationMs: random.float() * 90_000,
        cancel: random.float() < 0.2,
      }));
      const play = async (told: boolean): Promise<string[]> => {
        const world = createStubWorld({ idle, section });
        const base = { ...idle, idleCountMin: 0 };
        // From minute 7.5 on another period holds.
        world.section.idle = (now) =>
          now % 1_800_000 < 450_000 ? base : { ...base, idleCount: base.idleCount + 2 };
        world.section.idleChangesAt = (now) =>
          [450_000, 1_800_000].map((at) => now - (now % 1_800_000) + at).find((at) => at > now) ?? now;
        if (!told) delete world.stub.tool.onNames;
        const runner = told ? world.runner : world.again();
        runner.start();
        for (const { seconds, jobs, durationMs, cancel } of steps) {
          await world.pass(seconds);
          const [first] = world.queue(jobs, { durationMs });
          if (cancel && first !== undefined) world.timeline.after(3_000, () => world.gitlab.cancel(first.id));
        }
        await world.pass(3_600);
        return world.stub.calls.map(({ verb, name, at }) => `${at} ${verb} ${name}`);
      };
      const looking = await play(false);
      expect(looking.length).toBeGreaterThan(10);
      expect(await play(true)).toEqual(looking);
    },
  );
});
