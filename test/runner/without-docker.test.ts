// A real gitlab-runner where no Docker is: hosts in this process take its jobs' scripts and run nothing of them. It proves what
// the runner asks of hostler, not what becomes of a job.
import { afterEach, describe, expect, inject, test } from 'vitest';
import { isEnded } from '../../src/sim/gitlab/job.ts';
import { freePort } from '../support/live-world.ts';
import { type RunnerWorld, type RunnerWorldOptions, startRunnerWorld } from './runner-world.ts';

const binary = inject('gitlabRunner');

/** On a machine with ten times as much to do as it can. */
const LIMIT_MS = 120_000;

describe.skipIf(binary === null)('a real gitlab-runner on hosts in this process', () => {
  let world: RunnerWorld | null = null;
  afterEach(async () => {
    await world?.close();
    world = null;
  });

  async function start(machine: string, over: Partial<RunnerWorldOptions> = {}): Promise<RunnerWorld> {
    world = await startRunnerWorld({ binary: binary ?? '', real: null, machine, limit: 20, ...over });
    return world;
  }

  async function ended(at: RunnerWorld, ids: readonly number[]): Promise<string[]> {
    await at.hosts.until('the jobs to end', () => at.jobs(ids).every(isEnded), LIMIT_MS);
    return at.jobs(ids).map(({ status }) => status);
  }

  async function leavesNothing(at: RunnerWorld): Promise<void> {
    const none = () => at.hosts.alive().length === 0 && at.machines().length === 0;
    await at.hosts.until('instances and folders to go', none, LIMIT_MS);
  }

  test('on demand: forty jobs at once run on twenty hosts, launched by one call or two; one that fails fails alone', async () => {
    const at = await start('IdleCount = 0\nIdleTime = 5\nMaxBuilds = 10');
    const good = at.enqueue({ count: 39, duration_s: 2 });
    const bad = at.enqueue({ duration_s: 1, fails: true });
    expect(await ended(at, [...good, ...bad])).toEqual([...good.map(() => 'success'), 'failed']);
    expect(at.hosts.emulator.world.instances()).toHaveLength(20);
    expect(at.hosts.ec2Calls()['RunInstances']).toBeLessThanOrEqual(2);
    await leavesNothing(at);
  });

  test('holding idle machines: each of twelve jobs has a host of its own', async () => {
    const at = await start('IdleCount = 4\nIdleTime = 600\nMaxBuilds = 1');
    const ids = at.enqueue({ count: 12, duration_s: 1 });
    expect(await ended(at, ids)).toEqual(ids.map(() => 'success'));
    at.setMachine('IdleCount = 0\nIdleTime = 2\nMaxBuilds = 1');
    await leavesNothing(at);
    expect(at.runner().lines()).toEqual([]);
  });

  test('tells of its queue by its metrics alone, or, before 18.1, that it cannot', async () => {
    const metricsPort = await freePort();
    const at = await start('IdleCount = 0\nIdleTime = 5\nMaxBuilds = 10', { limit: 2, metricsPort });
    at.enqueue({ count: 12, duration_s: 20 });
    const told = async () => (await at.hosts.client.queue())[0];
    const scraped = () =>
      fetch(`http://127.0.0.1:${metricsPort}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
    await at.hosts.until(
      'jobs to be taken',
      async () => /^gitlab_runner_jobs_total\{.*\} 2$/m.test(await scraped()),
      LIMIT_MS,
    );
    const [, size] = /^gitlab_runner_job_queue_size\{.*\} (\d+)$/m.exec(await scraped()) ?? [];
    if (size === undefined) {
      await at.hosts.until('it to be said', async () =>
        (await told())?.why.includes('do not say how many jobs wait (runners from 18.1 on do)'),
      );
      return;
    }
    await at.hosts.until('the figure', async () => (await told())?.runner_told?.queue_size === Number(size));
    expect(Number(size)).toBe(11);
    expect(await told()).toMatchObject({ source: 'metrics', runner_told: { queue_depth: 1 } });
    expect((await at.hosts.hostler('queue')).stdout).toContain(`one of ${size} that fitted it`);
  });
});
