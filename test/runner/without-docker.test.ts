// A real gitlab-runner where no Docker is: hosts in this process take its jobs' scripts and run nothing of them. It proves what
// the runner asks of hostler, not what becomes of a job.
import { afterEach, describe, expect, inject, test } from 'vitest';
import { isEnded } from '../../src/sim/gitlab/job.ts';
import { type RunnerWorld, startRunnerWorld } from './runner-world.ts';

const binary = inject('gitlabRunner');

/** On a machine with ten times as much to do as it can. */
const LIMIT_MS = 120_000;

describe.skipIf(binary === null)('a real gitlab-runner on hosts in this process', () => {
  let world: RunnerWorld | null = null;
  afterEach(async () => {
    await world?.close();
    world = null;
  });

  async function start(machine: string): Promise<RunnerWorld> {
    world = await startRunnerWorld({ binary: binary ?? '', real: null, machine, limit: 20 });
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
});
