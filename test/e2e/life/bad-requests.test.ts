// Bad requests on the socket of a living daemon: each gets one line that names the place, nothing changes, all goes on.
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_BODY_BYTES } from '../../../src/contract/api.ts';
import { type BadRequest, badRequests } from '../../support/bad-requests.ts';
import { type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitHeld } from '../../support/looks.ts';

let world: LiveWorld;
let before = '';

/** Everything that a request could change. */
async function everything(): Promise<string> {
  const [machines, leases, pools, events] = await Promise.all([
    world.client.machines(),
    world.client.leases(),
    world.client.pools(),
    world.client.events({ limit: 5_000 }),
  ]);
  const switches = pools.map(({ id, paused, draining, limit }) => ({ id, paused, draining, limit }));
  return JSON.stringify({ machines, leases, switches, events: events.map(({ seq, code }) => [seq, code]) });
}

function send(bad: BadRequest): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const text = typeof bad.body === 'string' || bad.body === undefined ? bad.body : JSON.stringify(bad.body);
    const typed = text === undefined ? {} : { 'content-type': 'application/json' };
    const outgoing = request(
      {
        socketPath: world.env['HOSTLER_SOCKET'],
        method: bad.method,
        path: bad.path,
        headers: { ...typed, ...bad.headers },
        agent: false,
      },
      (reply) => {
        let answer = '';
        reply.on('data', (chunk: Buffer) => {
          answer += chunk.toString();
        });
        reply.on('end', () => {
          outgoing.destroy();
          resolve({ status: reply.statusCode ?? 0, text: answer });
        });
      },
    );
    outgoing.on('error', reject);
    // A body that is refused by its length is never read: sending it would only break the pipe.
    if ((text?.length ?? 0) <= MAX_BODY_BYTES) outgoing.end(text);
    else outgoing.setHeader('content-length', text?.length ?? 0).flushHeaders();
  });
}

/** Bytes that are no request at all; resolves with what came back when the daemon closes the connection. */
function sendRaw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(world.env['HOSTLER_SOCKET'] ?? '');
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
    socket.write(bytes);
  });
}

beforeAll(async () => {
  world = await startWorld();
  expect(await world.create(machineName())).toMatchObject({ code: 0 });
  await awaitHeld(world, 1);
  await world.until('a quiet history', async () => {
    const count = (await world.client.events({ limit: 5_000 })).length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return (await world.client.events({ limit: 5_000 })).length === count;
  });
  before = await everything();
});
afterAll(() => world.close());

describe('a bad request', () => {
  test.each(badRequests.map((bad) => [bad.what, bad] as const))(
    '%s is refused with its place',
    async (_what, bad) => {
      const { status, text } = await send(bad);
      const { error } = JSON.parse(text) as {
        error: { code: string; message: string; where: string | null };
      };
      expect({ status, code: error.code, where: error.where }).toEqual({
        status: bad.status,
        code: bad.code,
        where: bad.where,
      });
      expect(error.message).toContain(bad.says);
      expect(error.message).not.toMatch(/\n| at .*:\d+:\d+/);
    },
  );

  test.each([
    ['words', 'hello daemon\r\n\r\n', 'no HTTP/1.1'],
    ['a method nobody knows', 'BREW /v1/leases HTTP/1.1\r\nhost: x\r\n\r\n', 'no HTTP/1.1'],
    ['the first bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'no HTTP/1.1'],
    [
      'headers above 16 KiB',
      `GET /v1/status HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`,
      'headers are larger',
    ],
    [
      'a broken chunk',
      'POST /v1/leases HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n',
      'no HTTP/1.1',
    ],
  ])('%s instead of a request are refused in words', async (_what, bytes, says) => {
    const answer = await sendRaw(bytes);
    const { error } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as {
      error: { message: string };
    };
    expect(error.message).toContain(says);
  });

  test('changes nothing, and the daemon goes on', async () => {
    expect(await everything()).toBe(before);
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    expect(await world.rm(name)).toMatchObject({ code: 0 });
  });
});

describe('a name of the greatest length', () => {
  test('is leased and given back like any other', async () => {
    const name = `runner-testtoken-box-${'x'.repeat(240 - 21)}`;
    expect(await world.create(name)).toMatchObject({ code: 0 });
    expect((await world.client.leases()).map((lease) => lease.name)).toContain(name);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
  });
});
