// The manager is away for longer than dead_man: a host with a job on it lives, one without ends itself, EC2 ends its
// instance, and the manager that comes back knows why it is gone. systemd, Docker and the timer are real ones.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { folders, machineName } from '../../support/live-world.ts';
import { fileOfImage, type HostsWorld, startHostsWorld } from '../hosts-world.ts';
import { jobClient } from '../job-client.ts';

const socket = inject('dockerSocket');
/** The shortest dead_man that there is, the timer's look every 30 s, a shutdown, and a machine with much else to do. */
const LIMIT_MS = 240_000;

describe.skipIf(socket === null)('while the manager is away for longer than dead_man', () => {
  const [used, idle] = [machineName(), machineName()];
  let world: HostsWorld;

  const leaseOf = async (name: string) => (await world.client.leases()).find((lease) => lease.name === name);
  const machineOf = async (name: string) =>
    (await world.client.machine((await leaseOf(name))?.machine ?? '')).machine;
  const stateOf = (instance: string | null) => world.emulator.world.find(instance ?? '')?.instance.state;

  beforeAll(async () => {
    world = await startHostsWorld(socket ?? '', {
      own: '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\ndead_man = "1m"\n',
    });
  });
  afterAll(() => world.close());

  test('a host with a job lives, one without ends itself, and hostler knows why when it is back', async () => {
    const made = await Promise.all([used, idle].map((name) => world.create(name)));
    expect(made.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    expect((await world.dockerMachine('url', used)).code).toBe(0);
    const job = jobClient(world, used);
    const tar = await fileOfImage(socket ?? '', '/bin/busybox');
    await job.json({ method: 'POST', path: '/images/create?fromSrc=-&repo=job-image&tag=latest', tar });
    await job.run('77', { command: ['/busybox', 'sleep', '3600'] });
    await world.until('the job to be seen', async () => (await leaseOf(used))?.jobs.length === 1, 120_000);
    const [busy, held] = [await machineOf(used), await machineOf(idle)];

    await world.stop('SIGKILL');
    await world.until('the idle host to end', () => stateOf(held.instance) === 'terminated', LIMIT_MS);
    expect(world.emulator.world.find(held.instance ?? '')?.instance.stateReason?.code).toBe(
      'Client.InstanceInitiatedShutdown',
    );
    const { instances } = world.emulator.world.region('eu-central-1');
    expect(instances.console(held.instance ?? '')?.text).toContain(
      'hostler: this host ends itself: not renewed',
    );
    expect(stateOf(busy.instance)).toBe('running');
    expect(await job.containers()).toEqual(['/job-77']);

    await world.start();
    const gone = await world.until(
      'the record to be closed',
      async () =>
        (await world.client.events({ machine: held.id, limit: 1_000 })).find(
          ({ code }) => code === 'instance-gone',
        ),
      60_000,
    );
    expect(gone.text).toContain('why=Client.InstanceInitiatedShutdown');
    expect(await world.dockerMachine('config', idle)).toMatchObject({ code: 1 });
    // The runner asks for it once more and forgets it: no ghost stays in the store.
    expect(await world.dockerMachine('inspect', idle)).toMatchObject({ code: 1 });
    expect(folders(world)).toEqual([used]);
    expect(await leaseOf(used)).toMatchObject({ state: 'busy', machine: busy.id });
    expect(await machineOf(used)).toMatchObject({ ending: null, phase: 'leased' });
    expect(await world.rm(used)).toMatchObject({ code: 0 });
  });
});
