// What a request to GitLab must never do, and what it says when it fails: redirects, size, TLS, proxies, the token.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { askGraph } from '../../../../src/adapters/gitlab/graphql.ts';
import { createGitlabHttp, type GitlabHttp } from '../../../../src/adapters/gitlab/http-client.ts';
import { createKeys } from '../../../../src/adapters/keys/keys.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { Secret } from '../../../../src/domain/config.ts';
import { HostlerError, messageOf } from '../../../../src/domain/error.ts';
import { gitlabFailure } from '../../../../src/domain/gitlab-failure.ts';
import type { Clock } from '../../../../src/ports/clock.ts';
import type { CallReport } from '../../../../src/ports/queue.ts';
import {
  type Said,
  STAND_IN_TOKEN,
  type StandInGitlab,
  startStandInGitlab,
} from '../../../support/stand-in-gitlab.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

let reports: CallReport[] = [];

async function standIn(tls?: { key: string; cert: string }): Promise<StandInGitlab> {
  reports = [];
  const gitlab = await startStandInGitlab(tls === undefined ? {} : { tls });
  ends.push(() => gitlab.close());
  return gitlab;
}

function client(
  url: string,
  over: { ca?: string; env?: Record<string, string>; token?: string; clock?: Clock } = {},
): GitlabHttp {
  const gate = { enter: async () => undefined, leave: (report: CallReport) => void reports.push(report) };
  const http = createGitlabHttp(
    { url, token: new Secret(over.token ?? STAND_IN_TOKEN), ca: over.ca ?? null },
    { clock: over.clock ?? createClock(), gate, env: over.env ?? {}, version: '1.0.0' },
  );
  ends.push(() => http.close());
  return http;
}

const signal = new AbortController().signal;
const version = (http: GitlabHttp) => http.ask({ what: 'version', path: 'v4/version' }, signal);

async function failure(work: Promise<unknown>): Promise<{ kind: string; text: string }> {
  try {
    await work;
  } catch (error) {
    expect(error).toBeInstanceOf(HostlerError);
    return { kind: gitlabFailure(error).kind, text: messageOf(error) };
  }
  throw new Error('it worked');
}

async function failsWith(said: Said): Promise<{ kind: string; text: string }> {
  const gitlab = await standIn();
  gitlab.fault = () => said;
  return await failure(version(client(gitlab.url)));
}

describe('redirects', () => {
  test('to another host are refused, and the token does not follow', async () => {
    const [gitlab, other] = [await standIn(), await standIn()];
    gitlab.fault = () => ({ status: 302, headers: { location: `${other.url}/api/v4/version` } });
    const { kind, text } = await failure(version(client(gitlab.url)));
    expect(kind).toBe('malformed');
    expect(text).toContain(`redirects to ${other.url}`);
    expect(other.asked).toHaveLength(0);
  });

  test('to plain http are refused', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ status: 301, headers: { location: 'https://127.0.0.1/api/v4/version' } });
    expect((await failure(version(client(gitlab.url)))).text).toContain('set url in the queue table');
  });

  test('within the host are followed twice: a renamed project is one', async () => {
    const gitlab = await standIn();
    gitlab.fault = ({ path }) =>
      path.endsWith('version')
        ? { status: 302, headers: { location: '/api/v4/moved' } }
        : { body: { ok: 1 } };
    expect((await version(client(gitlab.url))).json).toEqual({ ok: 1 });
  });

  test('in a circle end', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ status: 302, headers: { location: '/api/v4/version' } });
    expect((await failure(version(client(gitlab.url)))).kind).toBe('malformed');
    expect(gitlab.asked).toHaveLength(3);
  });
});

describe('the next page', () => {
  const nextOf = async (link: string) => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ body: [], headers: { link } });
    return (await version(client(gitlab.url))).next;
  };

  test('is asked for at the configured host, whatever host the link names', async () => {
    expect(await nextOf('<http://internal:8080/api/v4/jobs?id_after=7>; rel="next"')).toBe(
      'v4/jobs?id_after=7',
    );
  });

  test('is none when the link leads out of the API', async () => {
    expect(await nextOf('<https://gitlab.example.com/users/sign_out>; rel="next"')).toBe(null);
    expect(await nextOf('<https://gitlab.example.com/api/v4/jobs>; rel="prev"')).toBe(null);
    expect(await nextOf('<::::>; rel="next"')).toBe(null);
    expect(await nextOf('</api/http://evil.example.com/v4/x>; rel="next"')).toBe(null);
  });

  test('is found among other links, in several headers, with or without quotes', async () => {
    const next = '<https://g.example.com/api/v4/jobs?cursor=7>';
    const other = '<https://g.example.com/api/v4/jobs>; rel="first"';
    for (const link of [
      `${other}, ${next}; rel="next"`,
      `${next}; rel=next, ${other}`,
      `${next}; title="x"; rel="next"`,
    ])
      expect(await nextOf(link)).toBe('v4/jobs?cursor=7');
    expect(await nextOf(`${other}, <https://g.example.com/api/v4/jobs>; rel="nextish"`)).toBe(null);
  });

  test('is asked for below the configured path also when GitLab does not know of that path', async () => {
    expect(await nextOf('<https://g.example.com/behind/api/v4/jobs?id_after=7>; rel="next"')).toBe(
      'v4/jobs?id_after=7',
    );
  });

  test('that cannot be asked for makes the list one that is not whole', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ body: [], headers: { link: '<https://g.example.com/x>; rel="next"' } });
    expect(await version(client(gitlab.url))).toMatchObject({ next: null, whole: false });
    gitlab.fault = () => ({ body: [] });
    expect(await version(client(gitlab.url))).toMatchObject({ next: null, whole: true });
  });

  test('is told by X-Next-Page where the link was dropped on the way', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ body: [], headers: { 'x-next-page': '2' } });
    const asked = { what: 'projects', path: 'v4/projects?per_page=100' };
    expect((await client(gitlab.url).ask(asked, signal)).next).toBe('v4/projects?per_page=100&page=2');
    gitlab.fault = () => ({ body: [], headers: { 'x-next-page': '' } });
    expect((await client(gitlab.url).ask(asked, signal)).next).toBe(null);
  });

  test('never becomes an address of its own', async () => {
    const [gitlab, other] = [await standIn(), await standIn()];
    await failure(client(gitlab.url).ask({ what: 'version', path: `${other.url}/api/v4/version` }, signal));
    expect(other.asked).toHaveLength(0);
    expect(gitlab.asked).toHaveLength(1);
  });
});

describe('hostile answers', () => {
  test('of any size are dropped at 8 MiB', async () => {
    const { kind, text } = await failsWith({ raw: Buffer.alloc(9 * 1024 * 1024, 0x20) });
    expect(kind).toBe('malformed');
    expect(text).toContain('more than 8388608 bytes');
  });

  test('that are no JSON, or none of GitLab, are said to be so in one line', async () => {
    const { kind, text } = await failsWith({ raw: '<html>\n<h1>Sign in</h1></html>' });
    expect(kind).toBe('malformed');
    expect(text).toMatch(
      /^the answer to version is no JSON: something else than GitLab's API is at http:.*$/,
    );
  });

  test('nested a million deep cost no crash', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ raw: '['.repeat(1_000_000) + ']'.repeat(1_000_000) });
    await version(client(gitlab.url)).catch((error: unknown) => expect(error).toBeInstanceOf(HostlerError));
  });

  test('that echo the token do not bring it into a message', async () => {
    const words = `no ${STAND_IN_TOKEN} no`;
    for (const status of [400, 403, 404, 429, 500]) {
      const { text } = await failsWith({ status, body: { message: words } });
      expect(text).not.toContain(STAND_IN_TOKEN);
      expect(text).toContain('[secret]');
    }
  });

  test('that carry the token in a job, a project or a GraphQL error do not bring it any further', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ body: { name: `job ${STAND_IN_TOKEN}`, path: STAND_IN_TOKEN.toUpperCase() } });
    expect((await version(client(gitlab.url))).json).toEqual({ name: 'job [secret]', path: '[secret]' });
    const body = { errors: [{ message: `no rights for ${STAND_IN_TOKEN}` }] };
    gitlab.fault = () => ({ body });
    const operation = { operationName: 'a', query: 'query a { jobs { nodes { id } } }' };
    const { text } = await failure(askGraph(client(gitlab.url), operation, signal));
    expect(text).toContain('no rights for [secret]');
  });

  test('that write the token in the escapes of JSON do not bring it any further', async () => {
    const gitlab = await standIn();
    const escapes = [
      (code: string) => `\\u${code}`,
      (code: string) => `\\u${code.toUpperCase()}`,
      (code: string, at: number) =>
        at % 3 === 0 ? `\\u${code}` : String.fromCharCode(Number.parseInt(code, 16)),
    ];
    for (const escape of escapes) {
      const codes = Array.from(STAND_IN_TOKEN, (one) => one.charCodeAt(0).toString(16).padStart(4, '0'));
      const written = codes.map(escape).join('');
      gitlab.fault = () => ({ raw: `{"name":"\\u003cjob ${written}\\u003e"}` });
      expect((await version(client(gitlab.url))).json).toEqual({ name: '<job [secret]>' });
      const { text } = await failsWith({ status: 403, raw: `{"message":"no ${written} no"}` });
      expect(text).toContain('no [secret] no');
    }
  });

  test('of any characters of a token are found, escaped or not', async () => {
    const gitlab = await standIn();
    const odd = 'a/b"c\\d.e*(f)$<>&-_=+[x]';
    gitlab.fault = () => ({ body: { name: `x${odd}y` } });
    expect((await version(client(gitlab.url, { token: odd }))).json).toEqual({ name: 'x[secret]y' });
    gitlab.fault = () => ({ raw: JSON.stringify({ name: `x${odd}y` }).replaceAll('/', '\\/') });
    expect((await version(client(gitlab.url, { token: odd }))).json).toEqual({ name: 'x[secret]y' });
  });

  test('are without a token of eight characters, the shortest that is taken, too', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ status: 403, body: { message: 'no shorttok no' } });
    const { text } = await failure(version(client(gitlab.url, { token: 'shorttok' })));
    expect(text).toContain('no [secret] no');
  });

  test('that redirect to the token do not bring it into a message', async () => {
    for (const location of [
      `https://${STAND_IN_TOKEN}.example.com/`,
      `https://%67${STAND_IN_TOKEN.slice(1)}.example.com/`,
      `/${STAND_IN_TOKEN}`,
      `/%67${STAND_IN_TOKEN.slice(1)}/%`,
      `/%67${STAND_IN_TOKEN.slice(1)}`,
    ]) {
      const { text } = await failsWith({ status: 302, headers: { location } });
      expect(text.toLowerCase()).not.toContain(STAND_IN_TOKEN.toLowerCase());
    }
  });

  test('are not torn by what is too short to be a token and stands in other words', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => ({ body: { path: 'company/app' } });
    expect((await version(client(gitlab.url, { token: 'any' }))).json).toEqual({ path: 'company/app' });
  });

  test('that come a byte at a time or never end are given up', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('[');
      const drip = setInterval(() => response.write(' '), 5);
      response.on('close', () => clearInterval(drip));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    reports = [];
    const { port } = server.address() as AddressInfo;
    const limited = { ...createClock(), timeout: () => AbortSignal.timeout(200) };
    const http = client(`http://127.0.0.1:${port}`, { clock: limited });
    expect((await failure(version(http))).kind).toBe('away');
    expect(reports).toMatchObject([{ outcome: 'failed' }]);
  });

  test('without end are dropped at the same bound', async () => {
    let sent = 0;
    const server = createServer((_request, response) => {
      const part = Buffer.alloc(1024 * 1024, 0x20);
      const more = () => {
        sent += part.length;
        if (!response.destroyed) response.write(part, more);
      };
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    const { port } = server.address() as AddressInfo;
    const { text } = await failure(version(client(`http://127.0.0.1:${port}`)));
    expect(text).toContain('more than 8388608 bytes');
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test('that are compressed although nobody asked are no JSON, and are not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20));
    const { kind, text } = await failsWith({ raw: bomb, headers: { 'content-encoding': 'gzip' } });
    expect(kind).toBe('malformed');
    expect(text).toContain('is no JSON');
  });

  test('with line breaks and control characters stay one plain line', async () => {
    const { text } = await failsWith({ status: 403, raw: '{"message":"a\u0007\u001b[31m b"}' });
    expect(text).toMatch(/403\): a \[31m b$/);
  });
});

describe('a failed request', () => {
  test('names the status and what was asked for', async () => {
    expect((await failsWith({ status: 401 })).text).toBe(
      'GitLab does not accept the token (version, 401): expired, revoked, or of another GitLab',
    );
    expect(await failsWith({ status: 503 })).toEqual({
      kind: 'away',
      text: 'GitLab answered version with status 503',
    });
  });

  test('tells when to come back: reset time before Retry-After, by the clock of GitLab', async () => {
    const reset = new Date(Date.now() + 90_000).toUTCString();
    await failsWith({ status: 429, headers: { 'ratelimit-resettime': reset, 'retry-after': '10' } });
    expect(Math.abs((reports[0]?.retryAt ?? 0) - Date.now() - 90_000)).toBeLessThan(3_000);
    await failsWith({ status: 429, headers: { 'retry-after': '10' } });
    expect(Math.abs((reports[0]?.retryAt ?? 0) - Date.now() - 10_000)).toBeLessThan(3_000);
    await failsWith({ status: 429 });
    expect(reports[0]?.retryAt).toBe(null);
    const ahead = Date.now() + 3_600_000;
    const seconds = String(Math.round(ahead / 1_000) + 60);
    await failsWith({
      status: 429,
      headers: { date: new Date(ahead).toUTCString(), 'ratelimit-reset': seconds },
    });
    expect(Math.abs((reports[0]?.retryAt ?? 0) - Date.now() - 60_000)).toBeLessThan(3_000);
  });

  test('gives the limits that GitLab states', async () => {
    const gitlab = await standIn();
    gitlab.headers = { 'ratelimit-limit': '600', 'ratelimit-remaining': '123' };
    await version(client(gitlab.url));
    expect(reports).toMatchObject([{ what: 'version', outcome: 'ok', limit: 600, remaining: 123 }]);
  });

  test('where nobody listens says so', async () => {
    const gitlab = await standIn();
    const http = client(gitlab.url);
    await gitlab.close();
    const { kind, text } = await failure(version(http));
    expect(kind).toBe('away');
    expect(text).toMatch(/^GitLab cannot be asked for version: ECONNREFUSED/);
  });

  test('ends when its caller stops', async () => {
    const gitlab = await standIn();
    gitlab.fault = () => 'hang';
    const stop = new AbortController();
    const work = client(gitlab.url).ask({ what: 'version', path: 'v4/version' }, stop.signal);
    stop.abort();
    expect((await failure(work)).kind).toBe('away');
  });
});

describe('the token', () => {
  test('goes in its own header; one of OAuth as a bearer', async () => {
    const gitlab = await standIn();
    await version(client(gitlab.url));
    expect(gitlab.asked[0]?.headers).toMatchObject({ 'private-token': STAND_IN_TOKEN });
    expect(gitlab.asked[0]?.headers.authorization).toBeUndefined();
    const oauth = 'a1'.repeat(32);
    await failure(version(client(gitlab.url, { token: oauth })));
    expect(gitlab.asked[1]?.headers.authorization).toBe(`Bearer ${oauth}`);
  });
});

describe('TLS', () => {
  async function authority() {
    const folder = mkdtempSync(join(tmpdir(), 'hostler-gitlab-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    const keys = createKeys(folder, { clock: createClock() });
    const subject = { name: 'localhost', addresses: ['127.0.0.1'], names: ['localhost'] };
    const server = await keys.issueServer({ ...subject, notAfter: Date.now() + 3_600_000 });
    return { ca: await keys.authority(), tls: server };
  }

  test('is verified: an unknown authority is refused, with a word on tls-ca-file', async () => {
    const gitlab = await standIn((await authority()).tls);
    const { kind, text } = await failure(version(client(gitlab.url)));
    expect(kind).toBe('away');
    expect(text).toContain('tls-ca-file');
    expect(gitlab.asked).toHaveLength(0);
  });

  test('takes the authority of tls-ca-file beside the usual ones', async () => {
    const { ca, tls } = await authority();
    const gitlab = await standIn(tls);
    expect((await version(client(gitlab.url, { ca }))).json).toMatchObject({ version: '19.4.1-ee' });
  });

  test('goes through the proxy of HTTPS_PROXY, past NO_PROXY', async () => {
    const { ca, tls } = await authority();
    const gitlab = await standIn(tls);
    const { port } = new URL(gitlab.url);
    const tunnels: string[] = [];
    const proxy: Server = createServer((_request, response) => response.writeHead(500).end());
    proxy.on('connect', (request, socket) => {
      tunnels.push(request.url ?? '');
      const inner = connect(Number(port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        inner.pipe(socket).pipe(inner);
      });
      inner.on('error', () => socket.destroy());
      socket.on('error', () => inner.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    ends.push(
      () => proxy.closeAllConnections(),
      () => proxy.close(),
    );
    const env = { HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    // The name is the proxy's to resolve; the certificate is for localhost, so only its check can fail.
    const elsewhere = client(`https://gitlab.internal.example:${port}`, { ca, env });
    expect((await failure(version(elsewhere))).text).toContain('ALTNAME');
    expect(tunnels).toEqual([`gitlab.internal.example:${port}`]);
    await version(client(gitlab.url, { ca, env }));
    const direct = client(`https://gitlab.internal.example:${port}`, {
      ca,
      env: { ...env, NO_PROXY: 'internal.example' },
    });
    expect((await failure(version(direct))).kind).toBe('away');
    expect(tunnels).toHaveLength(1);
    // As in the runner, HTTP_PROXY is not for https.
    const plain = client(`https://gitlab.internal.example:${port}`, {
      ca,
      env: { HTTP_PROXY: env.HTTPS_PROXY },
    });
    expect((await failure(version(plain))).kind).toBe('away');
    expect(tunnels).toHaveLength(1);
    const bare = { https_proxy: env.HTTPS_PROXY.replace('http://', '') };
    await failure(version(client(`https://gitlab.internal.example:${port}`, { ca, env: bare })));
    expect(tunnels).toHaveLength(2);
    const broken = { HTTPS_PROXY: 'socks5://user:secret@proxy' };
    expect(() => client('https://gitlab.internal.example', { env: broken })).toThrow(
      /^HTTPS_PROXY is no address of a proxy$/,
    );
  });
});

test('remembered answers cost bounded memory, however large a hostile GitLab makes them', async () => {
  const asked: (string | undefined)[] = [];
  const padding = 'x'.repeat(7 * 1024 * 1024);
  const server = createServer((request, response) => {
    asked.push(request.headers['if-none-match']);
    response.setHeader('etag', `W/"${request.url}"`);
    if (request.headers['if-none-match'] === undefined) response.end(JSON.stringify([padding]));
    else response.writeHead(304).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  const http = client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const page = (id: number) =>
    http.ask({ what: 'projects', path: `v4/projects?page=${id}`, remember: true }, signal);
  for (let id = 1; id <= 6; id++) await page(id);
  await page(6);
  expect(asked.at(-1)).toBe('W/"/api/v4/projects?page=6"');
  await page(1);
  expect(asked.at(-1)).toBeUndefined();
});
