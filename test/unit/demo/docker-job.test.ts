// The job's side of the Docker API against an emulated host's: real TLS, real HTTP, on loopback.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createKeys } from '../../../src/adapters/keys/keys.ts';
import { createClock } from '../../../src/adapters/system/clock.ts';
import { runDockerJob } from '../../../src/demo/docker-job.ts';
import { type DockerDoor, openDockerDoor } from '../../../src/emulator/host/docker-door.ts';
import { createDockerState, type DockerState } from '../../../src/emulator/host/docker-state.ts';

let folder: string;
let state: DockerState;
let door: DockerDoor;
let host: { url: string; storePath: string };

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-docker-job-'));
  const keys = createKeys(join(folder, 'keys'), { clock: createClock() });
  const notAfter = Date.now() + 3_600_000;
  const ca = await keys.authority();
  const server = await keys.issueServer({ name: 'host', addresses: ['127.0.0.1'], names: [], notAfter });
  const client = await keys.issueClient({ name: 'm-1', notAfter });
  const storePath = join(folder, 'machine');
  mkdirSync(storePath);
  for (const [file, text] of Object.entries({ 'ca.pem': ca, 'cert.pem': client.cert, 'key.pem': client.key }))
    writeFileSync(join(storePath, file), text);
  state = createDockerState('i-1');
  const port = await freePort();
  door = await openDockerDoor({ address: '127.0.0.1', port, tls: { ca, ...server }, state });
  host = { url: `tcp://127.0.0.1:${port}`, storePath };
});

afterEach(async () => {
  await door.close();
  rmSync(folder, { recursive: true, force: true });
});

const order = { id: '7', url: 'https://gitlab.example.com/-/jobs/7', image: 'alpine', durationMs: 1 };
const context = () => ({
  runner: 'abc123def',
  signal: new AbortController().signal,
  started: () => undefined,
});

describe('a job on a Docker host', () => {
  test('runs in a container with the runner’s labels and leaves none behind', async () => {
    const seen: unknown[] = [];
    const started = () => {
      seen.push(...state.containers().map(({ status, labels }) => ({ status, labels })));
    };
    await runDockerJob(host, order, { ...context(), started });
    expect(seen).toEqual([
      {
        status: 'running',
        labels: {
          'com.gitlab.gitlab-runner.job.id': '7',
          'com.gitlab.gitlab-runner.job.url': order.url,
          'com.gitlab.gitlab-runner.managed': 'true',
          'com.gitlab.gitlab-runner.type': 'build',
        },
      },
    ]);
    expect(state.containers()).toEqual([]);
  });

  test('fails when the host does not answer', async () => {
    await door.close();
    await expect(runDockerJob(host, order, context())).rejects.toMatchObject({ code: 'host-unreachable' });
  });

  test('fails with Docker’s own words when the container cannot be made', async () => {
    state.create({
      name: 'runner-abc123def-project-1-concurrent-0-7-build',
      image: 'alpine',
      command: [],
      labels: {},
      config: {},
      hostConfig: {},
    });
    await expect(runDockerJob(host, order, context())).rejects.toThrow(/create of the build container: 409/);
  });

  test('ends at once when the runner is killed', async () => {
    const killed = new AbortController();
    const job = runDockerJob(
      host,
      { ...order, durationMs: 3_600_000 },
      { ...context(), signal: killed.signal, started: () => killed.abort() },
    );
    await expect(job).rejects.toThrow();
  });
});
