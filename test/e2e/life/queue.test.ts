// Pending jobs become machines before the runner asks: a whole daemon between an emulated EC2 and a stand-in GitLab.
// Hosts take ten minutes to boot here, so that what is launched for jobs can be counted in peace.
import { afterEach, describe, expect, test } from 'vitest';
import { type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { codesOf } from '../../support/looks.ts';
import { STAND_IN_TOKEN, type StandInGitlab, startStandInGitlab } from '../../support/stand-in-gitlab.ts';

let gitlab: StandInGitlab;
let world: LiveWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
  await gitlab.close();
});

const SLOW_BOOT_MS = 600_000;

async function start(over: { concurrent: number; limit: number }): Promise<LiveWorld> {
  gitlab = await startStandInGitlab();
  gitlab.addProjects(2);
  gitlab.runner = {
    id: 7,
    paused: false,
    runner_type: 'group_type',
    groups: [{ id: 1 }],
    tag_list: ['docker'],
    run_untagged: false,
    access_level: 'not_protected',
  };
  world = await startWorld({
    emulator: { bootMs: SLOW_BOOT_MS },
    concurrent: over.concurrent,
    runner: `limit = ${over.limit}\n  id = 7`,
    machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 10',
    own: `[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\n[pools.queue]\nurl = "${gitlab.url}"\npoll_interval = "5s"\n`,
    env: { HOSTLER_GITLAB_TOKEN: STAND_IN_TOKEN },
  });
  await world.until(
    'the queue to be seen',
    async () =>
      (await world?.client.status())?.sources.some(
        ({ source, state }) => source === 'queue test-runner' && state === 'fresh',
      ),
    60_000,
  );
  return world;
}

async function coming(of: LiveWorld): Promise<number> {
  return (await of.client.machines()).length;
}

describe('200 jobs that appear at once, IdleCount 0', () => {
  test('have 200 machines coming before a single create, by a handful of launch calls', async () => {
    const here = await start({ concurrent: 200, limit: 200 });
    for (let made = 0; made < 200; made++) gitlab.addJob({ project: 1, tags: ['docker'] });
    await here.until('200 machines', async () => (await coming(here)) >= 200, 60_000);
    expect(await coming(here)).toBe(200);
    expect(here.ec2Calls()['RunInstances']).toBeLessThanOrEqual(20);
    const [pool] = (await here.client.plan()).pools;
    expect(pool).toMatchObject({ waiting: 0, pending: 200, demand: 200 });
  }, 120_000);

  test('keep the machines that come for them while the runner claims one after the other', async () => {
    const here = await start({ concurrent: 200, limit: 200 });
    const jobs = Array.from({ length: 40 }, () => gitlab.addJob({ project: 1, tags: ['docker'] }));
    await here.until('40 machines', async () => (await coming(here)) >= 40, 60_000);
    const doors = jobs.slice(0, 5).map((job) => {
      job.status = 'running';
      return here.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    });
    await here.until('the creates to wait', async () => (await here.client.leases()).length === 5, 60_000);
    const seenAt = gitlab.asked.length;
    await here.until('a look after the claims', () => gitlab.asked.length > seenAt + 2, 60_000);
    await here.until(
      'a plan that counts each job once',
      async () => {
        const [pool] = (await here.client.plan()).pools;
        return pool?.waiting === 5 && pool.pending === 35 && pool.demand === 40;
      },
      60_000,
    );
    expect(await coming(here)).toBe(40);
    for (const { child } of doors) child.kill('SIGKILL');
    await Promise.all(doors.map(({ done }) => done));
  }, 120_000);

  test('have 20 machines coming and no more when concurrent is 20', async () => {
    const here = await start({ concurrent: 20, limit: 200 });
    for (let made = 0; made < 200; made++) gitlab.addJob({ project: 1, tags: ['docker'] });
    await here.until('20 machines', async () => (await coming(here)) >= 20, 60_000);
    const seen = gitlab.asked.length;
    await here.until('two more looks', () => gitlab.asked.length > seen + 4, 60_000);
    expect(await coming(here)).toBe(20);
    const said = await codesOf(here, { pool: 'test-runner' });
    expect(said).toContain('queue-source');
    const explained = await here.hostler('explain', 'test-runner');
    expect(explained.stdout).toContain('200 jobs pending in the queue');
  }, 120_000);
});
