// The queue by the runner's own metrics, over real HTTP: the source for those who have no token.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
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
  queue.use([spec], { runnerMetrics: url() });
});
afterEach(async () => {
  runner.closeAllConnections();
  runner.close();
  await queue.close();
});

const url = () => `http://127.0.0.1:${(runner.address() as AddressInfo).port}/metrics`;

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
      "the job queue is read from the runner's own metrics, because no token is set (token in the queue table, or " +
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

  test('concurrent and limit are bounds by the runner’s own word, as long as it answers', async () => {
    says(10, 0);
    text += 'gitlab_runner_concurrent 12\ngitlab_runner_limit{runner="ABC123def"} 5\n';
    await seen(() => queue.view().bounds?.concurrent === 12);
    expect(queue.view().bounds?.limits).toEqual(new Map([['linux', 5]]));
    text = text.replace('} 5\n', '} 0\n');
    await seen(() => queue.view().bounds?.limits.size === 0);
    status = 500;
    await seen(() => queue.view().bounds === undefined);
  });

  test('jobs of the runner’s other sections count against concurrent, as long as it answers', async () => {
    says(10, 0, { others: 6 });
    await seen(() => queue.view().otherJobs === 6);
    status = 500;
    await seen(() => queue.view().otherJobs === 0);
  });
});

describe('with source = "auto" and a GitLab that does not answer at the start', () => {
  let calls: number[];
  let isAway: boolean;
  beforeEach(() => {
    calls = [];
    isAway = true;
    queue.gitlab.fault = () => {
      calls.push(queue.clock.now());
      return isAway ? { status: 502, body: 'bad gateway' } : null;
    };
    queue.gitlab.addProjects(1);
    queue.gitlab.runner = {
      id: 7,
      runner_type: 'project_type',
      tag_list: [],
      run_untagged: true,
      projects: [{ id: 1 }],
    };
    const own = { namePrefixes: ['runner-abc123def-box-'], queue: queueSettings({ url: queue.gitlab.url }) };
    queue.use([poolSpec(own)], { runnerMetrics: url() });
  });

  const state = () => queue.watch.status(queue.clock.now())[0];
  const words = () => queue.said.map(({ code, text: said }) => `${code} ${said ?? ''}`);

  test('the runner’s figures are used meanwhile, GitLab is asked ever more seldom, and all is said once', async () => {
    says(10, 30);
    await seen(() => state()?.source === 'metrics');
    says(11, 29);
    await seen(() => queue.counts()['linux'] === 28);
    expect(state()).toMatchObject({ state: 'off', failing: expect.stringContaining('502') as string });
    await queue.pass(10 * MINUTE_MS);
    const pauses = calls.slice(1).map((at, index) => at - (calls[index] ?? at));
    expect(pauses.slice(0, 3).every((pause) => pause < 30 * SECOND_MS)).toBe(true);
    expect(pauses.slice(-2).every((pause) => pause >= 100 * SECOND_MS)).toBe(true);
    expect(words()).toEqual([
      expect.stringMatching(
        /^queue-source the job queue is read from the runner's own metrics, because GitLab cannot be asked yet and is tried again and again; .*502/,
      ),
    ]);
    isAway = false;
    queue.gitlab.addJob({ project: 1 });
    await queue.pass(3 * MINUTE_MS);
    expect(state()).toMatchObject({ source: 'rest', state: 'fresh', failing: null });
    expect(queue.counts()).toEqual({ linux: 1 });
    expect(words().slice(1)).toEqual([
      'queue-source the job queue is read by REST, one call a project, because 1 project takes one call',
    ]);
  });

  test('what was pending before a restart stays held beside the runner’s figures', async () => {
    isAway = false;
    says(10, 30);
    queue.gitlab.addJob({ project: 1 });
    queue.gitlab.addJob({ project: 1 });
    await queue.pass(MINUTE_MS);
    isAway = true;
    await queue.restart();
    await seen(() => state()?.source === 'metrics');
    says(11, 6);
    await seen(() => queue.counts()['linux'] === 5);
    expect(queue.counts()).toEqual({ linux: 5, 'linux held': 2 });
  });

  test.each([
    ['does not answer', () => (status = 500)],
    ['is too old to name its queue', () => (text = 'gitlab_runner_jobs_total{runner="ABC123def"} 4\n')],
  ])('a runner that %s is no source: the pool is held and it is said', async (_, spoil) => {
    says(10, 30);
    spoil();
    await seen(() => state()?.state === 'failed');
    await queue.pass(MINUTE_MS);
    expect(state()).toMatchObject({ source: null, state: 'failed' });
    expect(words()).toEqual([expect.stringMatching(/^queue-lost .*held as it is.*502/)]);
  });

  test('a source that is asked for by name is not replaced', async () => {
    says(10, 30);
    const settings = queueSettings({ url: queue.gitlab.url, source: 'rest' });
    queue.use([poolSpec({ namePrefixes: ['runner-abc123def-box-'], queue: settings })], {
      runnerMetrics: url(),
    });
    await queue.pass(MINUTE_MS);
    expect(state()).toMatchObject({ source: null, state: 'failed' });
  });
});
