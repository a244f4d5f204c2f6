// Jobs of the runner that have neither a machine nor a create: seen on its real /metrics, said once, with the cure.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunnerFigures, jobsByRunner } from '../../../src/adapters/runner-metrics/runner-figures.ts';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import type { Config } from '../../../src/domain/config.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import type { Entry } from '../../../src/service/journal.ts';
import { createStuckJobs, STUCK_AFTER_MS } from '../../../src/service/stuck-jobs.ts';
import { lease as aLease, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

let server: Server;
let text = '';
let status = 200;
beforeEach(async () => {
  status = 200;
  server = createServer((_request, reply) => reply.writeHead(status).end(text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => server.close());

const series = (state: string, count: number, runner = 'ABC123def') =>
  `gitlab_runner_jobs{executor_stage="docker_run",runner="${runner}",runner_name="x",stage="step_script",state="${state}"} ${count}`;

function aWatch() {
  const pool = poolSpec({ namePrefixes: ['runner-abc123def-box-'] });
  const clock = createHandClock(NOON);
  const store = createStore(openDatabase(':memory:'));
  const runnerMetrics = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  const config = createCurrentConfig(
    { pools: [pool], settings: { runnerMetrics } } as unknown as Config,
    NOON,
  );
  const said: Entry[] = [];
  const watch = createStuckJobs({
    store,
    config,
    figures: createRunnerFigures(),
    clock,
    journal: (entry) => void said.push(entry),
  });
  const hold = (name: string, state: 'waiting' | 'held') =>
    store.putLease(
      aLease({
        name,
        pool: pool.id,
        state,
        machine: state === 'held' ? name : null,
        urlAt: NOON,
        containers: 1,
      }),
    );
  return { watch, clock, said, hold };
}

describe('jobs without a machine', () => {
  test('are said once when they last, with the cure, and again only after they were over', async () => {
    const { watch, clock, said, hold } = aWatch();
    hold('a', 'held');
    text = [series('running', 2), series('finished', 1)].join('\n');
    await watch.look();
    expect(said).toEqual([]);
    await clock.advance(STUCK_AFTER_MS);
    await watch.look();
    await watch.look();
    expect(said).toMatchObject([{ code: 'runner-race', detail: { jobs: 3, served: 1 } }]);
    expect(said[0]?.text).toContain('MaxBuilds 10');
    text = series('running', 1);
    await watch.look();
    text = series('running', 5);
    await watch.look();
    await clock.advance(STUCK_AFTER_MS);
    await watch.look();
    expect(said).toHaveLength(2);
  });

  test('are not those that wait in a create, nor those of another runner', async () => {
    const { watch, clock, said, hold } = aWatch();
    hold('a', 'waiting');
    text = [series('running', 1), series('running', 9, 'other')].join('\n');
    await watch.look();
    await clock.advance(10 * STUCK_AFTER_MS);
    await watch.look();
    expect(said).toEqual([]);
  });

  test('are not guessed when the runner does not answer in between', async () => {
    const { watch, clock, said } = aWatch();
    text = series('running', 1);
    await watch.look();
    await clock.advance(STUCK_AFTER_MS);
    status = 500;
    await watch.look();
    status = 200;
    await watch.look();
    expect(said).toEqual([]);
  });
});

test('only the one family is read, whatever else the text holds', () => {
  const odd =
    'gitlab_runner_jobs_total{runner="a"} 9\n# HELP x\ngitlab_runner_jobs{state="x"} 1\ngitlab_runner_jobs{runner="b"} NaN\n\u0000';
  expect([...jobsByRunner(`${odd}\n${series('running', 4, 'c')}`)]).toEqual([['c', 4]]);
});
