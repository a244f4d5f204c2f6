// One trouble each for five hosts at once, and the daemon is killed in the middle: EC2 takes one back, the network of one
// is cut, the Docker of one dies, one shows another host key, one is well. Each ends as it should; no job is lost but the
// one whose host EC2 took.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { MachineReply } from '../../../src/contract/api.ts';
import { folders, machineName } from '../../support/live-world.ts';
import { fileOfImage, greets, type HostsWorld, startHostsWorld } from '../hosts-world.ts';
import { jobClient } from '../job-client.ts';

const socket = inject('dockerSocket');
/** Three pings ten seconds apart, or half of dead_man, on a machine with much else to do. */
const LIMIT_MS = 180_000;

describe.skipIf(socket === null)('troubles of real hosts', () => {
  const [taken, cut, dockerless, strange, well] = Array.from({ length: 5 }, machineName) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const names = [taken, cut, dockerless, strange, well];
  const machines = new Map<string, MachineReply>();
  let world: HostsWorld;

  const leaseOf = async (name: string) => (await world.client.leases()).find((lease) => lease.name === name);
  const machineOf = (name: string): MachineReply => {
    const found = machines.get(name);
    if (found === undefined) throw new Error(`${name} has no machine`);
    return found;
  };
  const stateOf = (name: string) => world.emulator.world.find(machineOf(name).instance ?? '')?.instance.state;
  const fault = (name: string, what: string) =>
    world.control(`host-fault?instance=${machineOf(name).instance}&fault=${what}`);
  const eventOf = async (name: string, code: string) =>
    (await world.client.events({ machine: machineOf(name).id, limit: 1_000 })).find(
      (one) => one.code === code,
    );
  const configFails = async (name: string) => (await world.dockerMachine('config', name)).code === 1;

  beforeAll(async () => {
    world = await startHostsWorld(socket ?? '', {
      options: ['amazonec2-request-spot-instance=true', 'amazonec2-spot-price='],
      own: '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\ndead_man = "2m"\n',
    });
    const made = await Promise.all(names.map((name) => world.create(name)));
    expect(made.map(({ code, stderr }) => (code === 0 ? '' : stderr))).toEqual(names.map(() => ''));
    for (const name of names) {
      const lease = await leaseOf(name);
      machines.set(name, (await world.client.machine(lease?.machine ?? '')).machine);
    }
    const tar = await fileOfImage(socket ?? '', '/bin/busybox');
    for (const [at, name] of [taken, cut, well].entries()) {
      expect((await world.dockerMachine('url', name)).code).toBe(0);
      const job = jobClient(world, name);
      await job.json({ method: 'POST', path: '/images/create?fromSrc=-&repo=job-image&tag=latest', tar });
      await job.run(`${100 + at}`, { command: ['/busybox', 'sleep', '3600'] });
    }
    await world.until(
      'three jobs to be seen',
      async () => (await world.client.leases()).filter(({ jobs }) => jobs.length === 1).length === 3,
      120_000,
    );
    const first = machineOf(taken).instance ?? '';
    await world.control(`reclaim?instance=${first}&notice=3`);
    await Promise.all([
      fault(cut, 'silent'),
      fault(dockerless, 'docker-dies'),
      fault(strange, 'wrong-host-key'),
    ]);
    await world.stop('SIGKILL');
    await world.until('EC2 to take its instance back', () => stateOf(taken) === 'terminated', 120_000);
    expect(await greets(world.addressOf(machineOf(cut).instance))).toBe(false);
    await world.start();
  });
  afterAll(() => world.close());

  test.concurrent('one that EC2 took back is known as gone, with its reason; the runner is told', async () => {
    const gone = await world.until('the end', () => eventOf(taken, 'instance-gone'), LIMIT_MS);
    expect(gone.text).toContain('why=Server.SpotInstanceTermination');
    await world.until('config to say so', () => configFails(taken), LIMIT_MS);
    // The runner asks for it once more and forgets it: no ghost stays in the store.
    expect(await world.dockerMachine('inspect', taken)).toMatchObject({ code: 1 });
    expect(folders(world)).not.toContain(taken);
  });

  test.concurrent('one whose network is cut keeps its job, and serves it when the network is back', async () => {
    expect(await leaseOf(cut)).toMatchObject({ state: 'busy', machine: machineOf(cut).id });
    expect(stateOf(cut)).toBe('running');
    expect(await world.dockerMachine('status', cut)).toMatchObject({ stdout: 'Running\n' });
    // Long enough for hostler to find it silent: a job is on it, so that it stays all the same.
    await world.until(
      'it to be found silent',
      async () => (await world.client.machine(machineOf(cut).id)).machine.ending === 'unhealthy',
      LIMIT_MS,
    );
    expect([stateOf(cut), (await leaseOf(cut))?.state]).toEqual(['running', 'busy']);
    await fault(cut, 'none');
    expect(await jobClient(world, cut).containers()).toEqual(['/job-101']);
    expect(await world.rm(cut)).toMatchObject({ code: 0 });
    await world.until('its end with its lease', () => stateOf(cut) === 'terminated', LIMIT_MS);
  });

  test.concurrent('one whose Docker died while no job was on it is called dead, and ends when it is given back', async () => {
    await world.until('config to say so', () => configFails(dockerless), LIMIT_MS);
    expect(stateOf(dockerless)).toBe('running');
    expect(await world.rm(dockerless)).toMatchObject({ code: 0 });
    await world.until('its end', () => stateOf(dockerless) === 'terminated', LIMIT_MS);
  });

  test.concurrent('one that shows another host key is not believed: it goes out of use before it would end itself', async () => {
    await world.until('it to be told', () => eventOf(strange, 'not-renewed'), LIMIT_MS);
    const told = await world.client.events({ machine: machineOf(strange).id, limit: 1_000 });
    expect(told.filter(({ text }) => text.includes('showed a host key that is not pinned'))).not.toEqual([]);
    await world.until('config to say so', () => configFails(strange), LIMIT_MS);
    expect(await world.rm(strange)).toMatchObject({ code: 0 });
    await world.until('its end', () => stateOf(strange) === 'terminated', LIMIT_MS);
  });

  test.concurrent('one that is well runs its job on, and is used again', async () => {
    expect(await leaseOf(well)).toMatchObject({ state: 'busy', machine: machineOf(well).id });
    expect(await jobClient(world, well).containers()).toEqual(['/job-102']);
    expect(await world.rm(well)).toMatchObject({ code: 0 });
    const next = machineName();
    expect(await world.create(next)).toMatchObject({ code: 0 });
    expect((await leaseOf(next))?.machine).toBe(machineOf(well).id);
    expect(await jobClient(world, next).containers()).toEqual([]);
  });
});
