// The daemon dies while machines are handed out, used, given back, cleaned and ended, by SIGKILL. Leases and hosts with
// jobs stand as they were, doors answer without it, and what was given back meanwhile is taken up at the start.
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { type Gate, openGate } from '../../support/ec2-gate.ts';
import {
  dockerCall,
  folders,
  type LiveWorld,
  machineName,
  startJob,
  startWorld,
} from '../../support/live-world.ts';

let gate: Gate;
let world: LiveWorld;
const launched = () => world.emulator.world.instances().length;

beforeAll(async () => {
  gate = await openGate();
  world = await startWorld({ gate });
});
afterAll(() => world.close());

async function restart(): Promise<void> {
  await world.stop('SIGKILL');
  await world.start();
}

async function created(): Promise<string> {
  const name = machineName();
  const answer = await world.create(name);
  expect(answer, answer.stdout + answer.stderr).toMatchObject({ code: 0 });
  return name;
}

async function machineOf(name: string): Promise<string> {
  return (await world.client.leases()).find((lease) => lease.name === name)?.machine ?? 'none';
}

async function phaseOf(machine: string): Promise<string> {
  return (await world.client.machines()).find(({ id }) => id === machine)?.phase ?? 'gone';
}

async function containers(name: string): Promise<number> {
  const { text } = await dockerCall(world, name, { method: 'GET', path: '/containers/json?all=1' });
  return (JSON.parse(text) as unknown[]).length;
}

/** One call of a door that this test plays by itself, up to its first line that is no sign of waiting. */
function doorCall(path: string, body: object): Promise<{ status: number; line: string }> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const outgoing = request(
      {
        socketPath: world.env['HOSTLER_SOCKET'],
        method: 'POST',
        path,
        agent: false,
        headers: { 'content-type': 'application/json' },
      },
      (reply) => {
        let seen = '';
        const look = () => {
          const line = seen.split('\n').find((one) => one !== '' && !one.includes('"waiting"'));
          if (line !== undefined) resolve({ status: reply.statusCode ?? 0, line });
        };
        reply.on('data', (chunk: Buffer) => {
          seen += chunk.toString();
          look();
        });
        reply.on('error', () => undefined);
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, line: seen }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

/** Changes the rows of a daemon that is not running. */
function edit(change: (store: Store) => void): void {
  const store = createStore(openDatabase(join(world.folder, 'state', 'state.db')));
  change(store);
  store.close();
}

describe('a daemon killed', () => {
  test('between grant and commit keeps the grant for the door that comes back', async () => {
    const name = machineName();
    const order = { name, driver: 'amazonec2', options: [], store: world.store, pid: 1, runnerPid: 1 };
    const first = await doorCall('/v1/leases', order);
    expect(first.line).toContain('"granted"');
    const machine = await machineOf(name);
    await restart();
    const again = await doorCall('/v1/leases', order);
    expect(again.line).toContain(`"machine":"${machine}"`);
    await restart();
    expect(await doorCall(`/v1/leases/${name}/commit`, {})).toMatchObject({ status: 200 });
    await restart();
    // The answer to the first commit may have been lost with the daemon.
    expect(await doorCall(`/v1/leases/${name}/commit`, {})).toMatchObject({ status: 200 });
    expect(await machineOf(name)).toBe(machine);
    await world.client.endLease(name);
    expect(launched()).toBe(1);
  });

  test('while a runner holds a machine and a job runs on it keeps both, and doors answer without it', async () => {
    const name = await created();
    const machine = await machineOf(name);
    const endJob = await startJob(world, name, '7');
    await world.stop('SIGKILL');
    for (const verb of ['config', 'url', 'inspect', 'stop', 'status', 'ip'])
      expect(await world.dockerMachine(verb, name), verb).toMatchObject({ code: 0 });
    expect(await containers(name)).toBe(1);
    await world.start();
    await world.until('the job to be seen', async () => (await world.client.leases())[0]?.state === 'busy');
    expect(await machineOf(name)).toBe(machine);
    expect(await containers(name)).toBe(1);
    await endJob();
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('the machine to be ready', async () => (await phaseOf(machine)) === 'ready');
    expect(launched()).toBe(1);
  });

  test('while a machine is given back takes the release up at its start', async () => {
    const name = await created();
    const machine = await machineOf(name);
    await startJob(world, name, '8');
    await world.stop('SIGKILL');
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    expect(folders(world)).toEqual([]);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.start();
    await world.until('the machine to be ready', async () => (await phaseOf(machine)) === 'ready');
    expect(await world.client.leases()).toEqual([]);
    const next = await created();
    expect(await machineOf(next)).toBe(machine);
    expect(await containers(next)).toBe(0);
    expect(launched()).toBe(1);
    await world.rm(next);
  });

  test('while it cleans a host cleans it before anybody gets it', async () => {
    const name = await created();
    const machine = await machineOf(name);
    await startJob(world, name, '9');
    await world.stop('SIGKILL');
    edit((store) => {
      const row = store.machine(machine);
      if (row !== null) store.putMachine({ ...row, lease: null, cleaning: true });
      store.deleteLease(name);
    });
    const door = world.create(machineName());
    await world.start();
    expect(await door).toMatchObject({ code: 0 });
    const [lease] = await world.client.leases();
    expect(lease?.machine).toBe(machine);
    expect(await containers(lease?.name ?? '')).toBe(0);
    await world.rm(lease?.name ?? '');
  });

  test('before its termination reached EC2 asks again at once', async () => {
    const name = await created();
    const machine = await machineOf(name);
    await world.rm(name);
    await world.until('the machine to be ready', async () => (await phaseOf(machine)) === 'ready');
    const asked = gate.catchNext('TerminateInstances', 'keep');
    await world.client.retire(machine);
    await asked;
    await restart();
    await world.until('the instance to end', () => world.alive().length === 0);
    await world.until('the record to go', async () => (await world.client.machines()).length === 0);
  });

  test('after its termination reached EC2 ends with nothing left', async () => {
    const name = await created();
    const machine = await machineOf(name);
    await world.rm(name);
    await world.until('the machine to be ready', async () => (await phaseOf(machine)) === 'ready');
    const asked = gate.catchNext('TerminateInstances', 'keep-answer');
    await world.client.retire(machine);
    await asked;
    await restart();
    await world.until('the record to go', async () => (await world.client.machines()).length === 0);
    expect(world.alive()).toEqual([]);
  });
});
