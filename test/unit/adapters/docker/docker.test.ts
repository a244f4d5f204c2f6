// The Docker client against an emulated Docker over real mutual TLS, and against servers that answer nonsense.

import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDocker } from '../../../../src/adapters/docker/docker.ts';
import { createKeys } from '../../../../src/adapters/keys/keys.ts';
import { createClock } from '../../../../src/adapters/system/clock.ts';
import { HOUR_MS } from '../../../../src/domain/units.ts';
import { openDockerDoor } from '../../../../src/emulator/host/docker-door.ts';
import { createDockerState } from '../../../../src/emulator/host/docker-state.ts';
import type { Keys } from '../../../../src/ports/keys.ts';
import { freePort, newAddress } from '../../provision/host-fixture.ts';

const clock = createClock();
const docker = createDocker({ clock });
const never = () => new AbortController().signal;
const LABEL = 'com.gitlab.gitlab-runner';
const folder = mkdtempSync(join(tmpdir(), 'hostler-docker-'));
const keys: Keys = createKeys(folder, { clock });
const cleanups: (() => unknown)[] = [];

let ca = '';
let client = { cert: '', key: '' };
beforeAll(async () => {
  ca = await keys.authority();
  client = await keys.issueClient({ name: 'm-1', notAfter: clock.now() + HOUR_MS });
});
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

async function serverFiles(address: string) {
  const notAfter = clock.now() + HOUR_MS;
  const server = await keys.issueServer({ name: 'm-1', addresses: [address], names: [], notAfter });
  return { ca, ...server };
}

async function emulated() {
  const [address, port] = [newAddress(), await freePort()];
  const state = createDockerState('i-1');
  const open = async () => openDockerDoor({ address, port, tls: await serverFiles(address), state });
  const door = await open();
  cleanups.push(() => door.close(), state.close);
  return { state, door, open, host: { address, port, tls: { ca, ...client } } };
}

/** A TLS server with a good certificate whose answers the test writes. */
async function answering(answer: (response: ServerResponse, path: string) => void) {
  const address = newAddress();
  const server = createServer({ ...(await serverFiles(address)), requestCert: true }, (asked, response) => {
    answer(response, asked.url ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return { address, port, tls: { ca, ...client } };
}

function box(name: string, labels: Record<string, string>) {
  return { name, image: 'alpine:3', command: [], labels, config: {}, hostConfig: {} };
}

describe('ping', () => {
  test('is true only for a verified OK', async () => {
    const { host } = await emulated();
    expect(await docker.ping(host, 5_000)).toBe(true);
    const odd = await answering((response) => response.end('well'));
    const broken = await answering((response) => response.writeHead(500).end('OK'));
    expect([await docker.ping(odd, 5_000), await docker.ping(broken, 5_000)]).toEqual([false, false]);
  });

  test('is false for a server of another authority, for another address, and without our certificate', async () => {
    const { host } = await emulated();
    const other = createKeys(join(folder, 'other'), { clock });
    const foreign = await other.issueClient({ name: 'm-1', notAfter: clock.now() + HOUR_MS });
    const fresh = () => createDocker({ clock });
    expect(await fresh().ping({ ...host, tls: { ...host.tls, ca: await other.authority() } }, 5_000)).toBe(
      false,
    );
    expect(await fresh().ping({ ...host, tls: { ca, ...foreign } }, 5_000)).toBe(false);
    const server = await serverFiles(host.address);
    expect(await fresh().ping({ ...host, tls: server }, 5_000)).toBe(false);
    const elsewhere = newAddress();
    const state = createDockerState('i-2');
    const misnamed = await openDockerDoor({ address: elsewhere, port: host.port, tls: server, state });
    cleanups.push(() => misnamed.close());
    expect(await fresh().ping({ ...host, address: elsewhere }, 5_000)).toBe(false);
  });

  test('is false in time for a server that says nothing, and for none', async () => {
    const silent = await answering(() => undefined);
    expect(await docker.ping(silent, 200)).toBe(false);
    expect(await docker.ping({ ...silent, port: await freePort() }, 200)).toBe(false);
  });

  test('uses one kept connection, and a new one when the host restarted its Docker', async () => {
    const { host, door, open } = await emulated();
    expect(await docker.ping(host, 5_000)).toBe(true);
    await door.close();
    const second = await open();
    cleanups.push(() => second.close());
    expect(await docker.ping(host, 5_000)).toBe(true);
    docker.forget(host.address);
    expect(await docker.ping(host, 5_000)).toBe(true);
  });
});

describe("the runner's containers", () => {
  test('are told by the prefix of any label, with their job', async () => {
    const { state, host } = await emulated();
    const build = state.create(
      box('build', {
        [`${LABEL}.job.id`]: '42',
        [`${LABEL}.job.url`]: 'https://gitlab.example/g/p/-/jobs/42',
      }),
    );
    state.start(build?.id ?? '');
    state.create(
      box('service', { [`${LABEL}.managed`]: 'true', [`${LABEL}.job.url`]: 'javascript:alert(1)' }),
    );
    state.create(box('mine', { 'com.example': 'x' }));
    const seen = await docker.jobContainers(host, never());
    expect(seen.map(({ running, jobId, jobUrl }) => ({ running, jobId, jobUrl }))).toEqual([
      { running: true, jobId: '42', jobUrl: 'https://gitlab.example/g/p/-/jobs/42' },
      { running: false, jobId: null, jobUrl: null },
    ]);
  });

  test('are removed with their networks; images, volumes and all else stay', async () => {
    const { state, host } = await emulated();
    const build = state.create(box('build', { [`${LABEL}.job.id`]: '42' }));
    state.start(build?.id ?? '');
    const mine = state.create(box('mine', {}));
    state.start(mine?.id ?? '');
    const network = state.addNetwork('job-42', { [`${LABEL}.job.id`]: '42' });
    network.members.add(mine?.id ?? '');
    state.addNetwork('mine', {});
    state.volumes.set('cache', { name: 'cache', labels: { [`${LABEL}.type`]: 'cache' } });
    const { containers } = await docker.clean(host, never());
    expect(containers.map(({ jobId }) => jobId)).toEqual(['42']);
    expect(state.containers().map(({ name, status }) => [name, status])).toEqual([['mine', 'running']]);
    expect([...state.networks.values()].map(({ name }) => name)).toEqual(['bridge', 'host', 'none', 'mine']);
    expect([...state.volumes.keys()]).toEqual(['cache']);
    expect(state.images.size).toBe(1);
    expect((await docker.clean(host, never())).containers).toEqual([]);
  });

  test('of a host that answers nonsense are an error, never none', async () => {
    const answers: Record<string, string> = {
      junk: '<html>',
      object: '{}',
      nulls: '[null]',
      path: '[{"Id":"../../images","State":"running","Labels":null}]',
      big: `"${'x'.repeat(9 * 1024 * 1024)}"`,
    };
    for (const text of Object.values(answers)) {
      const host = await answering((response) => response.end(text));
      await expect(docker.jobContainers(host, never())).rejects.toMatchObject({ code: 'host-unreachable' });
    }
    const failing = await answering((response) => response.writeHead(500).end('{"message":"no\\nspace"}'));
    await expect(docker.clean(failing, never())).rejects.toThrow(/answered 500 to GET \/containers\/json/);
  });

  test('of a host that stalls are given up with the signal', async () => {
    const stalling = await answering((response) => response.write('['));
    await expect(docker.jobContainers(stalling, clock.timeout(200))).rejects.toThrow('no answer in time');
  });
});

test('the emulated Docker speaks as the real one to a plain client', async () => {
  const { host } = await emulated();
  const call = (method: string, path: string, body?: unknown) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const sent = request(
        { host: host.address, port: host.port, method, path, ...host.tls, agent: false },
        (answer) => {
          let text = '';
          answer.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          answer.on('end', () => {
            resolve({ status: answer.statusCode, text });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const labels = { [`${LABEL}.job.id`]: '7' };
  expect((await call('GET', '/v1.45/version')).text).toContain('"ApiVersion"');
  expect((await call('POST', '/v1.45/images/create?fromImage=alpine&tag=3')).status).toBe(200);
  expect((await call('GET', '/v1.45/images/registry.example%2Fa%2Fb:1/json')).status).toBe(200);
  const made = await call('POST', '/v1.45/containers/create?name=build', {
    Image: 'alpine:3',
    Cmd: ['sh', '-c', 'sleep 1'],
    Labels: labels,
  });
  const { Id } = JSON.parse(made.text) as { Id: string };
  expect((await call('POST', '/v1.45/containers/create?name=build', { Image: 'a' })).status).toBe(409);
  expect((await call('POST', `/v1.45/containers/${Id}/start`)).status).toBe(204);
  expect((await call('DELETE', `/v1.45/containers/${Id}`)).status).toBe(409);
  expect(JSON.parse((await call('POST', `/v1.45/containers/${Id}/wait`)).text)).toEqual({ StatusCode: 0 });
  expect(JSON.parse((await call('GET', '/v1.45/containers/build/json')).text)).toMatchObject({
    State: { Status: 'exited', ExitCode: 0 },
    Config: { Labels: labels },
  });
  const filter = encodeURIComponent(JSON.stringify({ label: [`${LABEL}.job.id=7`] }));
  expect(JSON.parse((await call('GET', `/v1.45/containers/json?all=1&filters=${filter}`)).text)).toHaveLength(
    1,
  );
  expect((await call('DELETE', `/v1.45/containers/${Id}?v=1`)).status).toBe(204);
  expect((await call('GET', `/v1.45/containers/${Id}/json`)).status).toBe(404);
  expect((await call('POST', '/v1.45/networks/create', { Name: 'n', Labels: labels })).status).toBe(201);
  expect((await call('DELETE', '/v1.45/networks/n')).status).toBe(204);
  expect((await call('POST', '/v1.45/volumes/create', { Name: 'v' })).status).toBe(201);
  expect((await call('GET', '/v1.45/volumes')).text).toContain('"v"');
  expect((await call('GET', '/v1.45/swarm')).status).toBe(501);
});

describe('prune', () => {
  const paths = async (what: 'spare' | 'caches', refused: string) => {
    const seen: string[] = [];
    const host = await answering((response, path) => {
      seen.push(decodeURIComponent(path));
      if (path.includes(refused)) response.writeHead(400);
      response.end('{}');
    });
    await docker.prune(host, what, never());
    return seen;
  };

  test('spares tagged images and every volume, unless the caches are asked for too', async () => {
    expect(await paths('spare', 'nothing')).toEqual([
      '/containers/prune',
      '/images/prune?filters={"dangling":["true"]}',
      '/build/prune?all=0',
    ]);
    expect(await paths('caches', 'nothing')).toEqual([
      '/containers/prune',
      '/images/prune?filters={"dangling":["false"]}',
      '/build/prune?all=1',
      '/volumes/prune?filters={"all":["true"]}',
    ]);
  });

  test('asks an older Docker, which refuses the filter, for its volumes without it', async () => {
    expect((await paths('caches', '/volumes/prune?')).at(-1)).toBe('/volumes/prune');
  });

  test('fails in words when Docker refuses', async () => {
    const host = await answering((response) => response.writeHead(500).end('{"message":"no room"}'));
    await expect(docker.prune(host, 'spare', never())).rejects.toMatchObject({ code: 'host-unreachable' });
  });
});
