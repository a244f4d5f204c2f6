// A real gitlab-runner on hostler: what it calls, claims and logs is its own. Each test has a pool, a queue and hosts of its
// own, and proves at its end that the runner complained of nothing that hostler said and that no instance stays.
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDockerClient } from '../../src/emulator/docker-hosts/docker-client.ts';
import { isEnded, type Job } from '../../src/sim/gitlab/job.ts';
import { leftInDocker } from '../hosts/left-in-docker.ts';
import { runnerImage } from './runner-image.ts';
import { type RunnerWorld, type RunnerWorldOptions, startRunnerWorld } from './runner-world.ts';

const socket = inject('dockerSocket');
const binary = inject('gitlabRunner');

/** Boots, claims and 20 short jobs on few cores. */
const JOBS_LIMIT_MS = 180_000;
const GONE_LIMIT_MS = 90_000;
const ON_DEMAND = 'IdleCount = 0\nIdleTime = 5\nMaxBuilds = 10';

describe.skipIf(socket === null || binary === null)('a real gitlab-runner on real hosts', () => {
  let layer: Buffer;
  const open: RunnerWorld[] = [];
  beforeAll(async () => {
    layer = await runnerImage(socket ?? '', binary ?? '');
  });
  afterEach(async () => {
    for (const world of open.splice(0)) await world.close();
  });
  afterAll(async () => {
    expect(await leftInDocker(createDockerClient(socket ?? ''))).toEqual([]);
  });

  async function start(options: Partial<RunnerWorldOptions> = {}): Promise<RunnerWorld> {
    const world = await startRunnerWorld({
      binary: binary ?? '',
      real: { socket: socket ?? '', layer },
      machine: ON_DEMAND,
      limit: 4,
      ...options,
    });
    open.push(world);
    return world;
  }

  const statuses = (world: RunnerWorld, ids: readonly number[]) =>
    world.jobs(ids).map(({ status }) => status);

  async function ended(world: RunnerWorld, ids: readonly number[]): Promise<Job[]> {
    const over = () => world.jobs(ids).every(isEnded);
    await world.hosts.until(`jobs ${ids.join(', ')} to end`, over, JOBS_LIMIT_MS);
    return world.jobs(ids);
  }

  const running = (world: RunnerWorld, id: number) =>
    world.hosts.until(
      `the script of job ${id} to run`,
      async () => (await world.trace(id)).includes('$ sleep'),
      JOBS_LIMIT_MS,
    );

  /** No instance, no folder, and no error of the runner beside `allowed`. */
  async function leavesNothing(world: RunnerWorld, allowed = /^$/): Promise<void> {
    const none = () => world.hosts.alive().length === 0 && world.machines().length === 0;
    await world.hosts.until('instances and folders to go', none, GONE_LIMIT_MS);
    const errors = world.runner().lines();
    expect(errors.filter(({ msg }) => !allowed.test(msg))).toEqual([]);
  }

  test('on demand: a burst runs on as many hosts as the limit allows, launched by one call or two', async () => {
    const world = await start();
    const ids = world.enqueue({ count: 20, duration_s: 1 });
    const jobs = await ended(world, ids);
    expect(jobs.filter(({ status }) => status !== 'success').map(({ id, failure }) => [id, failure])).toEqual(
      [],
    );
    expect(world.hosts.emulator.world.instances()).toHaveLength(4);
    expect(world.hosts.ec2Calls()['RunInstances']).toBeLessThanOrEqual(2);
    expect(await world.trace(ids[0] ?? 0)).toContain('Job succeeded');
    await leavesNothing(world);
  });

  test('holding idle machines: each job has a host of its own, and spares stand again after them', async () => {
    const world = await start({ machine: 'IdleCount = 2\nIdleTime = 600\nMaxBuilds = 1', limit: 6 });
    await world.hosts.until('two spares', () => world.machines().length === 2, JOBS_LIMIT_MS);
    const ids = world.enqueue({ count: 6, duration_s: 1 });
    await ended(world, ids);
    expect(statuses(world, ids)).toEqual(ids.map(() => 'success'));
    const names = await Promise.all(
      ids.map(async (id) => / via (\S+)\.\.\./.exec(await world.trace(id))?.[1] ?? ''),
    );
    expect(new Set(names).size).toBe(ids.length);
    const held = async () =>
      (await world.hosts.client.leases()).filter(({ state }) => state === 'held').length === 2;
    await world.hosts.until('two spares again', held, JOBS_LIMIT_MS);
    world.setMachine('IdleCount = 0\nIdleTime = 2\nMaxBuilds = 1');
    await leavesNothing(world);
  });

  test('with the queue in sight: a burst beyond the spares is launched for before the runner claims it', async () => {
    const machine = 'IdleCount = 1\nIdleTime = 600\nMaxBuilds = 1';
    const world = await start({ machine, limit: 6, seesQueue: true });
    await world.hosts.until('a spare', () => world.machines().length === 1, JOBS_LIMIT_MS);
    const ids = world.enqueue({ count: 5, duration_s: 1 });
    const launched = () => world.hosts.emulator.world.instances().length >= 5;
    await world.hosts.until('hosts for the pending jobs', launched, JOBS_LIMIT_MS);
    expect(statuses(world, ids).filter((status) => status === 'pending').length).toBeGreaterThan(0);
    await ended(world, ids);
    expect(statuses(world, ids)).toEqual(ids.map(() => 'success'));
    world.setMachine('IdleCount = 0\nIdleTime = 2\nMaxBuilds = 1');
    await leavesNothing(world);
  });

  test('a job cancelled while its machine boots is told so, and its machine serves another', async () => {
    const world = await start({ limit: 1 });
    const [first = 0] = world.enqueue({ duration_s: 1 });
    await world.hosts.until('a claim', () => statuses(world, [first])[0] === 'running', JOBS_LIMIT_MS);
    world.gitlab.control('POST', 'cancel', { job: first });
    const next = world.enqueue({ duration_s: 1 });
    await ended(world, [first, ...next]);
    expect(statuses(world, [first, ...next])).toEqual(['canceled', 'success']);
    expect(world.hosts.emulator.world.instances()).toHaveLength(1);
    // The runner says one or the other of any job that is cancelled before it has begun.
    await leavesNothing(world, /Failed to remove network|Preparing docker-machine wrapped executor failed/);
  });

  test('a runner killed in its jobs and started again leaves no instance behind', async () => {
    const world = await start();
    const [lost = 0] = world.enqueue({ duration_s: 30 });
    await running(world, lost);
    world.enqueue({ duration_s: 30 });
    const { signal, ended: end } = world.runner();
    signal('SIGKILL');
    await end;
    world.startRunner();
    const ids = world.enqueue({ count: 3, duration_s: 1 });
    await ended(world, ids);
    expect(statuses(world, ids)).toEqual(['success', 'success', 'success']);
    await leavesNothing(world);
  });

  test('a daemon killed under running and starting jobs fails none of them', async () => {
    const world = await start();
    const [longer = 0] = world.enqueue({ duration_s: 20 });
    await running(world, longer);
    await world.hosts.stop('SIGKILL');
    const ids = world.enqueue({ count: 4, duration_s: 1 });
    await ended(world, [longer]);
    await world.hosts.start();
    await ended(world, ids);
    expect(statuses(world, [longer, ...ids])).toEqual([
      'success',
      'success',
      'success',
      'success',
      'success',
    ]);
    await leavesNothing(world);
  });

  test('a host that falls silent fails its job within seconds, and the next job has another', async () => {
    const world = await start({ limit: 2 });
    const [lost = 0] = world.enqueue({ duration_s: 150 });
    await running(world, lost);
    const [instance] = world.hosts.alive();
    await world.fault(instance?.id ?? '', 'silent');
    const [failed] = await ended(world, [lost]);
    expect(failed).toMatchObject({ status: 'failed', failure: 'runner_system_failure' });
    const next = world.enqueue({ duration_s: 1 });
    await ended(world, next);
    expect(statuses(world, next)).toEqual(['success']);
    await leavesNothing(world, /./);
  });
});
