// Hosts that never come up, end outside hostler, or fall silent: each is replaced, the runner hears "no" in time, and a
// host that may still run a job is left to it.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startHost } from '../../../src/emulator/host/start-host.ts';
import { folders, machineName, startJob } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;
const own =
  '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nboot_timeout = "3m"\nidle_time = "50m"\n';
/** Hosts by address, so that one can fall silent while EC2 says that it runs. */
const hosts = new Map<string, { close(): Promise<void> }>();

let world: MovedWorld;
beforeAll(async () => {
  const emulator = {
    startHost: async (options: Parameters<typeof startHost>[0]) => {
      const host = await startHost(options);
      hosts.set(options.address, host);
      return host;
    },
  };
  world = await startMovedWorld({ own, emulator });
});
afterEach(async () => {
  const { client, until, alive, pass } = world;
  for (const lease of await client.leases())
    await client.endLease(lease.name, 'person').catch(() => undefined);
  await until('the pool to be empty', async () => {
    for (const { id, lease } of await client.machines())
      if (lease === null) await client.retire(id).catch(() => undefined);
    await pass(2_000);
    return alive().length === 0 && (await client.machines()).length === 0;
  });
});
afterAll(() => world.close());

const calls = (action: string) => world.gate.calls().filter((call) => call.action === action).length;

async function created(): Promise<string> {
  const name = machineName();
  const answer = await world.create(name);
  expect(answer, answer.stdout + answer.stderr).toMatchObject({ code: 0 });
  return name;
}

async function machineOf(name: string) {
  const lease = (await world.client.leases()).find((one) => one.name === name);
  const machine = (await world.client.machines()).find(({ id }) => id === lease?.machine);
  if (machine === undefined) throw new Error(`${name} has no machine`);
  return machine;
}

/** Its instance ends as a reclaimed or broken one does. */
function endInstance(id: string | null): void {
  world.emulator.world.region('eu-central-1').terminateInstances([id ?? '']);
}

async function fallSilent(address: string | null): Promise<void> {
  await hosts.get(address ?? '')?.close();
}

describe('a host that never boots', () => {
  test('is replaced after boot_timeout, its console kept for explain, asked for once', async () => {
    const { faults } = world.emulator.world;
    const before = calls('GetConsoleOutput');
    faults.set({ code: 'never-boots', rate: 1, action: null });
    const door = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    const machine = await world.until('the instance', async () =>
      (await world.client.machines()).find(({ instance }) => instance !== null),
    );
    faults.set({ code: 'never-boots', rate: 0, action: null });
    for (let minute = 0; minute < 3; minute++) await world.pass(MINUTE);
    expect(await door.done).toMatchObject({ code: 0 });
    expect(calls('GetConsoleOutput') - before).toBe(1);
    const explained = await world.hostler('explain', machine.id);
    expect(explained.stdout).toContain('boot-timeout');
    expect(explained.stdout).toContain('is waiting for its network');
    await world.until('the first host to end', () => world.alive().length === 1);
  });
});

describe('an instance that ends outside hostler', () => {
  test('while idle is not handed out, and its record goes', async () => {
    const name = await created();
    const machine = await machineOf(name);
    await world.rm(name);
    endInstance(machine.instance);
    await world.until('the record to go', async () => {
      await world.pass(MINUTE / 4);
      return !(await world.client.machines()).some(({ id }) => id === machine.id);
    });
    const next = await created();
    expect((await machineOf(next)).id).not.toBe(machine.id);
  });

  test('while leased ends the lease, says no to config, and leaves no ghost in the store', async () => {
    const name = await created();
    await startJob(world, name, '7');
    const machine = await machineOf(name);
    endInstance(machine.instance);
    await world.until('the lease to end', async () => {
      await world.pass(MINUTE / 4);
      return (await world.client.leases()).length === 0;
    });
    await world.until('config to say no', async () => (await world.dockerMachine('config', name)).code === 1);
    expect(folders(world)).not.toContain(name);
    expect((await world.client.events({ lease: name })).map(({ code }) => code)).toContain('instance-gone');
  });
});

describe('a host whose Docker falls silent', () => {
  test('while a runner holds it idle is known as dead to config, and ends with its lease', async () => {
    const name = await created();
    const machine = await machineOf(name);
    await fallSilent(machine.address);
    await world.until('config to say that it is dead', async () => {
      await world.pass(10_000);
      const { code, stderr } = await world.dockerMachine('config', name);
      return code === 1 && stderr.includes('known to be dead');
    });
    expect(world.alive()).toHaveLength(1);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('its instance to end', async () => {
      await world.pass(5_000);
      return world.alive().length === 0;
    });
    expect((await world.client.machine(machine.id)).machine).toMatchObject({ ending: 'unhealthy' });
  });

  test('while it is ready is replaced when idle machines are wanted', async () => {
    const name = await created();
    const machine = await machineOf(name);
    await world.rm(name);
    await fallSilent(machine.address);
    const door = world.create(machineName());
    await world.until('its instance to end', async () => {
      await world.pass(10_000);
      return !world.alive().some(({ id }) => id === machine.instance);
    });
    expect(await door).toMatchObject({ code: 0 });
  });

  test('while a job may run on it is left alone for as long as the lease stands', async () => {
    const name = await created();
    await startJob(world, name, '8');
    const machine = await machineOf(name);
    await fallSilent(machine.address);
    for (let minute = 0; minute < 3; minute++) await world.pass(MINUTE);
    expect(world.alive().map(({ id }) => id)).toEqual([machine.instance]);
    expect(await world.client.leases()).toMatchObject([{ name, state: 'busy' }]);
  });
});
