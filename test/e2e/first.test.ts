// The first thing an operator sees: a create on an empty pool brings a host, and rm gives it back.
import { afterEach, describe, expect, test } from 'vitest';
import { folders, type LiveWorld, machineName, startJob, startWorld } from '../support/live-world.ts';

let world: LiveWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
});

describe('one job on demand', () => {
  test('create brings a host that answers, a job runs on it, rm gives it back for the next create', async () => {
    world = await startWorld();
    const name = machineName();
    const created = await world.create(name);
    expect(created, created.stderr).toMatchObject({ code: 0 });
    expect(folders(world)).toEqual([name]);
    const endJob = await startJob(world, name, '7');
    const { client, until } = world;
    await until('the lease to be busy', async () => (await client.leases())[0]?.jobs[0]?.id === '7');
    await endJob();
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    expect(folders(world)).toEqual([]);
    await until('the machine to be ready again', async () => (await client.machines())[0]?.phase === 'ready');
    const again = machineName();
    expect(await world.create(again)).toMatchObject({ code: 0 });
    expect(world.ec2Calls()['RunInstances']).toBe(1);
  });
});
