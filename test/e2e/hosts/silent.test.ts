// A busy host that is gone or falls silent: the runner's open connections to it are closed, so that its job fails, and only then.
// In real time, because the kernel tells how long a connection has been quiet. Needs root and a kernel that closes sockets.
import { readFileSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createConnections } from '../../../src/adapters/system/reset-connections.ts';
import { createFaultyHosts } from '../../support/faulty-hosts.ts';
import { dockerCall, type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { codesOf } from '../../support/looks.ts';

const why = await createConnections().trouble(AbortSignal.timeout(10_000));
if (why !== null) console.warn(`connections cannot be reset here: ${why}`);

const hosts = createFaultyHosts();
let world: LiveWorld;

/** Waits for the job's end as the runner does, on a connection that says nothing meanwhile. */
async function waitForJob(name: string): Promise<{ request: ClientRequest; failed: Promise<string> }> {
  const listed = await dockerCall(world, name, { method: 'GET', path: '/containers/json' });
  const [container] = JSON.parse(listed.text) as { Id: string }[];
  const folder = join(world.store, 'machines', name);
  const read = (file: string) => readFileSync(join(folder, file));
  const { Driver } = JSON.parse(read('config.json').toString()) as { Driver: { IPAddress: string } };
  const waiting = request({
    host: Driver.IPAddress,
    port: 2376,
    method: 'POST',
    path: `/containers/${container?.Id ?? ''}/wait`,
    ca: read('ca.pem'),
    cert: read('cert.pem'),
    key: read('key.pem'),
    agent: false,
  });
  const failed = new Promise<string>((resolve) => {
    waiting.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    waiting.on('response', (reply) => {
      reply.resume();
      reply.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      reply.on('end', () => resolve('ended'));
    });
  });
  waiting.end();
  return { request: waiting, failed };
}

async function busyHost(jobId: string) {
  const name = machineName();
  expect(await world.create(name)).toMatchObject({ code: 0 });
  await startJob(world, name, jobId);
  const lease = await world.until('the job', async () =>
    (await world.client.leases()).find((one) => one.name === name && one.jobs.length === 1),
  );
  const { machine } = await world.client.machine(lease.machine ?? '');
  return { name, machine, waiting: await waitForJob(name) };
}

beforeAll(async () => {
  world = await startWorld({ emulator: { startHost: hosts.startHost } });
});
afterAll(async () => {
  await world.close();
  await hosts.endAll();
});

describe.skipIf(why !== null)('a busy host whose instance is gone without a word', () => {
  test('loses the connections to it within 30 s after EC2 showed it, with its job named', {
    timeout: 200_000,
  }, async () => {
    const { name, machine, waiting } = await busyHost('4710');
    let ended: string | null = null;
    void waiting.failed.then((code) => {
      ended = code;
    });
    await hosts.vanish(machine.instance);
    world.emulator.world.region('eu-central-1').terminateInstances([machine.instance ?? '']);
    const codes = () => codesOf(world, { machine: machine.id });
    const isKnown = async () => {
      const told = await codes();
      return told.includes('instance-gone') || told.includes('connections-reset');
    };
    await world.until('EC2 to show its end', isKnown, 90_000);
    await world.until('the end of the connection', () => ended, 30_000);
    expect(['ECONNABORTED', 'ECONNRESET']).toContain(ended);
    const told = (await world.client.events({ machine: machine.id })).find(
      ({ code }) => code === 'connections-reset',
    );
    expect(told?.text).toMatch(/^its instance is (gone|terminated|shutting-down)/);
    expect(told?.detail).toMatchObject({ job: '4710' });
    // The runner gives it back then.
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('no instance', () => world.alive().length === 0);
  });
});

describe.skipIf(why !== null)('a busy host that falls silent', () => {
  test('loses the connections to it, while one whose Docker alone hangs keeps them', {
    timeout: 200_000,
  }, async () => {
    const [silent, hanging] = [await busyHost('4711'), await busyHost('4712')];
    await hosts.host(silent.machine.instance).afflict('silent');
    await hosts.host(hanging.machine.instance).afflict('docker-mute');
    let ended: string | null = null;
    void silent.waiting.failed.then((code) => {
      ended = code;
    });
    await world.until('the end of the connection', () => ended, 150_000);
    expect(['ECONNABORTED', 'ECONNRESET']).toContain(ended);
    const told = await world.until('the word of it', async () =>
      (await world.client.events({ machine: silent.machine.id })).find(
        ({ code }) => code === 'connections-reset',
      ),
    );
    expect(told.detail).toMatchObject({ job: '4711' });
    expect(await codesOf(world, { machine: hanging.machine.id })).not.toContain('connections-reset');
    expect(hanging.waiting.request.destroyed).toBe(false);
    const text = await (await fetch(`${world.metricsUrl}/metrics`)).text();
    expect(text).toMatch(/hostler_connections_reset_total\{[^}]*\} [1-9]/);
    expect(text).toMatch(/\nhostler_connections_reset_state 1/);
    expect(world.alive()).toHaveLength(2);
    hanging.waiting.request.destroy();
  });
});
