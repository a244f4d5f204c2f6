// How many connections to hosts are kept, over real TLS sockets on loopback.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  BACK_WITHIN_MS,
  createKeptLines,
  type KeptLines,
} from '../../../../src/adapters/docker/kept-lines.ts';
import { createKeys } from '../../../../src/adapters/keys/keys.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { HOUR_MS } from '../../../../src/domain/units.ts';
import { createHandClock } from '../../../support/hand-clock.ts';

const clock = createClock();
const folder = mkdtempSync(join(tmpdir(), 'hostler-lines-'));
const keys = createKeys(folder, { clock });
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
let tls = { ca: '', cert: '', key: '' };
let port = 0;
/** Answers that are held back. */
const held: (() => void)[] = [];
const server = createServer((asked, response) => {
  if (asked.url === '/held') held.push(() => response.end('late'));
  else response.end('OK');
});

beforeAll(async () => {
  const notAfter = clock.now() + HOUR_MS;
  const own = await keys.issueServer({ name: 'm-1', addresses: ADDRESSES, names: [], notAfter });
  tls = { ca: await keys.authority(), ...(await keys.issueClient({ name: 'manager', notAfter })) };
  server.setSecureContext({ ...own, ca: tls.ca });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const hostAt = (address: string) => ({ address, port, tls });

/** Asks; resolves with the answer and whether a kept connection served it. */
function ask(lines: KeptLines, address: string, path = '/'): Promise<{ text: string; kept: boolean }> {
  return new Promise((resolve, reject) => {
    const agent = lines.agentFor(hostAt(address));
    const sent = request({ agent, host: address, port, path }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve({ text, kept: sent.reusedSocket }));
    });
    sent.on('error', reject).end();
  });
}

/** Resolves when the answer's connection is back with its agent. */
const atRest = () => new Promise((resolve) => setImmediate(resolve));

/** Asks each in turn, over connections that are back at rest. */
async function askAll(lines: KeptLines, addresses: readonly string[]): Promise<boolean[]> {
  const kept = [];
  for (const address of addresses) {
    kept.push((await ask(lines, address)).kept);
    await atRest();
  }
  return kept;
}

test('a host that is asked again and again has its connection kept from the third time on', async () => {
  const lines = createKeptLines({ clock });
  expect(await askAll(lines, ['127.0.0.1', '127.0.0.1'])).toEqual([false, false]);
  expect(lines.count()).toBe(0);
  expect(await askAll(lines, ['127.0.0.1', '127.0.0.1'])).toEqual([false, true]);
  lines.forget('127.0.0.1');
  expect(lines.count()).toBe(0);
});

test('a host whose next turn comes late has none kept', async () => {
  const hand = createHandClock(0);
  const lines = createKeptLines({ clock: hand });
  for (let turn = 0; turn < 4; turn += 1) {
    expect(await askAll(lines, ['127.0.0.1'])).toEqual([false]);
    expect(lines.count()).toBe(0);
    await hand.advance(BACK_WITHIN_MS + 1);
  }
});

test('a kept connection that is not used any more is ended, and its place is free', async () => {
  const hand = createHandClock(0);
  const lines = createKeptLines({ clock: hand, most: 1 });
  await askAll(lines, Array<string>(3).fill('127.0.0.1'));
  expect(lines.count()).toBe(1);
  await hand.advance(BACK_WITHIN_MS + 1);
  expect(await askAll(lines, Array<string>(4).fill('127.0.0.2'))).toEqual([false, false, false, true]);
  expect(lines.count()).toBe(1);
});

test('with more hosts than places those that have one keep it, and the others are served all the same', async () => {
  const lines = createKeptLines({ clock, most: 2 });
  const turn = () => askAll(lines, ADDRESSES);
  for (let before = 0; before < 3; before += 1) await turn();
  expect(await turn()).toEqual([true, true, false]);
  expect(await turn()).toEqual([true, true, false]);
  expect(lines.count()).toBe(2);
});

test('a connection with a request under way is not ended, however long it takes', async () => {
  const hand = createHandClock(0);
  const lines = createKeptLines({ clock: hand, most: 1 });
  await askAll(lines, ['127.0.0.1', '127.0.0.1']);
  const late = ask(lines, '127.0.0.1', '/held');
  await expect.poll(() => held.length).toBe(1);
  await hand.advance(BACK_WITHIN_MS + 1);
  expect((await ask(lines, '127.0.0.2')).text).toBe('OK');
  held[0]?.();
  expect((await late).text).toBe('late');
});
