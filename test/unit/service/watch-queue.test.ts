// The watch over the queue, against a stand-in GitLab on real HTTP and a clock that the test moves.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { STAND_IN_TOKEN } from '../../support/stand-in-gitlab.ts';
import { startWatchedQueue, type WatchedQueue, watchedPool } from '../../support/watched-queue.ts';

let queue: WatchedQueue;
beforeEach(async () => {
  queue = await startWatchedQueue();
});
afterEach(() => queue.close());

const runner = (over: Record<string, unknown> = {}) => ({
  id: 7,
  paused: false,
  runner_type: 'project_type',
  tag_list: ['docker'],
  run_untagged: true,
  access_level: 'not_protected',
  projects: [{ id: 1, path_with_namespace: 'group/p1' }],
  groups: [],
  ...over,
});
const groupRunner = (over: Record<string, unknown> = {}) =>
  runner({ runner_type: 'group_type', groups: [{ id: 5 }], projects: [], ...over });
const texts = (code: string) =>
  queue.said.filter((entry) => entry.code === code).map(({ text }) => text ?? '');
const sourceNow = () => queue.watch.states(queue.clock.now()).map(({ source }) => source);

describe('a project runner', () => {
  beforeEach(() => {
    queue.gitlab.addProjects(2);
    queue.gitlab.runner = runner();
    queue.use([watchedPool(queue.gitlab)]);
  });

  test('has its queue read by REST, said once with the reason', async () => {
    await queue.pass(30 * SECOND_MS);
    expect(texts('queue-source')).toEqual([
      'the job queue is read by REST, one call a project, because 1 project takes one call',
    ]);
    expect(queue.watch.states(queue.clock.now())).toMatchObject([
      { source: 'rest', state: 'fresh', exact: true },
    ]);
  });

  test('sees jobs within the poll interval and wakes the loop; what left is gone at the next look', async () => {
    await queue.pass(5 * SECOND_MS);
    const before = queue.nudges();
    const job = queue.gitlab.addJob({ project: 1, tags: ['docker'] });
    queue.gitlab.addJob({ project: 1, tags: ['windows'] });
    queue.gitlab.addJob({ project: 2 });
    await queue.pass(61 * SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
    expect(queue.nudges()).toBeGreaterThan(before);
    queue.gitlab.jobs.delete(job.id);
    await queue.pass(11 * SECOND_MS);
    expect(queue.counts()).toEqual({});
  });

  test('is looked at every 10 s while it has jobs', async () => {
    queue.gitlab.addJob({ project: 1 });
    await queue.pass(MINUTE_MS);
    queue.gitlab.count();
    await queue.pass(5 * MINUTE_MS);
    const { jobs = 0 } = queue.gitlab.count();
    expect(jobs).toBeGreaterThanOrEqual(29);
    expect(jobs).toBeLessThanOrEqual(36);
  });

  test('that is paused takes nothing', async () => {
    queue.gitlab.runner = runner({ paused: true });
    queue.gitlab.addJob({ project: 1 });
    await queue.pass(15 * SECOND_MS);
    expect(queue.counts()).toEqual({});
    expect(queue.watch.status(queue.clock.now())[0]?.verdicts[0]?.match).toMatchObject({ why: 'paused' });
  });

  test('whose settings change in GitLab is judged by the new ones within ten minutes', async () => {
    queue.gitlab.addJob({ project: 1, tags: ['gpu'] });
    await queue.pass(15 * SECOND_MS);
    expect(queue.counts()).toEqual({});
    queue.gitlab.runner = runner({ tag_list: ['docker', 'gpu'] });
    await queue.pass(10 * MINUTE_MS + SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
  });

  test('leaves jobs younger than min_age to others', async () => {
    queue.use([watchedPool(queue.gitlab, { minAgeMs: 30 * SECOND_MS })]);
    queue.gitlab.addJob({ project: 1 });
    await queue.pass(20 * SECOND_MS);
    expect(queue.counts()).toEqual({});
    await queue.pass(11 * SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
  });

  test('is looked at at once when somebody says that its project changed', async () => {
    await queue.pass(5 * MINUTE_MS);
    queue.gitlab.addJob({ project: 1 });
    expect(queue.watch.markDirty(1)).toBe(true);
    expect(queue.watch.markDirty('other/project')).toBe(false);
    await queue.pass(SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
  });
});

describe('the source by itself', () => {
  test('is the instance for an instance runner whose token sees it', async () => {
    queue.gitlab.addProjects(3);
    queue.gitlab.isAdmin = true;
    queue.gitlab.runner = runner({ runner_type: 'instance_type' });
    queue.gitlab.addJob({ project: 2 });
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(15 * SECOND_MS);
    expect(sourceNow()).toEqual(['instance']);
    expect(queue.counts()).toEqual({ linux: 1 });
  });

  test('is GraphQL for a group of many projects, REST where GraphQL is shut', async () => {
    queue.gitlab.addProjects(100);
    queue.gitlab.runner = groupRunner();
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(10 * SECOND_MS);
    expect(sourceNow()).toEqual(['graphql']);
    queue.gitlab.hasGraphql = false;
    await queue.restart();
    await queue.pass(10 * SECOND_MS);
    expect(sourceNow()).toEqual(['rest']);
  });

  test('leaves out projects whose group runners are off, archived ones and strangers', async () => {
    queue.gitlab.addProjects(4);
    Object.assign(queue.gitlab.projects.get(2) ?? {}, { group: false });
    Object.assign(queue.gitlab.projects.get(3) ?? {}, { archived: true });
    for (const project of [1, 2, 3, 4]) queue.gitlab.addJob({ project });
    queue.gitlab.runner = groupRunner();
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(15 * SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 2 });
    expect(queue.watch.status(queue.clock.now())[0]?.projects).toBe(2);
  });

  test('is the configuration’s word where the token may not read the runner, and says what is assumed', async () => {
    queue.gitlab.addProjects(1);
    queue.gitlab.addJob({ project: 1, tags: ['docker'] });
    queue.use([watchedPool(queue.gitlab, { tags: ['docker'], projects: ['group/p1'] })]);
    await queue.pass(15 * SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
    const [text = ''] = texts('queue-source');
    expect(text).toContain('GitLab does not allow runner to this token (403)');
    expect(text).toContain('it is assumed that it takes no untagged jobs');
  });

  test('is none that guesses: without tags GitLab is not asked for jobs, and it is said what is missing', async () => {
    queue.gitlab.addProjects(1);
    queue.use([watchedPool(queue.gitlab, { projects: [1] })]);
    await queue.pass(15 * SECOND_MS);
    expect(sourceNow()).toEqual([null]);
    expect(texts('queue-source')[0]).toContain("the runner's tags are not known");
    expect(queue.said[0]?.level).toBe('warn');
    expect(queue.gitlab.count()).not.toHaveProperty('jobs');
  });

  test('is none, without a word, where nobody asked for a queue', async () => {
    queue.use([watchedPool(queue.gitlab, { token: null })]);
    await queue.pass(15 * SECOND_MS);
    expect(sourceNow()).toEqual([null]);
    expect(queue.said).toEqual([]);
  });

  test('follows a new configuration, and closes what it no longer needs', async () => {
    queue.gitlab.addProjects(1);
    queue.gitlab.runner = runner();
    queue.gitlab.addJob({ project: 1 });
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(15 * SECOND_MS);
    queue.use([watchedPool(queue.gitlab, { source: 'none' })]);
    await queue.pass(15 * SECOND_MS);
    expect(queue.counts()).toEqual({});
    queue.gitlab.count();
    await queue.pass(2 * MINUTE_MS);
    expect(queue.gitlab.count()).toEqual({});
    queue.use([watchedPool(queue.gitlab), watchedPool(queue.gitlab, {}, 'second')]);
    await queue.pass(15 * SECOND_MS);
    expect(queue.counts()).toEqual({ 'linux second': 1 });
  });
});

describe('GitLab away for 30 minutes', () => {
  beforeEach(async () => {
    queue.gitlab.addProjects(30);
    queue.gitlab.runner = groupRunner();
    queue.use([watchedPool(queue.gitlab)]);
    for (let project = 1; project <= 5; project++) queue.gitlab.addJob({ project });
    await queue.pass(2 * MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 5 });
    queue.gitlab.count();
  });

  test('keeps what was seen, held after two minutes, asks seldom, and comes back without a burst', async () => {
    queue.gitlab.fault = () => ({ status: 502 });
    await queue.pass(MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 5 });
    await queue.pass(29 * MINUTE_MS);
    expect(queue.counts()).toEqual({ 'linux held': 5 });
    expect(queue.watch.states(queue.clock.now())).toMatchObject([{ state: 'stale' }]);
    expect(texts('queue-lost')).toHaveLength(1);
    expect(Object.values(queue.gitlab.count()).reduce((sum, count) => sum + count, 0)).toBeLessThan(60);

    queue.gitlab.fault = null;
    const from = queue.gitlab.asked.length;
    await queue.pass(2 * MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 5 });
    expect(queue.said.filter(({ code }) => code === 'queue-back')).toHaveLength(1);
    const times = queue.gitlab.asked.slice(from).map(({ at }) => at);
    for (const at of times) {
      expect(times.filter((other) => other > at - SECOND_MS && other <= at).length).toBeLessThanOrEqual(5);
    }
  });

  test('holds through a restart of the daemon', async () => {
    queue.gitlab.fault = () => ({ status: 502 });
    await queue.restart();
    await queue.pass(MINUTE_MS);
    expect(queue.counts()).toEqual({ 'linux held': 5 });
    expect(queue.watch.states(queue.clock.now())).toMatchObject([{ state: 'failed' }]);
    queue.gitlab.fault = null;
    await queue.pass(5 * MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 5 });
  });

  test('asks no sooner than GitLab says', async () => {
    queue.gitlab.fault = () => ({ status: 429, headers: { 'retry-after': '300' } });
    await queue.pass(15 * SECOND_MS);
    queue.gitlab.count();
    await queue.pass(280 * SECOND_MS);
    expect(queue.gitlab.count()).toEqual({});
  });
});

describe('a project that GitLab hides all at once', () => {
  beforeEach(async () => {
    queue.gitlab.addProjects(2);
    queue.gitlab.runner = groupRunner();
    queue.gitlab.addJob({ project: 1 });
    queue.gitlab.addJob({ project: 2 });
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(30 * SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 2 });
  });

  test('is held until the list of projects lacks it: a right taken away is no empty queue', async () => {
    Object.assign(queue.gitlab.projects.get(2) ?? {}, { hidden: true });
    await queue.pass(3 * MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 1, 'linux held': 1 });
    expect([...(queue.watch.status(queue.clock.now())[0]?.refused.keys() ?? [])]).toEqual([2]);
    await queue.pass(8 * MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
  });

  test('with all others is a queue that is lost, and said to be', async () => {
    queue.gitlab.fault = ({ path }) =>
      path.includes('/jobs') ? { status: 403, body: { error: 'insufficient_scope' } } : null;
    await queue.pass(5 * MINUTE_MS);
    expect(queue.counts()).toEqual({ 'linux held': 2 });
    expect(texts('queue-lost')[0]).toContain(
      'GitLab does not allow jobs to this token (403): insufficient_scope',
    );
  });
});

describe('a token', () => {
  beforeEach(() => {
    queue.gitlab.addProjects(1);
    queue.gitlab.runner = runner();
    queue.gitlab.addJob({ project: 1 });
  });
  const site = { key: 'eu', region: 'eu-central-1' } as never;

  test('in SSM is read when it is needed, and again when GitLab refuses it', async () => {
    queue.secret.value = 'glpat-old00000000000000';
    queue.use([watchedPool(queue.gitlab, { token: { kind: 'ssm', name: '/t', site } })]);
    await queue.pass(20 * SECOND_MS);
    expect(queue.watch.states(queue.clock.now())).toMatchObject([{ state: 'failed' }]);
    queue.secret.value = STAND_IN_TOKEN;
    await queue.pass(3 * MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
    expect(queue.secret.reads).toBeLessThan(12);
  });

  test('that is revoked is said once, in words without it, and the pool is held', async () => {
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(15 * SECOND_MS);
    queue.gitlab.fault = () => ({ status: 401, body: { message: `401 ${STAND_IN_TOKEN}` } });
    await queue.pass(10 * MINUTE_MS);
    expect(queue.counts()).toEqual({ 'linux held': 1 });
    expect(texts('queue-lost')).toEqual([
      'the job queue cannot be read, the pool is held as it is: ' +
        'GitLab does not accept the token (jobs, 401): expired, revoked, or of another GitLab',
    ]);
    expect(JSON.stringify(queue.said)).not.toContain(STAND_IN_TOKEN);
    expect(await queue.metrics.render()).not.toContain(STAND_IN_TOKEN);
  });
});

describe('a ref whose protection GitLab cannot tell', () => {
  test('keeps no other ref’s from being asked for', async () => {
    queue.gitlab.addProjects(1);
    queue.gitlab.runner = runner({ access_level: 'ref_protected' });
    queue.gitlab.fault = ({ path }) =>
      path.includes('branches/odd') ? { status: 500, body: { message: 'boom' } } : null;
    queue.gitlab.addJob({ project: 1, ref: 'odd' });
    queue.gitlab.addJob({ project: 1, ref: 'main' });
    queue.use([watchedPool(queue.gitlab, { source: 'rest' })]);
    await queue.pass(3 * MINUTE_MS);
    expect(queue.counts()).toEqual({ linux: 1 });
  });
});

describe('protected refs', () => {
  test('are asked for once each, and only for runners that take no others', async () => {
    queue.gitlab.addProjects(1);
    queue.gitlab.runner = runner({ access_level: 'ref_protected' });
    for (const ref of ['main', 'main', 'topic', 'refs/merge-requests/1/head'])
      queue.gitlab.addJob({ project: 1, ref });
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(30 * SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 2 });
    await queue.pass(2 * MINUTE_MS);
    expect(queue.gitlab.asked.filter(({ path }) => path.includes('/repository/'))).toHaveLength(2);
    queue.use([watchedPool(queue.gitlab, { assumeProtected: true })]);
    await queue.pass(30 * SECOND_MS);
    expect(queue.counts()).toEqual({ linux: 3 });
  });
});

describe('1,000 projects, 10 of them busy', () => {
  beforeEach(() => {
    queue.gitlab.addProjects(1_000);
    queue.gitlab.runner = groupRunner();
    queue.gitlab.headers = { 'ratelimit-limit': '600', 'ratelimit-remaining': '500' };
  });

  function mostInAMinute(): number {
    const times = queue.gitlab.asked.map(({ at }) => at);
    return Math.max(
      ...times.map((at) => times.filter((other) => other > at - MINUTE_MS && other <= at).length),
    );
  }

  test('seen through the instance cost at most 10 requests a minute and are seen within 15 s', async () => {
    queue.gitlab.isAdmin = true;
    queue.gitlab.addJob({ project: 999, status: 'success' });
    queue.use([watchedPool(queue.gitlab)]);
    await queue.pass(MINUTE_MS);
    expect(sourceNow()).toEqual(['instance']);
    queue.gitlab.asked.length = 0;
    for (let round = 0; round < 5; round++) {
      for (let project = 1; project <= 10; project++) queue.gitlab.addJob({ project });
      await queue.pass(15 * SECOND_MS);
      expect(queue.counts()).toEqual({ linux: 10 });
      for (const job of queue.gitlab.jobs.values()) job.status = 'running';
      await queue.pass(45 * SECOND_MS);
    }
    expect(mostInAMinute()).toBeLessThanOrEqual(10);
  }, 60_000);

  test('by REST cost at most 150 requests a minute, the busy ones are seen within 15 s', async () => {
    for (let project = 1; project <= 10; project++) queue.gitlab.addJob({ project });
    queue.use([watchedPool(queue.gitlab, { source: 'rest' })]);
    await queue.pass(3 * MINUTE_MS);
    const late: number[] = [];
    for (let round = 0; round < 4; round++) {
      const job = queue.gitlab.addJob({ project: 1 + round });
      const begun = queue.clock.now();
      const isSeen = () =>
        queue.watch.status(queue.clock.now())[0]?.verdicts.some((one) => one.job.id === job.id);
      while (isSeen() !== true && queue.clock.now() - begun < MINUTE_MS) await queue.pass(SECOND_MS);
      late.push(queue.clock.now() - begun);
    }
    expect(Math.max(...late)).toBeLessThanOrEqual(15 * SECOND_MS);
    expect(mostInAMinute()).toBeLessThanOrEqual(150);
  }, 60_000);
});

test('a wall clock that is set back an hour does not stop the looks', async () => {
  queue.gitlab.addProjects(1);
  queue.gitlab.runner = runner();
  queue.use([watchedPool(queue.gitlab)]);
  await queue.pass(15 * SECOND_MS);
  queue.clock.jump(-HOUR_MS);
  queue.gitlab.addJob({ project: 1 });
  await queue.pass(2 * MINUTE_MS);
  expect(queue.counts()).toEqual({ linux: 1 });
});
