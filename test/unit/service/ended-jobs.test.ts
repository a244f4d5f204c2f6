// Creates whose jobs were cancelled in GitLab are answered; in doubt they are left alone.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SECOND_MS } from '../../../src/domain/units.ts';
import { dropIn, lease } from '../../support/builders.ts';
import {
  queueSettings,
  startWatchedQueue,
  type WatchedQueue,
  watchedPool,
} from '../../support/watched-queue.ts';

let queue: WatchedQueue;
beforeEach(async () => {
  queue = await startWatchedQueue();
  queue.gitlab.addProjects(1);
  queue.gitlab.runner = {
    id: 7,
    runner_type: 'project_type',
    tag_list: [],
    run_untagged: true,
    access_level: 'not_protected',
    projects: [{ id: 1, path_with_namespace: 'group/p1' }],
  };
  queue.use([watchedPool(queue.gitlab)]);
  await queue.pass(5 * SECOND_MS);
});
afterEach(() => queue.close());

/** A job that the runner claimed: running in GitLab. */
function claim(): number {
  const { id } = queue.gitlab.addJob({ project: 1, status: 'running' });
  queue.gitlab.running.push({ id, status: 'running', project: { id: 1 } });
  return id;
}

function wait(name: string): void {
  queue.store.putLease(lease({ name, since: queue.clock.now() }));
}

function end(id: number, status: string): void {
  queue.gitlab.running = queue.gitlab.running.filter((job) => job.id !== id);
  const job = queue.gitlab.jobs.get(id);
  if (job !== undefined) job.status = status;
}

describe('a create that waits', () => {
  test('is answered when its only job was cancelled, and so is the runner’s next try', async () => {
    const id = claim();
    wait('a');
    await queue.pass(20 * SECOND_MS);
    expect(queue.refused).toEqual([]);
    end(id, 'canceled');
    await queue.pass(10 * SECOND_MS);
    expect(queue.refused).toEqual([
      `a: job-ended: every job that this create could be for has ended in GitLab: job ${id} canceled`,
    ]);
    queue.store.putLease(lease({ name: 'a-again', since: queue.clock.now() - 30 * SECOND_MS }));
    await queue.pass(10 * SECOND_MS);
    expect(queue.refused[1]).toMatch(/^a-again: job-ended/);
  });

  test('is left alone while one of two jobs goes on: nobody knows whose it is', async () => {
    const [first] = [claim(), claim()];
    wait('a');
    wait('b');
    await queue.pass(20 * SECOND_MS);
    end(first, 'canceled');
    await queue.pass(30 * SECOND_MS);
    expect(queue.refused).toEqual([]);
  });

  test('is left alone when a new job was claimed meanwhile', async () => {
    const id = claim();
    wait('a');
    await queue.pass(20 * SECOND_MS);
    end(id, 'canceled');
    claim();
    wait('b');
    await queue.pass(30 * SECOND_MS);
    expect(queue.refused).toEqual([]);
  });

  test('is left alone when GitLab never showed its job', async () => {
    wait('a');
    await queue.pass(60 * SECOND_MS);
    expect(queue.refused).toEqual([]);
  });

  test('is left alone where the runner holds idle machines', async () => {
    const settings = queueSettings({ url: queue.gitlab.url });
    queue.use([dropIn({ idleCount: 2 }, { queue: settings })]);
    const id = claim();
    wait('a');
    await queue.pass(20 * SECOND_MS);
    end(id, 'canceled');
    await queue.pass(30 * SECOND_MS);
    expect(queue.refused).toEqual([]);
    expect(queue.gitlab.asked.filter(({ path }) => path.includes('/runners/7/jobs'))).toEqual([]);
  });

  test('costs no call while nobody waits, and few while somebody does', async () => {
    const calls = () => queue.gitlab.asked.filter(({ path }) => path.includes('/runners/7/jobs')).length;
    await queue.pass(60 * SECOND_MS);
    expect(calls()).toBe(0);
    claim();
    wait('a');
    await queue.pass(60 * SECOND_MS);
    expect(calls()).toBeLessThanOrEqual(12);
  });
});
