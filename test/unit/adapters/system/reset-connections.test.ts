// Open connections through the real `ss`: needs root, iproute2 and a kernel that lets sockets be closed; else what is told.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createConnections } from '../../../../src/adapters/system/reset-connections.ts';

/** Of iproute2. */
const IP = 'ip';
const connections = createConnections();
const limit = (ms = 10_000) => AbortSignal.timeout(ms);
const why = await connections.trouble(limit());
const hasNetns = why === null && spawnSync(IP, ['netns', 'list'], { stdio: 'ignore' }).status === 0;
if (why !== null) console.warn(`connections cannot be reset here: ${why}`);

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).toReversed()) end();
});

/** A server at an address of its own; `greet` is what it says first. */
async function listen(address: string, greet: string | null): Promise<{ port: number; server: Server }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    if (greet !== null) socket.write(greet);
    socket.resume();
  });
  server.listen(0, address);
  await once(server, 'listening');
  ends.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, server };
}

async function open(address: string, port: number): Promise<{ socket: Socket; failed: Promise<string> }> {
  const socket = connect({ host: address, port });
  const failed = new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
  });
  await once(socket, 'connect');
  ends.push(() => socket.destroy());
  return { socket, failed };
}

describe.skipIf(why !== null)('open connections', () => {
  test('to the address are closed at once, those to others stay', async () => {
    const [lost, other] = [await listen('127.211.7.1', null), await listen('127.211.7.2', null)];
    const mine = await open('127.211.7.1', lost.port);
    const kept = await open('127.211.7.2', other.port);
    expect(await connections.reset(['127.211.7.1', 'not-an-address', '-K'], limit())).toEqual({
      kind: 'done',
      ended: 1,
    });
    expect(await mine.failed).toBe('ECONNABORTED');
    expect(kept.socket.destroyed).toBe(false);
    expect(await connections.reset(['127.211.7.1'], limit())).toEqual({ kind: 'done', ended: 0 });
  });

  test('tell when the last byte came, and nothing before the first one', async () => {
    const quiet = await listen('127.211.7.3', null);
    await open('127.211.7.3', quiet.port);
    expect(await connections.heardMs('127.211.7.3', limit())).toBeNull();
    const greeting = await listen('127.211.7.4', 'hello');
    const { socket } = await open('127.211.7.4', greeting.port);
    await once(socket, 'data');
    expect(await connections.heardMs('127.211.7.4', limit())).toBeTypeOf('number');
  });
});

describe.skipIf(!hasNetns)('a host that drops packets', () => {
  test('is deaf, and a client that waits for it is freed', async () => {
    const name = `hostler${process.pid}`;
    const ip = (...args: string[]) => {
      const { status, stderr } = spawnSync(IP, args, { encoding: 'utf8' });
      expect({ args, status, stderr }).toMatchObject({ status: 0 });
    };
    // Interface names have at most 15 characters.
    const [near, far] = [`hn${process.pid}`, `hf${process.pid}`];
    ip('netns', 'add', name);
    ends.push(() => void spawnSync(IP, ['netns', 'del', name]));
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far);
    ends.push(() => void spawnSync(IP, ['link', 'del', near]));
    ip('link', 'set', far, 'netns', name);
    ip('addr', 'add', '198.18.77.1/30', 'dev', near);
    ip('link', 'set', near, 'up');
    ip('-n', name, 'addr', 'add', '198.18.77.2/30', 'dev', far);
    ip('-n', name, 'link', 'set', far, 'up');
    const code =
      "require('node:net').createServer((s) => s.on('error', () => {}).write('hi')).listen(2222, '198.18.77.2', () => console.log('up'))";
    const server = spawn(IP, ['netns', 'exec', name, process.execPath, '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    ends.push(() => void server.kill('SIGKILL'));
    await once(server.stdout, 'data');
    const { socket, failed } = await open('198.18.77.2', 2_222);
    await once(socket, 'data');
    expect(await connections.hail('198.18.77.2', 2_222, limit(5_000))).toBe('speaks');
    // What is sent from now on goes nowhere, and nobody says so.
    ip('-n', name, 'link', 'set', far, 'address', '02:00:00:00:00:99');
    expect(await connections.hail('198.18.77.2', 2_222, limit(1_500))).toBe('deaf');
    socket.write('anybody?');
    expect(await connections.reset(['198.18.77.2'], limit())).toMatchObject({ kind: 'done' });
    expect(await failed).toBe('ECONNABORTED');
  });
});

describe('a hail', () => {
  test('tells a host that speaks from one that is mute and one that refuses', async () => {
    const speaking = await listen('127.211.7.5', 'SSH-2.0-test\r\n');
    const mute = await listen('127.211.7.6', null);
    const closed = await listen('127.211.7.7', null);
    closed.server.close();
    expect(await connections.hail('127.211.7.5', speaking.port, limit())).toBe('speaks');
    expect(await connections.hail('127.211.7.6', mute.port, limit(300))).toBe('mute');
    expect(await connections.hail('127.211.7.7', closed.port, limit())).toBe('refused');
  });
});

describe('without the right to close connections', () => {
  test('it says what is missing', async () => {
    const answer = why ?? 'CAP_NET_ADMIN';
    expect(answer).toMatch(/CAP_NET_ADMIN|not installed|CONFIG_INET_DIAG_DESTROY|cannot be tried/);
  });
});
