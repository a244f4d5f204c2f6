// A real disk that runs full, on hosts whose Docker has a small one of its own: room is made between leases by Docker's own
// pruning, and a host that stays full ends.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { machineName } from '../../support/live-world.ts';
import { fileOfImage, type HostsWorld, startHostsWorld } from '../hosts-world.ts';
import { jobClient } from '../job-client.ts';

const socket = inject('dockerSocket');
const DISK_MB = 160;

describe.skipIf(socket === null)('a host with a small disk', () => {
  let world: HostsWorld;
  let first = '';

  const machineOf = async (name: string) => {
    const held = (await world.client.leases()).find((one) => one.name === name);
    return (await world.client.machine(held?.machine ?? '')).machine;
  };
  /** A machine that has the image for jobs. */
  async function lease() {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    expect((await world.dockerMachine('url', name)).code).toBe(0);
    const job = jobClient(world, name);
    const tar = await fileOfImage(socket ?? '', '/bin/busybox');
    await job.json({ method: 'POST', path: '/images/create?fromSrc=-&repo=job-image&tag=latest', tar });
    return { name, job, machine: await machineOf(name) };
  }
  /** A job that writes this much into the runner's cache; its exit code. */
  async function writes(job: ReturnType<typeof jobClient>, id: string, megabytes: number): Promise<number> {
    const command = ['/busybox', 'dd', 'if=/dev/zero', 'of=/cache/file', 'bs=1M', `count=${megabytes}`];
    const container = await job.run(id, { command, cache: 'runner-cache' });
    const ended = await job.json({ method: 'POST', path: `/containers/${container}/wait` });
    return (ended as { StatusCode: number }).StatusCode;
  }
  const pruned = async (id: string) =>
    (await world.client.events({ machine: id, limit: 1_000 }))
      .filter(({ code }) => code === 'disk-pruned')
      .map(({ detail }) => detail['removed']);

  beforeAll(async () => {
    world = await startHostsWorld(socket ?? '', { diskMb: DISK_MB });
  });
  afterAll(() => world.close());

  test('keeps its caches while there is room', async () => {
    const { name, job, machine } = await lease();
    first = machine.id;
    expect(await writes(job, '1', 20)).toBe(0);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until(
      'it to be ready',
      async () => (await world.client.machine(first)).machine.phase === 'ready',
      60_000,
    );
    expect(await pruned(first)).toEqual([]);
  });

  test('loses them when a job has filled it, and serves the next job', async () => {
    const { name, job, machine } = await lease();
    expect(machine.id).toBe(first);
    expect(await job.volumes()).toEqual(['runner-cache']);
    expect(await writes(job, '2', 145)).toBe(0);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    const next = await lease();
    expect(next.machine.id).toBe(first);
    expect(await pruned(first)).toEqual(['spare', 'caches']);
    expect(await next.job.volumes()).toEqual([]);
    expect(await world.rm(next.name)).toMatchObject({ code: 0 });
  });

  test('that stays full whatever is removed ends, with its reason; the next job gets another', async () => {
    const { name, job, machine } = await lease();
    expect(machine.id).toBe(first);
    await world.control(`host-fault?instance=${machine.instance}&fault=disk-full`);
    expect(await writes(job, '3', 50)).toBe(1);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('its end', () => !world.alive().some(({ id }) => id === machine.instance), 60_000);
    expect((await world.client.machine(first)).machine.ending).toBe('disk-full');
    expect((await lease()).machine.id).not.toBe(first);
  });
});
