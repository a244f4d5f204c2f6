// The sources of the job queue against a GitLab stand-in on real HTTP: what they see, page by page, and what they refuse.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createGitlabDoor } from '../../../../src/adapters/gitlab/gitlab.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { Secret } from '../../../../src/domain/config.ts';
import { gitlabFailure } from '../../../../src/domain/gitlab-failure.ts';
import type { QueueSourceName } from '../../../../src/domain/queue.ts';
import type { CallReport, Gitlab } from '../../../../src/ports/queue.ts';
import { STAND_IN_TOKEN, type StandInGitlab, startStandInGitlab } from '../../../support/stand-in-gitlab.ts';

let gitlab: StandInGitlab;
let opened: Gitlab[] = [];
let reports: CallReport[] = [];
const signal = new AbortController().signal;

beforeEach(async () => {
  gitlab = await startStandInGitlab();
  reports = [];
});
afterEach(async () => {
  for (const one of opened) one.close();
  opened = [];
  await gitlab.close();
});

function open(over: { url?: string; token?: string; env?: Record<string, string> } = {}): Gitlab {
  const door = createGitlabDoor({ clock: createClock(), env: over.env ?? {}, version: '1.2.3' });
  const gate = { enter: async () => undefined, leave: (report: CallReport) => void reports.push(report) };
  const access = { url: over.url ?? gitlab.url, token: new Secret(over.token ?? STAND_IN_TOKEN), ca: null };
  const one = door.open(access, gate);
  opened.push(one);
  return one;
}

const pending = ['pending'];
const projects = (...ids: number[]) => ids.map((id) => ({ id, path: `group/p${id}` }));
const look = (name: Exclude<QueueSourceName, 'metrics'>, ...ids: number[]) =>
  open()
    .source(name)
    .look({ projects: projects(...ids), statuses: pending }, signal);
const kindOf = async (work: Promise<unknown>) =>
  await work.then(
    () => 'no failure',
    (error: unknown) => gitlabFailure(error).kind,
  );

describe.each(['rest', 'graphql', 'instance'] as const)('the source %s', (name) => {
  beforeEach(() => {
    gitlab.isAdmin = true;
    gitlab.addProjects(3);
  });

  test('shows pending jobs with what matching needs, and no others', async () => {
    const at = Date.now() - 30_000;
    gitlab.addJob({ project: 2, tags: ['docker', 'linux'], ref: 'v1', gitTag: true, queuedAt: at });
    gitlab.addJob({ project: 2, status: 'running' });
    gitlab.addJob({ project: 2, status: 'created' });
    const { jobs, complete, refused } = await look(name, 2);
    expect(complete).toBe(true);
    expect(refused).toEqual([]);
    expect(jobs).toHaveLength(1);
    expect(jobs[0]).toMatchObject({
      id: 1_001,
      project: { id: 2, path: 'group/p2' },
      name: 'job 1001',
      status: 'pending',
      tags: ['docker', 'linux'],
      ref: 'v1',
      gitTag: true,
      protectedRef: null,
    });
    expect(Math.abs((jobs[0]?.queuedAt ?? 0) - at)).toBeLessThan(2_100);
  });

  test('follows the pages of a long queue', async () => {
    for (let made = 0; made < 250; made++) gitlab.addJob({ project: 1 });
    const { jobs, complete } = await look(name, 1);
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(250);
    expect(complete).toBe(true);
    expect(gitlab.asked).toHaveLength(3);
  });

  test('says that an empty queue is empty', async () => {
    gitlab.addJob({ project: 1, status: 'success' });
    expect(await look(name, 1)).toMatchObject({ jobs: [], complete: true, refused: [] });
  });

  test('takes 401, 429 and 503 as failures and never as an empty queue', async () => {
    const kinds: string[] = [];
    for (const status of [401, 429, 503]) {
      gitlab.fault = () => ({ status, body: { message: 'no' } });
      kinds.push(await kindOf(look(name, 1)));
    }
    expect(kinds).toEqual(['token', 'throttled', 'away']);
    expect(reports.map(({ outcome }) => outcome)).toEqual(['refused', 'throttled', 'failed']);
  });

  test('leaves out a job that cannot be read and says that something is missing', async () => {
    gitlab.addJob({ project: 1 });
    gitlab.addJob({ project: 1, id: 1.5, name: 'odd' });
    const answer = await look(name, 1);
    expect(answer.jobs.map(({ id }) => id)).toEqual([1_001]);
    expect(answer.complete).toBe(false);
  });

  test('names itself and its version to GitLab', async () => {
    await look(name, 1).catch(() => undefined);
    expect(gitlab.asked[0]?.headers['user-agent']).toBe('hostler/1.2.3');
  });
});

describe('REST', () => {
  beforeEach(() => gitlab.addProjects(3));

  test('asks by keyset, for pending jobs alone', async () => {
    await look('rest', 2);
    const [asked] = gitlab.asked;
    expect(asked?.path).toBe(
      '/api/v4/projects/2/jobs?scope[]=pending&per_page=100&pagination=keyset&order_by=id&sort=asc',
    );
  });

  test('tells a project that is hidden from the token from one without jobs', async () => {
    gitlab.projects.set(9, { ...gitlab.projects.get(1), id: 9, path: 'x/y', hidden: true } as never);
    const answer = await look('rest', 9);
    expect(answer.refused).toEqual([{ project: 9, why: expect.stringContaining('404') as string }]);
  });

  test('keeps what it read when a later page fails, and says that it is not all', async () => {
    for (let made = 0; made < 150; made++) gitlab.addJob({ project: 1 });
    gitlab.fault = ({ path }) => (path.includes('id_after') ? { status: 502 } : null);
    const answer = await look('rest', 1);
    expect(answer.jobs).toHaveLength(100);
    expect(answer.complete).toBe(false);
  });

  test('does not call a list whole whose next page is told but cannot be asked for', async () => {
    gitlab.addJob({ project: 1 });
    gitlab.headers = { link: '<https://elsewhere.example.com/login>; rel="next"' };
    const answer = await look('rest', 1);
    expect(answer).toMatchObject({ complete: false });
    expect(answer.jobs).toHaveLength(1);
  });

  test('ends at a page that leads back to itself', async () => {
    gitlab.fault = ({ path }) => ({ body: [], headers: { link: `<${gitlab.url}${path}>; rel="next"` } });
    expect(await look('rest', 1)).toMatchObject({ complete: false });
    expect(gitlab.asked).toHaveLength(1);
  });
});

describe('GraphQL, several projects a look', () => {
  beforeEach(() => gitlab.addProjects(20));
  const seven = [1, 2, 3, 4, 5, 6, 7];

  test('asks for seven projects in one request, each under a name of its own', async () => {
    for (const id of seven) gitlab.addJob({ project: id });
    const { jobs } = await look('graphql', ...seven);
    expect(jobs.map(({ project }) => project.id).toSorted((a, b) => a - b)).toEqual(seven);
    expect(gitlab.asked).toHaveLength(1);
    const operations = JSON.parse(gitlab.asked[0]?.body ?? '[]') as { operationName: string }[];
    expect(new Set(operations.map(({ operationName }) => operationName)).size).toBe(7);
  });

  test('asks for fewer at a time when GitLab calls the batch too complex, and remembers it', async () => {
    gitlab.mostComplexity = 100;
    for (const id of seven) gitlab.addJob({ project: id });
    const source = open().source('graphql');
    const { jobs } = await source.look({ projects: projects(...seven), statuses: pending }, signal);
    expect(jobs).toHaveLength(7);
    expect(source.projectsPerLook).toBe(3);
  });

  test('does without an argument that an older GitLab does not know', async () => {
    gitlab.addJob({ project: 1 });
    const message = "Field 'jobs' doesn't accept argument 'kind'";
    gitlab.fault = ({ body }) => (body.includes('kind') ? { body: [{ errors: [{ message }] }] } : null);
    expect((await look('graphql', 1)).jobs).toHaveLength(1);
  });

  test('reports a hidden project and keeps the others', async () => {
    gitlab.addJob({ project: 2 });
    (gitlab.projects.get(1) as { hidden: boolean }).hidden = true;
    const answer = await look('graphql', 1, 2);
    expect(answer.jobs).toHaveLength(1);
    expect(answer.refused.map(({ project }) => project)).toEqual([1]);
  });

  /** As the stand-in answers, but for one project's operation. */
  function failOne(project: number, message: string): void {
    gitlab.fault = ({ body, path }) => {
      if (!path.endsWith('/graphql')) return null;
      const operations = JSON.parse(body) as { operationName: string; query: string }[];
      const parts = operations.map(({ operationName, query }) => {
        if (operationName === `hostler${project}`) return { errors: [{ message }] };
        const path_ = /fullPath: "([^"]*)"/.exec(query)?.[1];
        const found = [...gitlab.jobs.values()].filter((job) => `group/p${job.project}` === path_);
        const nodes = found.map((job) => ({ id: `gid://gitlab/Ci::Build/${job.id}`, tags: job.tags }));
        return { data: { project: { id: 'gid://gitlab/Project/1', jobs: { nodes } } } };
      });
      return { body: parts };
    };
  }

  test("keeps what the others tell when one project's operation fails, and tries that one once more", async () => {
    for (const id of [1, 2, 3]) gitlab.addJob({ project: id });
    failOne(2, 'Internal server error');
    const answer = await look('graphql', 1, 2, 3);
    expect(answer.jobs.map(({ project }) => project.id)).toEqual([1, 3]);
    expect(answer.refused).toMatchObject([{ project: 2, why: expect.stringContaining('Internal server') }]);
    expect(gitlab.asked).toHaveLength(2);
  });

  test('takes an error in every operation, or a limit in one, for trouble of the whole', async () => {
    gitlab.addJob({ project: 1 });
    failOne(1, 'insufficient_scope');
    expect(await kindOf(look('graphql', 1))).toBe('denied');
    failOne(1, 'This endpoint has been requested too many times: rate limit');
    expect(await kindOf(look('graphql', 1, 2))).toBe('throttled');
  });

  test('puts no path into a query that GitLab could not have given', async () => {
    const evil = { id: 5, path: 'a"){x}' };
    const answer = await open()
      .source('graphql')
      .look({ projects: [evil], statuses: pending }, signal);
    expect(answer.refused.map(({ project }) => project)).toEqual([5]);
    expect(gitlab.asked).toHaveLength(0);
  });
});

describe('the whole instance', () => {
  beforeEach(() => gitlab.addProjects(2));

  test('is not believed empty by a token that sees no job at all', async () => {
    gitlab.addJob({ project: 1 });
    expect(await kindOf(look('instance'))).toBe('denied');
    expect(await open().seesInstance(signal)).toBe(false);
  });

  test('is believed empty while the token sees other jobs, without asking each time', async () => {
    gitlab.isAdmin = true;
    gitlab.addJob({ project: 1, status: 'success' });
    const source = open().source('instance');
    for (let times = 0; times < 5; times++) await source.look({ projects: [], statuses: pending }, signal);
    expect(gitlab.count()).toEqual({ graphql: 6 });
  });

  test('is checked at once when a queue turns empty: a right taken away is no empty queue', async () => {
    gitlab.isAdmin = true;
    gitlab.addJob({ project: 1 });
    const source = open().source('instance');
    expect((await source.look({ projects: [], statuses: pending }, signal)).jobs).toHaveLength(1);
    gitlab.isAdmin = false;
    expect(await kindOf(source.look({ projects: [], statuses: pending }, signal))).toBe('denied');
  });
});

describe('answers of GitLab 16 to 19', () => {
  test('give the runner its traits, whatever the version calls them', async () => {
    const told = open();
    gitlab.runner = { id: 7, active: false, is_shared: true, tag_list: [], access_level: 'not_protected' };
    expect(await told.runner(7, signal)).toMatchObject({ type: 'instance', paused: true, runUntagged: true });
    gitlab.runner = {
      id: 7,
      paused: false,
      runner_type: 'project_type',
      tag_list: ['a'],
      run_untagged: false,
      access_level: 'ref_protected',
      projects: [{ id: '12', path_with_namespace: 'g/p' }],
      groups: null,
    };
    expect(await told.runner(7, signal)).toEqual({
      type: 'project',
      paused: false,
      tags: ['a'],
      runUntagged: false,
      protectedOnly: true,
      projects: [{ id: 12, path: 'g/p' }],
      groups: null,
    });
    gitlab.runner = { id: 7, runner_type: 'instance_type' };
    expect(await kindOf(told.runner(7, signal))).toBe('denied');
    gitlab.runner = null;
    expect(await kindOf(told.runner(7, signal))).toBe('denied');
  });

  test('list the projects of an instance or a group, closed ones marked', async () => {
    gitlab.addProjects(230);
    (gitlab.projects.get(3) as { archived: boolean }).archived = true;
    const told = open();
    const all = await told.projects({ kind: 'instance' }, signal);
    expect(all).toHaveLength(230);
    expect(all.filter(({ closed }) => closed).map(({ id }) => id)).toEqual([3]);
    expect(await told.projects({ kind: 'group', group: 'a/b' }, signal)).toHaveLength(230);
    expect(gitlab.asked.at(-1)?.path).toMatch(/^\/api\/v4\/groups\/a%2Fb\/projects\?include_subgroups=true/);
  });

  test('list named projects by id and path, those hidden from the token left out', async () => {
    gitlab.addProjects(3);
    (gitlab.projects.get(2) as { hidden: boolean }).hidden = true;
    const found = await open().projects({ kind: 'named', projects: [1, 'group/p2', 'group/p3'] }, signal);
    expect(found.map(({ id }) => id)).toEqual([1, 3]);
  });

  test('tell protected branches and tags; refs of merge requests are not asked for', async () => {
    gitlab.addProjects(1, { protectedRefs: ['main', 'release/1.0'] });
    const told = open();
    expect(await told.isProtected({ project: 1, ref: 'main', gitTag: false }, signal)).toBe(true);
    expect(await told.isProtected({ project: 1, ref: 'release/1.0', gitTag: false }, signal)).toBe(true);
    expect(await told.isProtected({ project: 1, ref: 'topic', gitTag: true }, signal)).toBe(false);
    expect(gitlab.asked.at(-1)?.path).toBe('/api/v4/projects/1/repository/tags/topic');
    const before = gitlab.asked.length;
    const request = { project: 1, ref: 'refs/merge-requests/3/head', gitTag: false };
    expect(await told.isProtected(request, signal)).toBe(null);
    expect(gitlab.asked).toHaveLength(before);
  });

  test('are asked again with their ETag, so that unchanged project lists cost no bytes', async () => {
    gitlab.addProjects(2);
    const body = JSON.stringify([{ id: 1 }, { id: 2 }]);
    gitlab.fault = ({ headers }) =>
      headers['if-none-match'] === 'W/"abc"'
        ? { status: 304, raw: '' }
        : { raw: body, headers: { etag: 'W/"abc"' } };
    const told = open();
    await told.projects({ kind: 'instance' }, signal);
    expect(await told.projects({ kind: 'instance' }, signal)).toHaveLength(2);
    expect(reports.map(({ outcome }) => outcome)).toEqual(['ok', 'unchanged']);
  });

  test('tell the version', async () => {
    expect(await open().version(signal)).toBe('19.4.1-ee');
  });
});

test('no source and no question asks for a job of the runner: GETs and GraphQL queries are all that goes out', async () => {
  gitlab.isAdmin = true;
  gitlab.addProjects(2);
  gitlab.addJob({ project: 1 });
  gitlab.runner = { id: 7, tag_list: [], runner_type: 'group_type', groups: [{ id: 1 }] };
  for (const name of ['rest', 'graphql', 'instance'] as const) await look(name, 1, 2);
  const one = open();
  await one.version(signal);
  await one.runner(7, signal);
  await one.projects({ kind: 'group', group: 1 }, signal);
  await one.isProtected({ project: 1, ref: 'main', gitTag: false }, signal);
  await one.runningJobs(7, signal);
  await one.jobStatus({ project: 1, id: 1 }, signal);
  await one.seesInstance(signal);
  expect(gitlab.asked.length).toBeGreaterThanOrEqual(10);
  for (const { method, path, body } of gitlab.asked) {
    expect(path).not.toContain('jobs/request');
    expect(method === 'GET' || path === '/api/graphql').toBe(true);
    expect(body).not.toContain('mutation');
  }
});
