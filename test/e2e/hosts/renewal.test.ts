// Dead-man timers from the manager's side: who stands is renewed in time and after a restart; who cannot be renewed leaves
// the pool before it would end itself, and never under a job. And max_machine_life.
// Trap: certificates must be valid now, so the daemon's hours begin in the past.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineReply } from '../../../src/contract/api.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { createFaultyHosts, type FaultyHosts } from '../../support/faulty-hosts.ts';
import { type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { awaitReady, codesOf } from '../../support/looks.ts';
import { createMovedClock, type MovedClock } from '../../support/moved-clock.ts';

let hosts: FaultyHosts;
let world: LiveWorld;
let clock: MovedClock;

/** A world that began this long ago, with two idle machines and these keys for its pool. */
async function begin(agoMs: number, keys = ''): Promise<void> {
  hosts = createFaultyHosts();
  clock = createMovedClock(Date.now() - agoMs);
  world = await startWorld({
    clock,
    emulator: { startHost: hosts.startHost },
    machine: 'IdleCount = 2\n    IdleTime = 86400\n    MaxBuilds = 10',
    own: `[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\n${keys}\n`,
  });
}
const see = <T>(what: string, look: () => T | Promise<T>) =>
  clock.hurry(() => world.until(what, look, 40_000));
const renewals = (machine: MachineReply | undefined) =>
  hosts.plays(machine?.instance ?? null, 'renew-dead-man');
const isAlive = (instance: string | null) => world.alive().some(({ id }) => id === instance);
const leaseOf = async (name: string) => (await world.client.leases()).find((one) => one.name === name);
const machineOf = async (name: string): Promise<MachineReply> =>
  (await world.client.machine((await leaseOf(name))?.machine ?? name)).machine;
async function lease(): Promise<string> {
  const name = machineName();
  expect(await world.create(name)).toMatchObject({ code: 0 });
  return name;
}

describe('renewal', () => {
  let machines: readonly MachineReply[] = [];
  beforeAll(async () => {
    await begin(5 * HOUR_MS);
    machines = await clock.hurry(() => awaitReady(world, 2));
  });
  afterAll(() => world.close());

  test('comes with provisioning, and again within half an hour', async () => {
    expect(machines.map(renewals)).toEqual([1, 1]);
    clock.pass(20 * MINUTE_MS);
    await world.client.status();
    expect(machines.map(renewals)).toEqual([1, 1]);
    clock.pass(10 * MINUTE_MS);
    await world.until('the next one', () => machines.every((machine) => renewals(machine) === 2));
  });

  test('comes at once when the daemon starts: nobody knows how long it was away', async () => {
    await world.stop();
    await world.start();
    await world.until('one more', () => machines.every((machine) => renewals(machine) === 3));
    expect(await codesOf(world)).not.toContain('renew-failed');
  });

  test('that fails on a leased host is told, and costs it nothing yet', async () => {
    const name = await lease();
    const machine = await machineOf(name);
    await hosts.host(machine.instance).afflict('ssh-dies');
    clock.pass(30 * MINUTE_MS);
    await see('the failure', async () =>
      (await codesOf(world, { machine: machine.id })).includes('renew-failed'),
    );
    expect(machine.ending).toBe(null);
    expect(isAlive(machine.instance)).toBe(true);
  });

  test('that stays away takes the host out of use at half of dead_man; the runner hears of it, nobody is cut off', async () => {
    const [name = ''] = (await world.client.leases()).map((one) => one.name);
    const { id, instance } = await machineOf(name);
    clock.pass(30 * MINUTE_MS);
    await see('the mark', async () => (await machineOf(name)).ending === 'not-renewed');
    await see('the word', async () =>
      (await world.dockerMachine('config', name)).stderr.includes('dead-man timer cannot be renewed'),
    );
    expect(isAlive(instance)).toBe(true);
    await world.rm(name);
    await see('its end', () => !isAlive(instance));
    expect(await codesOf(world, { machine: id })).toContain('not-renewed');
  });

  test('that stays away leaves a host with its job, and ends one that nobody holds', async () => {
    await see(
      'two machines',
      async () => (await world.client.machines()).filter((one) => one.phase === 'ready').length >= 2,
    );
    const name = await lease();
    await startJob(world, name, '12');
    const busy = await machineOf(name);
    await see('the job', async () => (await leaseOf(name))?.jobs.length === 1);
    const [idle] = (await world.client.machines()).filter((one) => one.phase === 'ready');
    for (const { instance } of [busy, ...(idle === undefined ? [] : [idle])])
      await hosts.host(instance).afflict('ssh-dies');
    clock.pass(30 * MINUTE_MS);
    await see('failures', async () =>
      (await codesOf(world, { machine: idle?.id ?? '' })).includes('renew-failed'),
    );
    clock.pass(30 * MINUTE_MS);
    await see('the end of the idle one', () => !isAlive(idle?.instance ?? null));
    await see('the mark of the busy one', async () => (await machineOf(name)).ending === 'not-renewed');
    expect(isAlive(busy.instance)).toBe(true);
    expect(await leaseOf(name)).toMatchObject({ state: 'busy' });
  });
});

describe('max_machine_life', () => {
  beforeAll(() => begin(4 * HOUR_MS, 'max_machine_life = "2h"'));
  afterAll(() => world.close());

  test('ends idle machines and replaces them; those with a lease end with it, and certificates outlive all', async () => {
    const [first, second] = await clock.hurry(() => awaitReady(world, 2));
    const name = await lease();
    const held = await machineOf(name);
    const idle = held.id === first?.id ? second : first;
    await startJob(world, name, '7');
    await see('the job', async () => (await leaseOf(name))?.jobs.length === 1);
    clock.pass(2 * HOUR_MS);
    await see('the end of the idle one', () => !isAlive(idle?.instance ?? null));
    await see('the mark of the other', async () => (await machineOf(name)).ending === 'max-life');
    expect(isAlive(held.instance)).toBe(true);
    const { validToDate } = new X509Certificate(
      readFileSync(join(world.store, 'machines', name, 'cert.pem')),
    );
    expect(validToDate.getTime()).toBeGreaterThan(Date.parse(held.created) + 25 * HOUR_MS);
    await world.rm(name);
    await see('its end', () => !isAlive(held.instance));
    // A reserve may stand beside them: the handed one turned busy at once.
    await see('two others', async () => {
      const ready = (await world.client.machines()).filter((one) => one.phase === 'ready');
      return ready.length >= 2 && ready.every(({ id }) => id !== held.id && id !== idle?.id);
    });
  });
});
