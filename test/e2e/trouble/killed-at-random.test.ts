// Jobs come and go while the daemon is killed again and again at moments that nobody chose: every job gets a host of its
// own and keeps it to its end, and in the end nothing is left. The moments come from a seed, so that a run repeats.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createSeeded } from '../../../src/sim/seeded.ts';
import { dockerCall, type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';

const JOBS = 14;
const KILLS = 6;

/** One job as the runner drives it; gives what went wrong, or null. */
async function runJob(world: LiveWorld, id: string): Promise<string | null> {
  const name = machineName();
  const created = await world.create(name);
  if (created.code !== 0) return `create ${id}: ${created.stderr}`;
  for (const verb of ['config', 'inspect', 'config']) {
    const answer = await world.dockerMachine(verb, name);
    if (answer.code !== 0) return `${verb} ${id}: ${answer.stderr}`;
  }
  const endJob = await startJob(world, name, id);
  await sleep(600);
  const { text } = await dockerCall(world, name, { method: 'GET', path: '/containers/json' });
  const running = (JSON.parse(text) as { Labels: Record<string, string> }[]).map(
    ({ Labels }) => Labels['com.gitlab.gitlab-runner.job.id'],
  );
  if (running.join(',') !== id) return `job ${id} found on its host: ${running.join(',') || 'nothing'}`;
  await endJob();
  const removed = await world.rm(name);
  return removed.code === 0 ? null : `rm ${id}: ${removed.stderr}`;
}

test('a daemon killed again and again under jobs fails none, doubles none and leaks nothing', async () => {
  const random = createSeeded(7);
  const world = await startWorld({
    runner: 'limit = 8',
    machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 3',
  });
  try {
    const jobs = Array.from({ length: JOBS }, async (_, index) => {
      await sleep(index * 350);
      return runJob(world, String(index));
    });
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(100 + Math.round(random.float() * 900));
      await world.stop('SIGKILL');
      await world.start();
    }
    expect((await Promise.all(jobs)).filter((trouble) => trouble !== null)).toEqual([]);
    const { client, until, emulator } = world;
    await until('every lease to end', async () => (await client.leases()).length === 0);
    const instances = emulator.world.instances();
    expect(instances.length).toBeLessThanOrEqual(JOBS);
    // Every instance that EC2 launched is one that hostler asked for and knows.
    const tokens = new Set(instances.map((instance) => instance.tags.get('hostler:launch')));
    expect(tokens.has(undefined)).toBe(false);
    expect(world.alive().length).toBeLessThanOrEqual(8);
    await client.drain('test-runner');
    await until('every host to end', () => world.alive().length === 0, 30_000);
    await until('every record to go', async () => (await client.machines()).length === 0, 30_000);
  } finally {
    await world.close();
  }
});
