import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../../src/contract/client.ts';
import { explainAway } from '../../../src/contract/daemon-away.ts';
import { HostlerError } from '../../../src/domain/error.ts';
import { aMachine, aStatus, type Script, startScriptedDaemon } from '../../support/scripted-daemon.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function clientOf(socket: string, timeoutMs?: number): Client {
  const client = createClient({ socket, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  ends.push(client.close);
  return client;
}

async function against(script: Script) {
  const daemon = await startScriptedDaemon(script);
  ends.push(daemon.close);
  return { daemon, client: clientOf(daemon.socket) };
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hostler-client-'));
  ends.push(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

/** A peer that speaks raw bytes. */
async function rawPeer(onConnection: (socket: Socket) => void): Promise<string> {
  const path = join(folder(), 'raw.sock');
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  ends.push(() => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return path;
}

describe('calls', () => {
  test('each call goes to its documented path with the version header', async () => {
    const done = { body: { done: true, message: 'ok' } };
    const { daemon, client } = await against({
      'GET /v1/status': { body: aStatus },
      'GET /v1/machines': { body: { machines: [aMachine] } },
      'GET /v1/machines/m-1': { body: { machine: aMachine, events: [] } },
      'GET /v1/leases': { body: { leases: [] } },
      'GET /v1/pools': { body: { pools: [] } },
      'GET /v1/plan': { body: { at: null, wake_at: null, pools: [], actions: [] } },
      'GET /v1/events': { body: { events: [] } },
      'GET /v1/config': { body: { values: [], warnings: [] } },
      'POST /v1/pools/build/pause': done,
      'POST /v1/pools/build/resume': done,
      'POST /v1/pools/build/drain': done,
      'POST /v1/machines/m-1/retire': done,
      'DELETE /v1/leases/runner-1': done,
      'POST /v1/reload': done,
      'POST /v1/cleanup': { body: { terminated: [], kept: [], left: 0 } },
    });
    expect((await client.status()).pid).toBe(4242);
    expect(await client.machines()).toEqual([aMachine]);
    await client.machine('m-1');
    await client.leases();
    await client.pools();
    await client.plan();
    await client.events({ after: 3, limit: 10, pool: 'a&b' });
    await client.events();
    await client.config();
    await client.pause('build');
    await client.resume('build');
    await client.drain('build');
    await client.retire('m-1', true);
    await client.endLease('runner-1', 'person');
    await client.reload();
    await client.cleanup();
    expect(daemon.asked).toEqual([
      'GET /v1/status',
      'GET /v1/machines',
      'GET /v1/machines/m-1',
      'GET /v1/leases',
      'GET /v1/pools',
      'GET /v1/plan',
      'GET /v1/events?after=3&limit=10&pool=a%26b',
      'GET /v1/events',
      'GET /v1/config',
      'POST /v1/pools/build/pause',
      'POST /v1/pools/build/resume',
      'POST /v1/pools/build/drain',
      'POST /v1/machines/m-1/retire',
      'DELETE /v1/leases/runner-1?by=person',
      'POST /v1/reload',
      'POST /v1/cleanup',
    ]);
    expect(daemon.bodies.filter((body) => body !== '' && body !== '{}')).toEqual([
      '{"force":true}',
      '{"allManagers":false}',
    ]);
    expect(daemon.headers.every((headers) => headers['hostler-api'] === '1')).toBe(true);
  });

  test('a name cannot leave its place in the path', async () => {
    const { daemon, client } = await against({});
    await expect(client.machine('../../v1/reload?x')).rejects.toMatchObject({ code: 'not-found' });
    expect(daemon.asked).toEqual(['GET /v1/machines/..%2F..%2Fv1%2Freload%3Fx']);
  });

  test('calls share one kept connection', async () => {
    const { daemon, client } = await against({ 'GET /v1/status': { body: aStatus } });
    let connections = 0;
    daemon.server.on('connection', () => {
      connections += 1;
    });
    for (let n = 0; n < 5; n += 1) await client.status();
    expect(connections).toBe(1);
  });

  test('a read goes on after the daemon was restarted on the same socket', async () => {
    const path = join(folder(), 'd.sock');
    const client = clientOf(path);
    const second = await startScriptedDaemon({ 'GET /v1/status': { body: aStatus } }, path);
    expect((await client.status()).pid).toBe(4242);
    second.server.closeAllConnections();
    await new Promise((resolve) => second.server.close(resolve));
    const third = await startScriptedDaemon({ 'GET /v1/status': { body: { ...aStatus, pid: 5 } } }, path);
    ends.push(third.close);
    expect((await client.status()).pid).toBe(5);
  });
});

describe('refusals', () => {
  test("the daemon's refusal keeps its code, message and place", async () => {
    const { client } = await against({
      'POST /v1/machines/m-1/retire': {
        status: 409,
        body: { error: { code: 'machine-busy', message: 'm-1 runs job 7', where: 'm-1' } },
      },
    });
    const error = await client.retire('m-1').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HostlerError);
    expect(error).toMatchObject({ code: 'machine-busy', message: 'm-1 runs job 7', where: 'm-1' });
  });

  test('a code of a newer daemon becomes internal and keeps its words', async () => {
    const { client } = await against({
      'GET /v1/status': {
        status: 400,
        body: { error: { code: 'of-tomorrow', message: 'words', where: null } },
      },
    });
    await expect(client.status()).rejects.toMatchObject({ code: 'internal', message: 'words' });
  });

  test.each([
    ['html', '<html>', 200],
    ['a list', '[]', 200],
    ['null', 'null', 200],
    ['an error without words', '{"error":{}}', 500],
    ['an error as text', 'oops', 502],
    ['error: null', '{"error":null}', 500],
    ['null with an error status', 'null', 500],
  ])('an answer that is %s is refused by name', async (_what, body, status) => {
    const { client } = await against({ 'GET /v1/status': { status, body } });
    await expect(client.status()).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining("is that hostler's socket?") as string,
    });
  });

  test('a list that is missing is refused', async () => {
    const { client } = await against({ 'GET /v1/machines': { body: {} } });
    await expect(client.machines()).rejects.toMatchObject({ code: 'internal' });
  });

  test('an answer without end is cut off', async () => {
    const block = 'x'.repeat(1024 * 1024);
    const path = await rawPeer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(`100000\r\n${block}\r\n`)) continue;
      };
      socket.on('drain', more);
      more();
    });
    await expect(clientOf(path).status()).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('larger than') as string,
    });
  });
});

describe('no daemon', () => {
  test('a socket that is not there is named with the cure', async () => {
    const path = join(folder(), 'none.sock');
    await expect(clientOf(path).status()).rejects.toMatchObject({
      code: 'daemon-away',
      message: expect.stringContaining(`no daemon at ${path}: is it running?`) as string,
    });
  });

  test('a socket that a killed daemon left is told apart', async () => {
    const path = join(folder(), 'dead.sock');
    const listen = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', listen], { timeout: 10_000 }).signal).toBe('SIGKILL');
    await expect(clientOf(path).status()).rejects.toMatchObject({
      code: 'daemon-away',
      message: expect.stringContaining('its socket was left behind') as string,
    });
  });

  test('a file in place of the socket is told', async () => {
    const path = join(folder(), 'file');
    writeFileSync(path, '');
    await expect(clientOf(path).status()).rejects.toMatchObject({ code: 'daemon-away' });
  });

  test('denied permission names the group that is missing', () => {
    const path = join(folder(), 'd.sock');
    writeFileSync(path, '');
    chmodSync(path, 0o660);
    const error = explainAway(Object.assign(new Error('x'), { code: 'EACCES' }), {
      socket: path,
      limitMs: 1,
    });
    expect(error.code).toBe('daemon-away');
    expect(error.message).toMatch(/may not open .*d\.sock: it needs group \S+ \(of .*d\.sock\)/);
  });

  test('a daemon that does not answer is given up after its time', async () => {
    const path = await rawPeer(() => undefined);
    await expect(clientOf(path, 50).status()).rejects.toMatchObject({
      code: 'daemon-away',
      message: expect.stringContaining('did not answer within 0.05 s') as string,
    });
  });

  test('a daemon that dies within its answer is told', async () => {
    const path = await rawPeer((socket) => {
      socket.once('data', () => {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half"');
      });
    });
    await expect(clientOf(path).status()).rejects.toMatchObject({ code: 'daemon-away' });
  });
});
