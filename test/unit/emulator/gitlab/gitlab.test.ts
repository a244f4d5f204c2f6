// The emulated GitLab by its answers, and by what hostler's own sources read of them, for versions 16 to 19.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createGitlabDoor } from '../../../../src/adapters/gitlab/gitlab.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { Secret } from '../../../../src/domain/config.ts';
import { createHookGuard } from '../../../../src/doors/http/webhook-proof.ts';
import { complexityOf, readQuery } from '../../../../src/emulator/gitlab/graph-query.ts';
import {
  type EmulatedGitlab,
  type GitlabOptions,
  startGitlab,
} from '../../../../src/emulator/gitlab/start-gitlab.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function start(options: GitlabOptions = {}): Promise<EmulatedGitlab> {
  const made = await startGitlab(options);
  ends.push(() => made.close());
  return made;
}

const signal = new AbortController().signal;
const pass = { enter: async () => undefined, leave: () => undefined };

/** hostler's own way to it. */
function reader(gitlab: EmulatedGitlab) {
  const door = createGitlabDoor({ clock: createClock(), env: {}, version: '1.0.0' });
  const opened = door.open({ url: gitlab.url, token: new Secret('glpat-emulated'), ca: null }, pass);
  ends.push(() => opened.close());
  return opened;
}

async function get(gitlab: EmulatedGitlab, path: string, token = 'glpat-x') {
  const answer = await fetch(`${gitlab.url}/api/v4/${path}`, { headers: { 'private-token': token } });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

async function graph(gitlab: EmulatedGitlab, body: unknown): Promise<unknown> {
  const answer = await fetch(`${gitlab.url}/api/graphql`, {
    method: 'POST',
    headers: { 'private-token': 'glpat-x', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.json();
}

describe.each(['16.11.0', '17.5.0', '18.9.0', '19.4.1'])('GitLab %s', (version) => {
  test('is read by every source of hostler alike', async () => {
    const gitlab = await start({ version });
    gitlab.control('POST', 'projects', { count: 3 });
    gitlab.control('POST', 'jobs', { count: 2, project: 2, tags: ['docker'], ref: 'topic' });
    gitlab.control('POST', 'jobs', { count: 120, project: 3 });
    const open = reader(gitlab);
    expect(await open.version(signal)).toBe(`${version}-ee`);
    const projects = await open.projects({ kind: 'instance' }, signal);
    const statuses = ['pending'];
    const rest = await Promise.all(
      projects.map((project) => open.source('rest').look({ projects: [project], statuses }, signal)),
    );
    const graphql = await open.source('graphql').look({ projects, statuses }, signal);
    const instance = await open.source('instance').look({ projects: [], statuses }, signal);
    const ids = (jobs: readonly { id: number }[]) => jobs.map(({ id }) => id).toSorted((a, b) => a - b);
    const all = ids(rest.flatMap(({ jobs }) => jobs));
    expect(all).toHaveLength(122);
    expect(ids(graphql.jobs)).toEqual(all);
    expect(ids(instance.jobs)).toEqual(all);
    const [one] = rest[1]?.jobs ?? [];
    expect(one).toMatchObject({ tags: ['docker'], ref: 'topic', gitTag: false, project: { id: 2 } });
    expect([...rest, graphql, instance].every(({ complete }) => complete)).toBe(true);
  });

  test('shows a runner as its version does', async () => {
    const gitlab = await start({ version });
    gitlab.control('POST', 'projects', { count: 2 });
    gitlab.control('POST', 'runners', { tags: ['docker'], run_untagged: false, projects: [2] });
    gitlab.control('POST', 'change-runner', { runner: 1, paused: true });
    expect(await reader(gitlab).runner(1, signal)).toEqual({
      type: 'project',
      paused: true,
      tags: ['docker'],
      runUntagged: false,
      protectedOnly: false,
      projects: [{ id: 2, path: 'group/project-2' }],
      groups: [],
    });
    const { body } = await get(gitlab, 'runners/1');
    expect('active' in (body as object)).toBe(version.startsWith('16'));
  });
});

describe('the quirks', () => {
  test('a list of jobs has no X-Total, and keyset pages are told by Link alone', async () => {
    const gitlab = await start();
    gitlab.control('POST', 'jobs', { count: 130 });
    const offset = await get(gitlab, 'projects/1/jobs?scope[]=pending&per_page=100');
    expect(offset.headers.get('x-total')).toBeNull();
    expect(offset.headers.get('x-next-page')).toBe('2');
    const keyset = await get(gitlab, 'projects/1/jobs?pagination=keyset&per_page=100&sort=asc');
    expect(keyset.headers.get('x-next-page')).toBeNull();
    const target = /<(.+)>; rel="next"/.exec(keyset.headers.get('link') ?? '')?.[1] ?? '';
    const second = await fetch(target, { headers: { 'private-token': 'x' } });
    expect(second.headers.get('link')).toBeNull();
    expect(await second.json()).toHaveLength(30);
    expect((await get(gitlab, 'projects')).headers.get('x-total')).toBe('1');
  });

  test('the 601st call for jobs in a minute is refused without Retry-After, and no header had told', async () => {
    const gitlab = await start({ jobsPerMinute: 3 });
    gitlab.control('POST', 'projects', {});
    const answers = [];
    for (let asked = 0; asked < 4; asked++) answers.push(await get(gitlab, 'projects/1/jobs'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers[3]?.headers.get('retry-after')).toBeNull();
    expect(answers[2]?.headers.get('ratelimit-remaining')).toBeNull();
    expect(gitlab.calls()).toMatchObject({ jobs: 4, '429': 1 });
  });

  test("the instance's throttle is told on every answer, and its refusal says when to come back", async () => {
    const gitlab = await start({ callsPerMinute: 2 });
    const answers = [];
    for (let asked = 0; asked < 3; asked++) answers.push(await get(gitlab, 'version'));
    expect(answers.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual(['1', '0', '0']);
    expect(answers[2]?.status).toBe(429);
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(answers[2]?.headers.get('ratelimit-resettime')).not.toBeNull();
  });

  test('who may not see the instance gets an empty list and no error', async () => {
    const gitlab = await start({ isAdmin: false });
    gitlab.control('POST', 'jobs', { count: 2 });
    expect(await graph(gitlab, { query: '{ jobs(first: 1) { nodes { id } } }' })).toEqual({
      data: { jobs: { nodes: [] } },
    });
    expect(await reader(gitlab).seesInstance(signal)).toBe(false);
  });

  test('an operation takes the jobs of one project', async () => {
    const gitlab = await start();
    gitlab.control('POST', 'projects', { count: 2 });
    const part = (id: number) => `p${id}: project(fullPath: "group/project-${id}") { jobs { nodes { id } } }`;
    expect(await graph(gitlab, { query: `{ ${part(1)} ${part(2)} }` })).toEqual({
      errors: [{ message: '"jobs" field can be requested only for 1 Project(s) at a time.' }],
    });
    const both = await graph(gitlab, [{ query: `{ ${part(1)} }` }, { query: `query B { ${part(2)} }` }]);
    expect(both).toEqual([
      { data: { p1: { jobs: { nodes: [] } } } },
      { data: { p2: { jobs: { nodes: [] } } } },
    ]);
  });

  test('a request above the complexity is refused, and hostler comes back with a smaller one', async () => {
    const gitlab = await start();
    gitlab.control('POST', 'projects', { count: 30 });
    gitlab.control('POST', 'jobs', { project: 30 });
    const many = Array.from({ length: 12 }, (_, index) => ({
      query: `query P${index} { project(fullPath: "group/project-${index + 1}") { id jobs(first: 100) { nodes { id name tags queuedAt refName createdByTag } pageInfo { hasNextPage endCursor } } } }`,
    }));
    const refused = (await graph(gitlab, many)) as { errors: { message: string }[] }[];
    expect(refused[0]?.errors[0]?.message).toMatch(/complexity of \d+, which exceeds max complexity of 250/);
    const open = reader(gitlab);
    const projects = await open.projects({ kind: 'instance' }, signal);
    const answer = await open.source('graphql').look({ projects, statuses: ['pending'] }, signal);
    expect(answer.jobs).toHaveLength(1);
  });

  test('a project hidden from the token is 404 in REST and null in GraphQL', async () => {
    const gitlab = await start();
    gitlab.control('POST', 'projects', { count: 2 });
    gitlab.control('POST', 'hide', { project: 2 });
    expect((await get(gitlab, 'projects/2/jobs')).status).toBe(404);
    const open = reader(gitlab);
    expect(await open.projects({ kind: 'group', group: 'group' }, signal)).toHaveLength(1);
    const order = { projects: [{ id: 2, path: 'group/project-2' }], statuses: ['pending'] };
    expect((await open.source('graphql').look(order, signal)).refused).toHaveLength(1);
  });

  test('a scope that is none is 400, a token that is empty 401, a runner that may not be read 403', async () => {
    const gitlab = await start({ readsRunners: false });
    gitlab.control('POST', 'runners', {});
    gitlab.control('POST', 'projects', {});
    expect((await get(gitlab, 'projects/1/jobs?scope[]=waiting')).status).toBe(400);
    expect((await get(gitlab, 'version', '')).status).toBe(401);
    expect((await get(gitlab, 'runners/1')).status).toBe(403);
  });

  test.each(['away', 'half', 'throttled'])('while it is %s nothing reads as an empty queue', async (kind) => {
    const gitlab = await start();
    gitlab.control('POST', 'jobs', { count: 50 });
    gitlab.control('POST', 'trouble', { kind, seconds: 600 });
    const order = { projects: [{ id: 1, path: 'group/project-1' }], statuses: ['pending'] };
    await expect(reader(gitlab).source('rest').look(order, signal)).rejects.toThrow(/GitLab/);
  });

  test('slow answers come late and whole', async () => {
    const gitlab = await start();
    gitlab.control('POST', 'jobs', {});
    gitlab.control('POST', 'trouble', { kind: 'slow', delay_s: 0.3 });
    const order = { projects: [{ id: 1, path: 'group/project-1' }], statuses: ['pending'] };
    expect((await reader(gitlab).source('rest').look(order, signal)).jobs).toHaveLength(1);
  });
});

describe('its runners and jobs', () => {
  test('are moved by control calls: claims, ends, cancels, stages', async () => {
    const gitlab = await start();
    gitlab.control('POST', 'runners', {});
    const { body } = gitlab.control('POST', 'pipelines', { stages: [[{ name: 'a' }], [{ name: 'b' }]] });
    const [first = 0, second = 0] = (body as { jobs: number[] }).jobs;
    expect(gitlab.gitlab.job(second)?.status).toBe('created');
    expect(gitlab.control('POST', 'claim', { runner: 1 }).body).toEqual({ job: first });
    const running = await reader(gitlab).runningJobs(1, signal);
    expect(running).toEqual([{ id: first, status: 'running', project: 1 }]);
    gitlab.control('POST', 'finish', { job: first });
    expect(gitlab.gitlab.job(second)?.status).toBe('pending');
    gitlab.control('POST', 'cancel', { job: second });
    expect(await reader(gitlab).jobStatus({ project: 1, id: second }, signal)).toBe('canceled');
  });

  test('control calls that make no sense are refused in words', async () => {
    const gitlab = await start();
    expect(gitlab.control('POST', 'trouble', { kind: 'rain' }).status).toBe(400);
    expect(gitlab.control('POST', 'jobs', { count: 0 }).status).toBe(400);
    expect(gitlab.control('POST', 'jobs', { project: 99 }).status).toBe(404);
    expect(gitlab.control('POST', 'nothing').status).toBe(404);
    expect(gitlab.control('GET', 'constructor').status).toBe(404);
  });
});

describe('its job hooks', () => {
  test.each([
    ['18.9.0', 'a-secret-token'],
    ['19.4.1', 'whsec_MDEyMzQ1Njc4OWFiY2RlZg=='],
  ])(
    'of version %s are proven by the door for webhooks, and lack the tags of the job',
    async (version, token) => {
      const calls: { headers: Record<string, unknown>; body: Buffer }[] = [];
      const server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          calls.push({ headers: request.headers, body: Buffer.concat(chunks) });
          response.end();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      ends.push(() => server.close());
      const gitlab = await start({ version });
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      gitlab.control('POST', 'projects', {});
      gitlab.control('POST', 'hooks', { url, token });
      gitlab.control('POST', 'jobs', { tags: ['docker'] });
      await expect.poll(() => calls.length, { timeout: 30_000 }).toBeGreaterThan(0);
      const [call] = calls;
      if (call === undefined) throw new Error('no call');
      const payload = JSON.parse(call.body.toString()) as Record<string, unknown>;
      expect(payload).toMatchObject({
        object_kind: 'build',
        build_status: 'created',
        project_id: 1,
        runner: null,
      });
      expect(JSON.stringify(payload)).not.toContain('docker');
      const guard = createHookGuard(() => [new Secret(token)]);
      const headers = call.headers as Record<string, string>;
      expect(guard.prove({ headers, body: call.body, now: Date.now() })).toEqual({ ok: true });
    },
  );
});

describe('complexity', () => {
  test('of a lean look at a project is what GitLab counts, some 28', () => {
    const query =
      'query P17 { project(fullPath:"g/p") { id jobs(statuses:[PENDING], kind:BUILD, first:100) { nodes { id tags queuedAt refName createdByTag } pageInfo { hasNextPage endCursor } } } }';
    const score = complexityOf(readQuery(query));
    expect(score).toBeGreaterThanOrEqual(20);
    expect(score).toBeLessThanOrEqual(35);
  });

  test.each(['{', '{ a', 'mutation { a }', '{ a(b: ) }', '', '{ a } { b }', `{ ${'a { '.repeat(30)}`])(
    'the query %s is refused in words',
    (query) => {
      expect(() => readQuery(query)).toThrow(SyntaxError);
    },
  );
});
