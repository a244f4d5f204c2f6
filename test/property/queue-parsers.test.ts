// Whatever GitLab, its webhooks or the store say, every parser of the queue answers or throws one line, in bounded size.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  assignedJob,
  graphAnswer,
  graphConnection,
  graphJob,
  readEach,
  restJob,
  restProject,
  restRunner,
} from '../../src/adapters/gitlab/answers.ts';
import { createGitlabDoor } from '../../src/adapters/gitlab/gitlab.ts';
import { createGraphqlSource } from '../../src/adapters/gitlab/graphql-source.ts';
import type { GitlabHttp } from '../../src/adapters/gitlab/http-client.ts';
import { createInstanceSource } from '../../src/adapters/gitlab/instance-source.ts';
import { asList } from '../../src/adapters/gitlab/lists.ts';
import { nextPage } from '../../src/adapters/gitlab/page-links.ts';
import { clockSkew, rateSaid } from '../../src/adapters/gitlab/rate-headers.ts';
import { fromGraph, fromRest } from '../../src/adapters/gitlab/read-jobs.ts';
import { createRestSource } from '../../src/adapters/gitlab/rest-source.ts';
import { jobsByRunner } from '../../src/adapters/runner-metrics/runner-figures.ts';
import { readScrape } from '../../src/adapters/runner-metrics/runner-scrape.ts';
import { createClock } from '../../src/adapters/system/clock.ts';
import { Secret } from '../../src/domain/config.ts';
import { HostlerError } from '../../src/domain/error.ts';
import { readJobHook } from '../../src/doors/http/webhook-app.ts';
import { createHookGuard } from '../../src/doors/http/webhook-proof.ts';
import { complexityOf, readQuery } from '../../src/emulator/gitlab/graph-query.ts';
import { forecastFrom, parseHistory } from '../../src/queue/forecast.ts';
import { nextStages } from '../../src/queue/lookahead.ts';
import { matchJob } from '../../src/queue/match-job.ts';
import { createHandClock } from '../support/hand-clock.ts';

/** Inputs of each parser. */
const RUNS = { numRuns: 10_000 };
const NOW = Date.UTC(2026, 10, 23);
const NEVER = new AbortController().signal;
const project = { id: 1, path: 'group/app' };

/** Anything that JSON can hold, and values that come near what is meant. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    null,
    '',
    0,
    -1,
    1e308,
    'gid://gitlab/Ci::Build/7',
    '2026-11-23T00:00:00Z',
    'pending',
    [],
    {},
  ),
  fc.string({ maxLength: 2_000 }),
);
const names =
  'id status tag_list name stage ref tag created_at started_at queued_duration web_url pipeline project_id tags queuedAt createdAt project fullPath nodes pageInfo hasNextPage endCursor data errors message runner_type access_level projects groups paused __proto__ constructor'.split(
    ' ',
  );
const thing = fc.oneof(
  odd,
  fc.dictionary(fc.constantFrom(...names), fc.oneof(odd, fc.dictionary(fc.constantFrom(...names), odd))),
  fc.record({
    id: fc.oneof(fc.nat(), odd),
    status: fc.oneof(fc.constantFrom('pending', 'created', 'running'), odd),
    tag_list: fc.oneof(fc.array(fc.string()), odd),
    tags: fc.oneof(fc.array(fc.string()), odd),
    created_at: odd,
    queued_duration: odd,
    pipeline: odd,
    project: odd,
  }),
);

const rules = {
  traits: {
    type: null,
    paused: false,
    tags: ['docker'],
    runUntagged: true,
    protectedOnly: true,
    projects: null,
    groups: null,
  },
  scope: { only: null, except: new Set<number>() },
  assumeProtected: false,
};

describe('10,000 odd inputs', () => {
  test('of job lists come to jobs of bounded size, or to none', () => {
    const moment = { sentAt: NOW, skew: 0 };
    fc.assert(
      fc.property(fc.array(thing, { maxLength: 5 }), (entries) => {
        const jobs = [
          ...readEach(restJob, entries).read.map((job) => fromRest(job, project, moment)),
          ...readEach(graphJob, entries).read.flatMap(
            (job) =>
              fromGraph(job, { project, status: 'pending', url: 'https://g.example.com' }, moment) ?? [],
          ),
        ];
        for (const job of jobs) {
          expect(Number.isSafeInteger(job.id)).toBe(true);
          expect(JSON.stringify(job).length).toBeLessThan(30_000);
          matchJob(rules, job);
        }
        nextStages(jobs, () => ({ ms: 1_000, longestMs: 1_000 }), NOW);
      }),
      RUNS,
    );
  }, 120_000);

  test('of projects, runners, connections and answers are taken or refused, never thrown over', () => {
    fc.assert(
      fc.property(thing, (json) => {
        for (const schema of [restProject, restRunner, graphConnection, graphAnswer, assignedJob])
          schema.safeParse(json);
      }),
      RUNS,
    );
  }, 120_000);

  test('for a list are a list, or one line that says what is wrong', () => {
    fc.assert(
      fc.property(thing, (json) => {
        try {
          expect(Array.isArray(asList('jobs', json))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(HostlerError);
          expect((error as Error).message).not.toContain('\n');
        }
      }),
      RUNS,
    );
  }, 60_000);

  test('of rate headers come to numbers and times, or to nothing', () => {
    const value = fc.oneof(
      fc.string(),
      fc.nat().map(String),
      fc.constantFrom('-1', '1e9', 'NaN', new Date(NOW).toUTCString(), '99999999999999999999'),
      fc.array(fc.string(), { maxLength: 3 }),
    );
    const keys = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'ratelimit-resettime'];
    const headers = fc.dictionary(fc.constantFrom(...keys, 'retry-after', 'date'), value);
    fc.assert(
      fc.property(headers, fc.boolean(), (sent, refused) => {
        const { limit, remaining, retryAt } = rateSaid(sent, NOW, refused);
        for (const number of [limit, remaining, retryAt]) expect(Number.isNaN(number)).toBe(false);
        expect(Number.isFinite(clockSkew(sent, NOW))).toBe(true);
      }),
      RUNS,
    );
  }, 60_000);

  test('of Link and X-Next-Page lead to a page of the API below our own root, or to none', () => {
    const root = new URL('https://g.example.com/gitlab/api/');
    const target = fc.oneof(
      fc.webUrl({ withQueryParameters: true }),
      fc.string({ maxLength: 3_000 }),
      fc.constantFrom(
        '/api/v4/jobs?cursor=7',
        'https://evil.example.com/api/v4/../../x',
        'https://g.example.com/api/v4/%2e%2e/%2e%2e/x',
        'javascript:1',
        '//x/api/v4/y',
      ),
    );
    const link = fc.oneof(
      fc.string({ maxLength: 500 }),
      fc
        .tuple(target, fc.constantFrom('; rel="next"', ';rel=next', '; rel="prev"', '', '>; rel="next"'))
        .map(([to, rel]) => `<${to}>${rel}`),
    );
    const headers = fc.record(
      {
        link: fc.oneof(link, fc.array(link, { maxLength: 3 })),
        'x-next-page': fc.oneof(fc.string({ maxLength: 10 }), fc.nat().map(String)),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(headers, (sent) => {
        const { next } = nextPage(sent, { root, asked: 'v4/projects/1/jobs?per_page=100' });
        if (next === null) return;
        expect(next.length).toBeLessThan(10_000);
        const asked = new URL(root.href + next);
        expect(asked.origin).toBe(root.origin);
        expect(asked.pathname.startsWith('/gitlab/api/v4/')).toBe(true);
      }),
      RUNS,
    );
  }, 60_000);

  test("of the runner's metrics come to counts that are numbers, or to none", () => {
    const label = fc.oneof(
      fc.string({ maxLength: 200 }).map((text) => `runner="${text}"`),
      fc.constantFrom('runner="a"', 'x="1",runner="a"', 'runner="', '', '}{'),
    );
    const name = fc.constantFrom(
      'gitlab_runner_jobs',
      'gitlab_runner_jobs_total',
      'gitlab_runner_job_queue_size',
      'gitlab_runner_job_queue_depth',
      'gitlab_runner_limit',
      'gitlab_runner_concurrent',
      'process_start_time_seconds',
      'gitlab_runner_',
      '#',
    );
    const value = fc.oneof(
      fc.nat().map(String),
      fc.constantFrom('NaN', '+Inf', '-1', '1e309', '', '3 1700000000000', '0x10'),
      fc.string({ maxLength: 50 }),
    );
    const line = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.tuple(name, label, value).map(([family, labels, count]) => `${family}{${labels}} ${count}`),
      fc.tuple(name, value).map(([family, count]) => `${family} ${count}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const text = lines.join('\n');
        const { concurrent, startedAt, ...families } = readScrape(text);
        for (const count of [
          concurrent ?? 0,
          startedAt ?? 0,
          ...Object.values(families).flatMap((family) => [...family.values()]),
          ...jobsByRunner(text).values(),
        ])
          expect(Number.isFinite(count)).toBe(true);
      }),
      RUNS,
    );
  }, 60_000);

  test.each(['rest', 'graphql', 'instance'] as const)(
    'to a look by %s come to jobs of the projects asked for, or to one line',
    async (name) => {
      const nodes = fc.record(
        { nodes: fc.array(thing, { maxLength: 3 }), pageInfo: odd },
        { requiredKeys: [] },
      );
      const whole = fc.record(
        {
          data: fc.oneof(odd, fc.record({ project: fc.oneof(odd, fc.record({ jobs: nodes })), jobs: nodes })),
          errors: fc.oneof(odd, fc.array(fc.record({ message: odd }), { maxLength: 2 })),
        },
        { requiredKeys: [] },
      );
      const answer = fc.oneof(
        thing,
        fc.array(thing, { maxLength: 3 }),
        whole,
        fc.array(whole, { minLength: 1, maxLength: 3 }),
      );
      const clock = createHandClock(NOW);
      await fc.assert(
        fc.asyncProperty(answer, async (json) => {
          let asked = 0;
          const http: GitlabHttp = {
            ask: async () => {
              asked += 1;
              return { json, next: null, whole: true, sentAt: NOW, skew: 0 };
            },
            close: () => undefined,
          };
          const source =
            name === 'rest'
              ? createRestSource(http)
              : name === 'graphql'
                ? createGraphqlSource(http, 'https://g.example.com')
                : createInstanceSource(http, 'https://g.example.com', clock);
          const projects = name === 'instance' ? [] : [project, { id: 2, path: 'group/lib' }];
          try {
            const { jobs } = await source.look({ projects, statuses: ['pending'] }, NEVER);
            for (const job of jobs) expect(Number.isSafeInteger(job.project.id)).toBe(true);
            if (name !== 'instance') for (const job of jobs) expect([1, 2]).toContain(job.project.id);
          } catch (error) {
            expect(error).toBeInstanceOf(HostlerError);
            expect((error as Error).message).not.toMatch(/[\n\r]/);
            expect((error as Error).message.length).toBeLessThan(1_000);
          }
          expect(asked).toBeLessThanOrEqual(60);
        }),
        RUNS,
      );
    },
    240_000,
  );

  test('of runner, projects, refs, versions and jobs are told as traits and lists, or refused in one line', async () => {
    const gate = { enter: async () => undefined, leave: () => undefined };
    let json: unknown = null;
    const server = createServer((_request, response) => response.end(JSON.stringify(json)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const door = createGitlabDoor({ clock: createClock(), env: {}, version: '1.0.0' });
    const gitlab = door.open(
      { url: `http://127.0.0.1:${port}`, token: new Secret('glpat-0000000000000000'), ca: null },
      gate,
    );
    const questions: (() => Promise<unknown>)[] = [
      () => gitlab.version(NEVER),
      () => gitlab.runner(7, NEVER),
      () => gitlab.projects({ kind: 'instance' }, NEVER),
      () => gitlab.isProtected({ project: 1, ref: 'main', gitTag: false }, NEVER),
      () => gitlab.runningJobs(7, NEVER),
      () => gitlab.jobStatus({ project: 1, id: 7 }, NEVER),
    ];
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(thing, fc.array(thing, { maxLength: 3 })),
          fc.nat(5),
          async (said, which) => {
            json = said;
            await questions[which]?.().catch((error: unknown) => {
              expect(error).toBeInstanceOf(HostlerError);
              expect((error as Error).message).not.toMatch(/[\n\r]/);
            });
          },
        ),
        RUNS,
      );
    } finally {
      gitlab.close();
      server.closeAllConnections();
      server.close();
    }
  }, 240_000);

  test('for the webhook door prove nothing and mark no project that is none', () => {
    const guard = createHookGuard(() => [
      new Secret('the-right-token'),
      new Secret('whsec_c2VjcmV0LWtleQ=='),
    ]);
    const headers = fc.dictionary(
      fc.constantFrom(
        'x-gitlab-token',
        'webhook-signature',
        'webhook-id',
        'webhook-timestamp',
        'idempotency-key',
      ),
      fc.oneof(fc.string(), fc.constantFrom('v1,', 'v1,AAAA v1,BBBB', String(NOW / 1_000))),
    );
    const hook = fc.oneof(
      fc.string(),
      fc
        .record({
          object_kind: fc.oneof(fc.constant('build'), odd),
          build_status: fc.oneof(fc.constant('pending'), odd),
          project_id: fc.oneof(fc.nat(), odd),
        })
        .map((one) => JSON.stringify(one)),
    );
    fc.assert(
      fc.property(headers, hook, (sent, text) => {
        const body = Buffer.from(text);
        const proof = guard.prove({ headers: sent, body, now: NOW });
        expect(proof.ok).toBe(false);
        const read = readJobHook(body);
        if (read !== null && read !== 'ignored') expect(read.project).toBeGreaterThan(0);
      }),
      RUNS,
    );
  }, 120_000);

  test('for a stored history are read as far as they fit', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(forecastFrom(parseHistory(text), NOW, 0.8).length).toBeLessThanOrEqual(5);
      }),
      RUNS,
    );
  }, 60_000);

  test("for the emulator's queries are read or refused as syntax", () => {
    const part = fc.constantFrom(
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      ':',
      ',',
      '$a',
      'query',
      'jobs',
      'nodes',
      '"x"',
      '7',
      '!',
      ' ',
      '"',
      '\\',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(part).map((parts) => parts.join('')),
          fc.string(),
        ),
        (query) => {
          try {
            expect(complexityOf(readQuery(query))).toBeGreaterThanOrEqual(0);
          } catch (error) {
            expect(error).toBeInstanceOf(SyntaxError);
          }
        },
      ),
      RUNS,
    );
  }, 60_000);
});
