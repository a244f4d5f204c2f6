// The queue by the runner's own metrics, over real HTTP: the source for those who have no token.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SECOND_MS } from '../../../src/domain/units.ts';
import { poolSpec } from '../../support/builders.ts';
import { queueSettings, startWatchedQueue, type WatchedQueue } from '../../support/watched-queue.ts';

let queue: WatchedQueue;
let runner: Server;
let text = '';
let status = 200;
beforeEach(async () => {
  queue = await startWatchedQueue();
  status = 200;
  runner = createServer((_request, reply) => reply.writeHead(status).end(text));
  await new Promise<void>((resolve) => runner.listen(0, '127.0.0.1', resolve));
  const spec = poolSpec({
    namePrefixes: ['runner-abc123def-box-'],
    queue: queueSettings({ token: null, url: 'https://gitlab.example.com' }),
  });
  const { port } = runner.address() as AddressInfo;
  queue.use([spec], { runnerMetrics: `http://127.0.0.1:${port}/metrics` });
});
afterEach(async () => {
  runner.closeAllConnections();
  runner.close();
  await queue.close();
});

function says(taken: number, size: number, { others = 0, depth = 1 } = {}): void {
  text = [
    `gitlab_runner_jobs_total{runner="ABC123def"} ${taken}`,
    `gitlab_runner_job_queue_size{runner="ABC123def"} ${size}`,
    `gitlab_runner_job_queue_depth{runner="ABC123def"} ${depth}`,
    `gitlab_runner_jobs{runner="ABC123def",state="running"} 3`,
    `gitlab_runner_jobs{runner="elsewhere",state="running"} ${others}`,
    '',
  ].join('\n');
}

/** Real answers of the runner need real time beside the virtual one. */
async function seen(what: () => boolean): Promise<void> {
  for (let looks = 0; looks < 600 && !what(); looks++) {
    await queue.pass(SECOND_MS / 2);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(what()).toBe(true);
}

describe('without a token', () => {
  test('the runner’s figure is the queue while jobs flow, and it is said so', async () => {
    says(10, 30);
    await seen(() => (queue.watch.states(queue.clock.now())[0]?.at ?? null) !== null);
    says(11, 29);
    await seen(() => queue.counts()['linux'] === 28);
    expect(queue.watch.states(queue.clock.now())).toMatchObject([
      { source: 'metrics', state: 'off', exact: false },
    ]);
    expect(queue.said.map(({ text: said }) => said)).toEqual([
      "the job queue is read from the runner's own metrics: no token is set (token in the queue table, or " +
        "HOSTLER_GITLAB_TOKEN); the runner's own figures tell how many jobs wait when it takes one",
    ]);
    await seen(() => queue.counts()['linux'] === undefined);
  });

  test('jobs that GitLab passed over, taken by other managers just then, do not wait any more', async () => {
    says(10, 30);
    await seen(() => (queue.watch.states(queue.clock.now())[0]?.at ?? null) !== null);
    says(11, 30, { depth: 13 });
    await seen(() => queue.counts()['linux'] === 17);
    expect(queue.watch.status(queue.clock.now())[0]).toMatchObject({
      told: 17,
      lastTold: { size: 30, depth: 13 },
    });
    says(12, 5, { depth: 45 });
    await seen(() => queue.counts()['linux'] === undefined);
  });

  test('a figure that no queue comes to costs no memory', async () => {
    says(10, 1);
    await seen(() => (queue.watch.states(queue.clock.now())[0]?.at ?? null) !== null);
    says(11, 1e15);
    await seen(() => queue.counts()['linux'] === 20_000);
  });

  test('jobs of the runner’s other sections count against concurrent, as long as it answers', async () => {
    says(10, 0, { others: 6 });
    await seen(() => queue.view().otherJobs === 6);
    status = 500;
    await seen(() => queue.view().otherJobs === 0);
  });
});
