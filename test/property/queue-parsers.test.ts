// Whatever GitLab, its webhooks or the store say, every parser of the queue answers or throws one line, in bounded size.
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
import { asList } from '../../src/adapters/gitlab/lists.ts';
import { clockSkew, rateSaid } from '../../src/adapters/gitlab/rate-headers.ts';
import { fromGraph, fromRest } from '../../src/adapters/gitlab/read-jobs.ts';
import { Secret } from '../../src/domain/config.ts';
import { HostlerError } from '../../src/domain/error.ts';
import { readJobHook } from '../../src/doors/http/webhook-app.ts';
import { createHookGuard } from '../../src/doors/http/webhook-proof.ts';
import { complexityOf, readQuery } from '../../src/emulator/gitlab/graph-query.ts';
import { forecastFrom, parseHistory } from '../../src/queue/forecast.ts';
import { nextStages } from '../../src/queue/lookahead.ts';
import { matchJob } from '../../src/queue/match-job.ts';

/** Inputs of each parser. */
const RUNS = { numRuns: 10_000 };
const NOW = Date.UTC(2026, 10, 23);
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
