// Look-ahead and forecast through a watch on a stand-in GitLab and a clock that the test moves.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SECOND_MS } from '../../../src/domain/units.ts';
import { startWatchedQueue, type WatchedQueue, watchedPool } from '../../support/watched-queue.ts';

let queue: WatchedQueue;
beforeEach(async () => {
  queue = await startWatchedQueue();
  queue.gitlab.addProjects(1);
  queue.gitlab.runner = {
    id: 7,
    runner_type: 'project_type',
    tag_list: ['docker'],
    run_untagged: false,
    projects: [{ id: 1, path_with_namespace: 'group/p1' }],
  };
});
afterEach(() => queue.close());

const stage = (over: object) => ({ project: 1, tags: ['docker'], ...over });
const statusNow = () => queue.watch.status(queue.clock.now())[0];

test('jobs of the next stage are shown once the length of the running ones is known, and never as pending', async () => {
  queue.use([watchedPool(queue.gitlab, { lookahead: true })]);
  const first = queue.gitlab.addJob(stage({ name: 'compile', status: 'running', pipeline: 1 }));
  await queue.pass(30 * SECOND_MS);
  expect(statusNow()?.coming).toEqual([]);
  queue.gitlab.jobs.delete(first.id);
  await queue.pass(70 * SECOND_MS);
  queue.gitlab.addJob(stage({ name: 'compile', status: 'running', pipeline: 2 }));
  const next = queue.gitlab.addJob(stage({ name: 'test', status: 'created', pipeline: 2 }));
  queue.gitlab.addJob(stage({ name: 'test', status: 'created', pipeline: 2, tags: ['gpu'] }));
  await queue.pass(20 * SECOND_MS);
  expect(statusNow()?.coming.map(({ job }) => job.id)).toEqual([next.id]);
  expect(statusNow()?.verdicts).toEqual([]);
  expect(queue.counts()).toEqual({});
  expect(queue.view().coming?.get('linux')).toHaveLength(1);
});

test('a pool that does not ask for it looks at pending jobs only', async () => {
  queue.use([watchedPool(queue.gitlab)]);
  await queue.pass(30 * SECOND_MS);
  const looks = queue.gitlab.asked.filter(({ path }) => path.includes('/jobs?'));
  expect(looks.length).toBeGreaterThan(0);
  expect(looks.every(({ path }) => !path.includes('created'))).toBe(true);
  expect(queue.view().coming).toBeUndefined();
});
