// The socket's app by itself: what a request becomes, what a refusal looks like, which versions are understood. The use
// cases stand behind it as a book that writes down what it was asked.
import { describe, expect, test } from 'vitest';
import { API_HEADER, API_VERSION, type LeaseRequest } from '../../../../src/contract/api.ts';
import { type ErrorCode, errorCodes, HostlerError } from '../../../../src/domain/error.ts';
import { createSocketApp } from '../../../../src/doors/http/socket-app.ts';
import type { Log } from '../../../../src/ports/log.ts';
import type { UseCases } from '../../../../src/service/use-cases.ts';
import { badRequests } from '../../../support/bad-requests.ts';

type Asked = [name: string, ...args: unknown[]];

/** Use cases that answer with nothing much; `fail` throws in the place of the one it names. */
function openBook(fail: Partial<Record<keyof UseCases, Error>> = {}) {
  const asked: Asked[] = [];
  const errors: string[] = [];
  const note =
    <T>(name: keyof UseCases, answer: T) =>
    (...args: unknown[]): T => {
      asked.push([name, ...args]);
      const error = fail[name];
      if (error !== undefined) throw error;
      return answer;
    };
  const useCases = {
    assertOpen: note('assertOpen', undefined),
    openLease: (request: LeaseRequest, connection: { end(): void }) => {
      connection.end();
      return note('openLease', Promise.resolve())(request);
    },
    commitLease: note('commitLease', undefined),
    commitLeases: note('commitLeases', [null]),
    leases: note('leases', []),
    lease: note('lease', {}),
    endLease: note('endLease', Promise.resolve('ended')),
    machines: note('machines', []),
    machine: note('machine', {}),
    retire: note('retire', 'ends'),
    pools: note('pools', []),
    switchPool: note('switchPool', 'switched'),
    plan: note('plan', {}),
    queue: note('queue', []),
    events: note('events', []),
    config: note('config', {}),
    status: note('status', {}),
    reload: note('reload', Promise.resolve('read')),
    cleanup: note('cleanup', Promise.resolve({ terminated: [], kept: [], left: 0 })),
  } as unknown as UseCases;
  const quiet = () => undefined;
  const log: Log = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (text) => errors.push(text),
    child: () => log,
  };
  return { app: createSocketApp(useCases, log), asked, errors };
}

const done = (message: string) => ({ done: true, message });
type Row = [line: string, body: object | undefined, asked: Asked, reply: object];
const switches = ['pause', 'resume', 'drain'].map(
  (what): Row => [`POST /v1/pools/ci/${what}`, undefined, ['switchPool', what, 'ci'], done('switched')],
);

describe('a request', () => {
  test.each<Row>([
    ['GET /v1/status', undefined, ['status'], {}],
    ['GET /v1/machines', undefined, ['machines'], { machines: [] }],
    ['GET /v1/machines/m-1', undefined, ['machine', 'm-1'], {}],
    ['GET /v1/leases', undefined, ['leases'], { leases: [] }],
    ['GET /v1/leases/a%20b', undefined, ['lease', 'a b'], {}],
    ['GET /v1/pools', undefined, ['pools'], { pools: [] }],
    ['GET /v1/plan', undefined, ['plan'], {}],
    ['GET /v1/config', undefined, ['config'], {}],
    ['GET /v1/events', undefined, ['events', { limit: 200 }], { events: [] }],
    [
      'GET /v1/events?after=7&limit=3&pool=ci&machine=m-1&lease=a',
      undefined,
      ['events', { after: 7, limit: 3, pool: 'ci', machine: 'm-1', lease: 'a' }],
      { events: [] },
    ],
    ['POST /v1/leases/a/commit', undefined, ['commitLeases', ['a']], done('a is handed over')],
    ['DELETE /v1/leases/a', undefined, ['endLease', 'a', false], done('ended')],
    ['DELETE /v1/leases/a?by=person', undefined, ['endLease', 'a', true], done('ended')],
    ['POST /v1/machines/m-1/retire', undefined, ['retire', 'm-1', false], done('ends')],
    ['POST /v1/machines/m-1/retire', { force: true }, ['retire', 'm-1', true], done('ends')],
    ['POST /v1/reload', {}, ['reload'], done('read')],
    ['POST /v1/cleanup', {}, ['cleanup', false], { terminated: [], kept: [], left: 0 }],
    ['POST /v1/cleanup', { allManagers: true }, ['cleanup', true], { terminated: [], kept: [], left: 0 }],
    ...switches,
  ])('%s with %j becomes one use case', async (line, body, wanted, reply) => {
    const { app, asked } = openBook();
    const [method, url] = line.split(' ') as ['GET', string];
    const answer = await app.inject({ method, url, ...(body === undefined ? {} : { payload: body }) });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual(reply);
    expect(asked).toEqual([wanted]);
  });

  test.each(
    badRequests
      .filter(({ status, code }) => status < 404 || code === 'too-large')
      .map((bad) => [bad.what, bad] as const),
  )('reaches no use case when it is bad: %s', async (_what, bad) => {
    const { app, asked } = openBook();
    const payload =
      typeof bad.body === 'string' || bad.body === undefined ? bad.body : JSON.stringify(bad.body);
    const headers = {
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...bad.headers,
    };
    const answer = await app.inject({
      method: bad.method as 'GET',
      url: bad.path,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    const { error } = answer.json<{ error: { code: string; message: string; where: string | null } }>();
    expect([answer.statusCode, error.code, error.where]).toEqual([bad.status, bad.code, bad.where]);
    expect(error.message).toContain(bad.says);
    expect(asked).toEqual([]);
  });

  test('to a daemon that stops opens no lease', async () => {
    const { app, asked } = openBook({
      assertOpen: new HostlerError('daemon-stopping', 'the daemon is stopping'),
    });
    const payload = { name: 'a', driver: 'none', options: [], store: '/s', pid: 1, runnerPid: 1 };
    const answer = await app.inject({ method: 'POST', url: '/v1/leases', payload });
    expect(answer.statusCode).toBe(503);
    expect(asked).toEqual([['assertOpen']]);
  });
});

describe('a failure', () => {
  test.each(Object.keys(errorCodes) as ErrorCode[])(
    '%s has the status of its code and its own words',
    async (code) => {
      const { app } = openBook({ status: new HostlerError(code, 'what is wrong', { where: 'file:1:2' }) });
      const answer = await app.inject('/v1/status');
      expect(answer.statusCode).toBe(errorCodes[code].http);
      expect(answer.json()).toEqual({ error: { code, message: 'what is wrong', where: 'file:1:2' } });
    },
  );

  test('that nobody expected tells the caller nothing of the inside and the log all', async () => {
    const { app, errors } = openBook({ status: new TypeError('secret is not a function') });
    const answer = await app.inject('/v1/status');
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('secret');
    expect(answer.json()).toMatchObject({ error: { code: 'internal' } });
    expect(errors).toHaveLength(1);
  });
});

describe('versions', () => {
  test.each([
    ['none', {}, 200],
    ['the current one', { [API_HEADER]: String(API_VERSION) }, 200],
    ['the one before', { [API_HEADER]: String(API_VERSION - 1) }, 200],
    ['the one after', { [API_HEADER]: String(API_VERSION + 1) }, 400],
  ])('%s: the reply names the daemon’s own whatever comes of it', async (_what, headers, status) => {
    const { app, asked } = openBook();
    const answer = await app.inject({ url: '/v1/status', headers });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers[API_HEADER]).toBe(String(API_VERSION));
    expect(asked).toHaveLength(status === 200 ? 1 : 0);
  });
});
