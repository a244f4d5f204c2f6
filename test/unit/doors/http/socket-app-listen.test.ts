// The socket on a real file system: who may open it, what a killed daemon left behind, and a lease's stream over it.
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LeaseRequest } from '../../../../src/contract/api.ts';
import { listenOnSocket } from '../../../../src/doors/http/listen-socket.ts';
import { createSocketApp } from '../../../../src/doors/http/socket-app.ts';
import type { Log } from '../../../../src/ports/log.ts';
import type { LeaseConnection } from '../../../../src/service/door-connections.ts';
import type { UseCases } from '../../../../src/service/use-cases.ts';

const quiet = () => undefined;
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => log };
const order: LeaseRequest = { name: 'a', driver: 'none', options: [], store: '/s', pid: 1, runnerPid: 1 };

let folder = '';
let path = '';
let apps: ReturnType<typeof createSocketApp>[] = [];
let connections: LeaseConnection[] = [];

function makeApp() {
  const useCases = {
    assertOpen: quiet,
    openLease: async (_request: LeaseRequest, connection: LeaseConnection) =>
      void connections.push(connection),
    pools: () => [],
  } as unknown as UseCases;
  const app = createSocketApp(useCases, log);
  apps.push(app);
  return app;
}

function call(
  method: string,
  url: string,
  body = '',
): Promise<{ status: number; lines: string[]; headers: object }> {
  return new Promise((resolve, reject) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json' };
    const outgoing = request({ socketPath: path, method, path: url, headers, agent: false }, (reply) => {
      let text = '';
      reply.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      reply.on('end', () =>
        resolve({
          status: reply.statusCode ?? 0,
          lines: text.split('\n').filter(Boolean),
          headers: reply.headers,
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-socket-'));
  path = join(folder, 'run', 'hostler.sock');
  [apps, connections] = [[], []];
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  rmSync(folder, { recursive: true, force: true });
});

describe('the socket', () => {
  test('belongs to its user and group alone, in a folder that is made for it', async () => {
    await listenOnSocket(makeApp(), path);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('660');
    expect((await call('GET', '/v1/pools')).lines).toEqual(['{"pools":[]}']);
  });

  test('replaces what a killed daemon left behind', async () => {
    mkdirSync(join(folder, 'run'));
    writeFileSync(path, '');
    await listenOnSocket(makeApp(), path);
    expect((await call('GET', '/v1/pools')).status).toBe(200);
  });

  test('is never taken from a process that answers on it', async () => {
    mkdirSync(join(folder, 'run'));
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await expect(listenOnSocket(makeApp(), path)).rejects.toMatchObject({
      code: 'already-running',
      where: path,
    });
    expect(other.listening).toBe(true);
    other.close();
  });

  test('that cannot be made says which setting names another', async () => {
    writeFileSync(join(folder, 'run'), 'a file where the folder should be');
    await expect(listenOnSocket(makeApp(), path)).rejects.toMatchObject({ code: 'port-in-use' });
  });
});

describe('a lease', () => {
  test('is a stream of lines that the daemon ends', async () => {
    await listenOnSocket(makeApp(), path);
    const answer = call('POST', '/v1/leases', JSON.stringify(order));
    while (connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
    connections[0]?.send({ event: 'waiting', pool: 'ci', place: 1, reason: 'because' });
    connections[0]?.send({ event: 'failed', code: 'create-timeout', message: 'no machine' });
    connections[0]?.end();
    const { status, lines, headers } = await answer;
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/x-ndjson', 'hostler-api': '1' });
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(['waiting', 'failed']);
  });

  test('tells that its caller is gone, and takes words to nobody in silence', async () => {
    await listenOnSocket(makeApp(), path);
    const outgoing = request({
      socketPath: path,
      method: 'POST',
      path: '/v1/leases',
      headers: { 'content-type': 'application/json' },
      agent: false,
    });
    outgoing.on('error', quiet);
    outgoing.end(JSON.stringify(order));
    while (connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = new Promise<void>((resolve) => connections[0]?.onClosed(resolve));
    outgoing.destroy();
    await closed;
    connections[0]?.send({ event: 'waiting', pool: 'ci', place: 1, reason: 'because' });
    connections[0]?.end();
    // Asked again after the end, it tells at once.
    await new Promise<void>((resolve) => connections[0]?.onClosed(resolve));
  });
});
