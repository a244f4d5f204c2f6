// Hosts that hang in each part of their way to a Docker host: all are replaced within boot_timeout, their creates get
// others, and what they showed stays. And hosts that are merely odd: those are used as they are.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostFault } from '../../../src/emulator/host/host-faults.ts';
import { hostFaults } from '../../../src/emulator/host/host-faults.ts';
import { createFaultyHosts } from '../../support/faulty-hosts.ts';
import { dockerCall, type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitHeld, failures } from '../../support/looks.ts';

/** Fault → what hostler says of it. */
const hanging: readonly (readonly [HostFault, RegExp])[] = [
  ['no-greeting', /^still booting after boot_timeout; connect: .* no SSH server greets there/],
  ['wrong-host-key', /^still booting after boot_timeout; connect: .* showed a host key that is not pinned/],
  ['cloud-init-hangs', /^still provisioning after boot_timeout; wait-user-data: gave up waiting/],
  ['install-hangs', /^still provisioning after boot_timeout; install-docker: gave up waiting/],
  ['docker-mute', /^still provisioning after boot_timeout; check: .* gives no verified TLS answer/],
  ['docker-fails', /^start-docker: dockerd does not start/],
];

const own = '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nboot_timeout = "13s"\n';

describe('hosts that never get ready', () => {
  const hosts = createFaultyHosts();
  let world: LiveWorld;
  const machineOf = new Map<HostFault, { id: string; instance: string }>();

  beforeAll(async () => {
    world = await startWorld({ own, emulator: { startHost: hosts.startHost } });
    hosts.next(...hanging.map(([fault]) => fault));
    const creates = hanging.map(() => world.create(machineName()));
    await world.until('all hosts to hang', async () => {
      for (const { id, instance } of await world.client.machines()) {
        const fault = hosts.faults.get(instance ?? '');
        if (fault !== undefined) machineOf.set(fault, { id, instance: instance ?? '' });
      }
      return machineOf.size === hanging.length;
    });
    expect(failures(await Promise.all(creates))).toEqual([]);
  });
  afterAll(() => world.close());

  test('are all replaced: every create has another host', async () => {
    const held = await awaitHeld(world, hanging.length);
    const bad = [...machineOf.values()].map(({ id }) => id);
    expect(held.filter(({ machine }) => bad.includes(machine ?? ''))).toEqual([]);
  });

  test('end in EC2', async () => {
    const bad = [...machineOf.values()].map(({ instance }) => instance);
    await world.until('their end', () => !world.alive().some(({ id }) => bad.includes(id)));
  });

  test.each(hanging)('%s: explain says where, and shows its console', async (fault, words) => {
    const machine = machineOf.get(fault);
    const { code, stdout } = await world.hostler('explain', machine?.id ?? '', '--json');
    expect(code).toBe(0);
    const story = JSON.parse(stdout) as { machine: { failure: string | null }; events: { text: string }[] };
    expect(story.machine.failure).toMatch(words);
    const told = story.events.filter(({ text }) => text.includes('; console: '));
    expect(told).toHaveLength(1);
    const lines = (await world.hostler('explain', machine?.instance ?? '')).stdout.split('\n');
    expect(lines.indexOf(`  ${hostFaults[fault]}`)).toBeGreaterThan(lines.indexOf('end of its console:'));
  });
});

describe('hosts that are odd', () => {
  const hosts = createFaultyHosts();
  let world: LiveWorld;
  beforeAll(async () => {
    world = await startWorld({ own: own.replace('8s', '60s'), emulator: { startHost: hosts.startHost } });
  });
  afterAll(() => world.close());

  test.each(['clock-behind', 'docker-second-start'] as const)('%s: serve as they are', async (fault) => {
    hosts.next(fault);
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    expect(await world.dockerMachine('config', name)).toMatchObject({ code: 0 });
    const lease = (await world.client.leases()).find((one) => one.name === name);
    const { machine } = await world.client.machine(lease?.machine ?? '');
    expect(hosts.faults.get(machine.instance ?? '')).toBe(fault);
    expect(await dockerCall(world, name, { method: 'GET', path: '/_ping' })).toMatchObject({ text: 'OK' });
  });
});
