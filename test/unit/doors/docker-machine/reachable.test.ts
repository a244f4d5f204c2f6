// What the door asks hosts itself, against a real TLS server with certificates of a real authority: `config` with a
// stale note, and Docker's version.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeys } from '../../../../src/adapters/keys/keys.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { openScene, type Scene } from './door-harness.ts';

let scene: Scene;
let server: Server;
let url: string;
let seen: string[];
let pingStatus: () => number;
let folder: string;

beforeEach(async () => {
  scene = openScene();
  seen = [];
  pingStatus = () => 200;
  const keys = createKeys(join(scene.folder, 'keys'), { clock: createClock() });
  const notAfter = Date.now() + 3_600_000;
  const host = await keys.issueServer({ name: 'box', addresses: ['127.0.0.1'], names: [], notAfter });
  const client = await keys.issueClient({ name: 'm-aaaaaaaaaa', notAfter });
  const ca = await keys.authority();
  server = createServer({ ...host, ca, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    seen.push(request.url ?? '');
    const ping = request.url === '/_ping';
    response.writeHead(ping ? pingStatus() : 200);
    response.end(ping ? 'OK' : '{"Platform":{"Name":""},"Version":"28.2.1","ApiVersion":"1.50"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = scene.standing('box-1', {
    hostler: `${url}\nm-aaaaaaaaaa\n`,
    'hostler-health': 'ok 1000000000\n',
    'ca.pem': ca,
    'cert.pem': client.cert,
    'key.pem': client.key,
  });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  scene.remove();
});

test('config with a stale note looks at the host and says yes', async () => {
  const answer = await scene.runner(['config', 'box-1']);
  expect(answer).toMatchObject({ code: 0, err: '' });
  expect(answer.out).toBe(
    `--tlsverify\n--tlscacert="${folder}/ca.pem"\n--tlscert="${folder}/cert.pem"\n--tlskey="${folder}/key.pem"\n-H=${url}\n`,
  );
  expect(seen).toEqual(['/_ping']);
  expect(readFileSync(join(scene.store, 'machines/.hostler/calls'), 'utf8')).toBe('config box-1\n');
});

test('config with a stale note forgives one bad look', async () => {
  pingStatus = () => (seen.length === 1 ? 500 : 200);
  expect((await scene.runner(['config', 'box-1'])).code).toBe(0);
  expect(seen).toHaveLength(2);
});

test('config says no after two bad looks, with the reason', async () => {
  pingStatus = () => 500;
  const answer = await scene.runner(['config', 'box-1']);
  expect(answer).toMatchObject({ code: 1, out: '' });
  expect(answer.err).toContain(`"box-1" does not answer at ${url}: it answered 500`);
});

test('config says no to a host of another authority', async () => {
  const other = createKeys(join(scene.folder, 'other'), { clock: createClock() });
  writeFileSync(join(folder, 'ca.pem'), await other.authority());
  expect((await scene.runner(['config', 'box-1'])).code).toBe(1);
  expect(seen).toEqual([]);
});

test('config of the default machine and env look at the host too', async () => {
  expect((await scene.person(['env', '--shell', 'sh', 'box-1'])).out).toContain(
    `export DOCKER_HOST="${url}"`,
  );
  pingStatus = () => 503;
  expect((await scene.person(['env', 'box-1'])).err).toContain('it answered 503');
});

test("ls and version show Docker's version", async () => {
  expect((await scene.person(['version', 'box-1'])).out).toBe('28.2.1\n');
  expect((await scene.person(['ls'])).out).toContain('v28.2.1');
});
