// Jobs by the dozen for storms: the stand-in runner in the test's process with real doors, and jobs that look whether their
// host is theirs alone. Everything that went wrong is written down, also what the runner would try again.
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunJob } from '../../src/demo/job-work.ts';
import { createStandInRunner, type StandInRunner } from '../../src/demo/runner.ts';
import { dockerCall, type LiveWorld } from './live-world.ts';
import { onDemandSection } from './storm-runner.ts';

export type Storm = {
  runner: StandInRunner;
  /** Queues jobs of these lengths in milliseconds; given `end`, they last until it resolves. */
  queue(lengths: readonly number[], end?: Promise<void>): void;
  /** How many jobs run, with a container, right now. */
  running(): number;
  /** How many have ended. */
  ended(): number;
  /** Calls that failed and jobs that did, in words; empty = all is well. */
  troubles(): string[];
};

/** Ids of the jobs whose containers run on the host of a machine folder. */
async function jobsOn(world: LiveWorld, name: string): Promise<string[]> {
  const { text } = await dockerCall(world, name, { method: 'GET', path: '/containers/json' });
  return (JSON.parse(text) as { Labels: Record<string, string> }[]).map(
    ({ Labels }) => Labels['com.gitlab.gitlab-runner.job.id'] ?? 'unknown',
  );
}

/** A container with the runner's labels, for as long as `over` takes; fails when it is not alone on its host at the end. */
function createLonelyJob(world: LiveWorld, over: (id: string, ms: number) => Promise<unknown>): RunJob {
  return async (host, { id, durationMs }, { signal, started }) => {
    const name = basename(host.storePath);
    const call = async (method: string, path: string, body?: unknown): Promise<string> => {
      const { status, text } = await dockerCall(world, name, { method, path, body });
      if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
      return text;
    };
    const made = await call('POST', '/containers/create', {
      Image: 'alpine',
      Cmd: ['sleep', '3600'],
      Labels: {
        'com.gitlab.gitlab-runner.job.id': id,
        'com.gitlab.gitlab-runner.managed': 'true',
        'com.gitlab.gitlab-runner.type': 'build',
      },
    });
    const container = (JSON.parse(made) as { Id: string }).Id;
    await call('POST', `/containers/${container}/start`);
    started();
    const killed = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    await Promise.race([over(id, durationMs), killed]);
    signal.throwIfAborted();
    const found = await jobsOn(world, name);
    if (found.join() !== id) throw new Error(`found on its host: ${found.join() || 'nothing'}`);
    await call('DELETE', `/containers/${container}?force=1`);
  };
}

/** Starts the runner; it takes this many jobs at a time, and gives a machine back after one. */
export function startStorm(world: LiveWorld, concurrent: number): Storm {
  const failed: string[] = [];
  const ends = new Map<string, Promise<void>>();
  let queued = 0;
  const section = onDemandSection(world);
  const runner = createStandInRunner({
    ...section,
    policy: { ...section.policy, concurrent },
    runJob: createLonelyJob(world, (id, ms) => ends.get(id) ?? sleep(ms)),
    onEvent(event) {
      if (event.kind !== 'call' || event.call.code === 0) return;
      failed.push(`${event.call.args.join(' ')}: ${event.call.code} ${event.call.complaint}`);
    },
  });
  runner.start();
  return {
    runner,
    queue(lengths, end) {
      const orders = lengths.map((durationMs) => {
        queued += 1;
        if (end !== undefined) ends.set(String(queued), end);
        const url = `https://gitlab.example.com/storm/app/-/jobs/${queued}`;
        return { id: String(queued), url, image: 'alpine', durationMs };
      });
      runner.queue(orders);
    },
    running: () => runner.jobs().filter(({ state }) => state === 'running').length,
    ended: () => runner.jobs().filter(({ doneAt }) => doneAt !== null).length,
    troubles: () => [
      ...failed,
      ...runner.jobs().flatMap(({ order, state, failure }) => {
        return state === 'done' ? [] : [`job ${order.id} ${state}: ${failure}`];
      }),
    ],
  };
}

/** Waits until all leases have ended, drains the pool, and waits until EC2 and the daemon have nothing any more. */
export async function proveNothingLeaks(world: LiveWorld): Promise<void> {
  const { client, until } = world;
  await until('every lease to end', async () => (await client.leases()).length === 0, 60_000);
  await client.drain('test-runner');
  await until('every host to end', () => world.alive().length === 0, 60_000);
  await until('every record to go', async () => (await client.machines()).length === 0, 60_000);
  const strangers = world.emulator.world.instances().filter(({ tags }) => !tags.has('hostler:launch'));
  if (strangers.length > 0) throw new Error(`${strangers.length} instances that no launch asked for`);
}
