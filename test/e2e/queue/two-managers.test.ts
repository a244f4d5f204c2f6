// Two managers with one runner's token share its queue: two whole daemons, each with a cloud of its own, before one GitLab.
// What `share` says of each is rounded up, so together they launch at most one machine more than there are jobs.
import { afterEach, describe, expect, test } from 'vitest';
import { machineName } from '../../support/live-world.ts';
import { type QueueWorld, startQueueWorld, usualGitlab } from '../../support/queue-world.ts';
import type { StandInGitlab } from '../../support/stand-in-gitlab.ts';

const TOKEN = 'glpat-two-managers-0000';
/** The runner's file of both names the same section, so machines are named alike. */
const POOL = 'testtoken';

let gitlab: StandInGitlab;
const managers: QueueWorld[] = [];
afterEach(async () => {
  await Promise.all(managers.splice(0).map((manager) => manager.close()));
  await gitlab.close();
});

/** Two daemons that see `jobs` pending jobs, once: the next poll is ten minutes away. */
async function start(jobs: number, queue: readonly string[]): Promise<readonly QueueWorld[]> {
  gitlab = await usualGitlab(TOKEN);
  for (let made = 0; made < jobs; made++) gitlab.addJob({ project: 1 });
  const started = queue.map(async (lines) => {
    const section = { name: POOL, gitlab, queue: lines, poll: '10m' };
    const manager = await startQueueWorld([section], { env: { HOSTLER_GITLAB_TOKEN: TOKEN } });
    managers.push(manager);
    return manager;
  });
  const both = await Promise.all(started);
  for (const manager of both)
    await manager.until(
      'the queue to be seen',
      async () => (await manager.queue(POOL)).state === 'fresh',
      60_000,
    );
  return both;
}

/** Machines of each, once no more come. */
async function settled(both: readonly QueueWorld[], wanted: readonly number[]): Promise<number[]> {
  await Promise.all(
    both.map((manager, at) =>
      manager.until(
        `${wanted[at] ?? 0} machines of manager ${at + 1}`,
        async () => (await manager.machines(POOL)) >= (wanted[at] ?? 0),
        60_000,
      ),
    ),
  );
  const ticks = await Promise.all(both.map(async ({ client }) => (await client.plan()).at));
  for (const [at, { client, until }] of both.entries())
    await until('some more ticks', async () => ((await client.plan()).at ?? '') > (ticks[at] ?? ''), 30_000);
  return await Promise.all(both.map((manager) => manager.machines(POOL)));
}

describe('21 pending jobs before two managers', () => {
  test('are launched for by halves with share = 0.5, and a job that one has claimed counts once', async () => {
    const half = '    share = 0.5\n';
    const both = await start(21, [half, half]);
    expect(await settled(both, [11, 11])).toEqual([11, 11]);
    const [first, second] = both;
    if (first === undefined || second === undefined) throw new Error('there are two');
    for (const { queue } of both) expect(await queue(POOL)).toMatchObject({ pending: 21, may_take: 21 });
    // The first one's runner claims four: they are among the eleven that it launched for.
    const creates = Array.from({ length: 4 }, () => first.startDockerMachine(...createOf(machineName())));
    await first.until('the creates', async () => (await first.client.leases()).length === 4, 30_000);
    expect(await settled(both, [11, 11])).toEqual([11, 11]);
    const [pool] = (await first.client.plan()).pools;
    expect(pool).toMatchObject({ waiting: 4, pending: 17, demand: 11 });
    for (const { child } of creates) child.kill('SIGKILL');
    await Promise.all(creates.map(({ done }) => done));
  }, 200_000);

  test('are launched for by thirds as the shares say, and in full by each without any', async () => {
    const both = await start(21, ['    share = 0.3\n', '    share = 0.7\n']);
    expect(await settled(both, [7, 15])).toEqual([7, 15]);
    await Promise.all(managers.splice(0).map((manager) => manager.close()));
    await gitlab.close();
    const free = await start(21, ['', '']);
    expect(await settled(free, [21, 21])).toEqual([21, 21]);
  }, 240_000);
});

const createOf = (name: string): string[] => [
  'create',
  '--driver',
  'amazonec2',
  '--amazonec2-region=eu-central-1',
  name,
];
