// Hosts whose Docker dies later: ready ones are replaced, held idle ones are called dead, busy ones are left alone.
// Time passes faster here than in the world, so that three pings in a row need not be waited for.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineReply } from '../../../src/contract/api.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { createFaultyHosts } from '../../support/faulty-hosts.ts';
import { type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { awaitReady, codesOf, settleAt } from '../../support/looks.ts';
import { createMovedClock, type MovedClock } from '../../support/moved-clock.ts';

const hosts = createFaultyHosts();
let world: LiveWorld;
let clock: MovedClock;

const leaseOf = async (name: string) => (await world.client.leases()).find((one) => one.name === name);
const machineOf = async (name: string): Promise<MachineReply> =>
  (await world.client.machine((await leaseOf(name))?.machine ?? name)).machine;
const isAlive = (instance: string | null) => world.alive().some(({ id }) => id === instance);
/** Waits while the daemon's time runs fast. */
const see = <T>(what: string, look: () => T | Promise<T>) =>
  clock.hurry(() => world.until(what, look, 30_000));
const health = async (name: string) => (await world.dockerMachine('config', name)).stderr;

beforeAll(async () => {
  clock = createMovedClock(Date.now() - HOUR_MS);
  world = await startWorld({
    clock,
    machine: 'IdleCount = 1\n    IdleTime = 1800\n    MaxBuilds = 10',
    emulator: { startHost: hosts.startHost },
  });
});
afterAll(() => world.close());

describe('a host whose Docker dies', () => {
  test('while nobody holds it is replaced', async () => {
    const [machine] = await clock.hurry(() => awaitReady(world, 1));
    await hosts.host(machine?.instance ?? null).afflict('docker-dies');
    await see('another one', async () => {
      const ready = (await world.client.machines()).filter(({ phase }) => phase === 'ready');
      return ready.length === 1 && ready[0]?.id !== machine?.id;
    });
    expect(await codesOf(world, { machine: machine?.id ?? '' })).toContain('unhealthy');
    await see('its end', () => !isAlive(machine?.instance ?? null));
  });

  test('while a runner merely holds it is called dead, and replaced once the runner gave it back', async () => {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    const { id, instance } = await machineOf(name);
    expect(await health(name)).toBe('');
    await hosts.host(instance).afflict('docker-dies');
    await see('the word of the daemon', async () =>
      (await health(name)).includes('its Docker API does not answer'),
    );
    expect(await world.dockerMachine('config', name)).toMatchObject({ code: 1 });
    expect(isAlive(instance)).toBe(true);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await see('its end', () => !isAlive(instance));
    expect((await codesOf(world, { machine: id })).filter((code) => code === 'unhealthy')).not.toEqual([]);
    await see('another one in its place', async () =>
      (await world.client.machines()).some((one) => one.phase === 'ready' && one.id !== id),
    );
  });

  test('while a job is on it is left alone: it ends with its lease', async () => {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    await startJob(world, name, '4711');
    const { id, instance } = await machineOf(name);
    await see('the job', async () => (await leaseOf(name))?.jobs.length === 1);
    await hosts.host(instance).afflict('docker-dies');
    await see('it to be marked', async () => (await machineOf(name)).ending === 'unhealthy');
    await settleAt(world, clock, clock.now() + 10 * MINUTE_MS);
    expect(isAlive(instance)).toBe(true);
    expect(await leaseOf(name)).toMatchObject({ state: 'busy', machine: id });
    expect(await world.dockerMachine('status', name)).toMatchObject({ stdout: 'Running\n' });
    await world.rm(name);
    await see('its end', () => !isAlive(instance));
  });
});
