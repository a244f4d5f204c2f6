// What happens to a host's disk: images come before the first job, room is made between leases and only when it is needed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostFault } from '../../../src/emulator/host/host-faults.ts';
import { createFaultyHosts } from '../../support/faulty-hosts.ts';
import { dockerCall, type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { awaitReady } from '../../support/looks.ts';

const hosts = createFaultyHosts();
let world: LiveWorld;

beforeAll(async () => {
  world = await startWorld({
    emulator: { startHost: hosts.startHost },
    machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 10',
    own: '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nprepull = ["alpine:3", "registry.example/tools:1"]\n',
  });
});
afterAll(() => world.close());

/** A machine is leased, runs one job that leaves an image and the runner's cache behind, and is given back. */
async function afterOneJob(fault: HostFault | null): Promise<{ id: string; instance: string | null }> {
  const name = machineName();
  expect(await world.create(name)).toMatchObject({ code: 0 });
  const id = (await world.client.leases()).find((lease) => lease.name === name)?.machine ?? '';
  const { instance } = (await world.client.machine(id)).machine;
  const end = await startJob(world, name, '1');
  await dockerCall(world, name, { method: 'POST', path: '/images/create?fromImage=golang&tag=1' });
  const body = { Name: 'runner-cache', Labels: { 'com.gitlab.gitlab-runner.type': 'cache' } };
  await dockerCall(world, name, { method: 'POST', path: '/volumes/create', body });
  await end();
  if (fault !== null) await hosts.host(instance).afflict(fault);
  expect(await world.rm(name)).toMatchObject({ code: 0 });
  return { id, instance };
}

const pruned = async (id: string) =>
  (await world.client.events({ machine: id, limit: 1_000 }))
    .filter(({ code }) => code === 'disk-pruned')
    .map(({ detail }) => [detail['removed'], detail['percent_before'], detail['percent_after']]);
const kept = (instance: string | null) => {
  const { images, volumes } = hosts.host(instance).docker;
  return { image: images.has('golang:1'), cache: volumes.has('runner-cache') };
};

describe('a host', () => {
  test('has the images of prepull before its first job', async () => {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    const { text } = await dockerCall(world, name, { method: 'GET', path: '/images/json' });
    const images = (JSON.parse(text) as { RepoTags: string[] }[]).flatMap(({ RepoTags }) => RepoTags);
    expect(images.toSorted()).toEqual(['alpine:3', 'registry.example/tools:1']);
    await world.rm(name);
    await awaitReady(world, 1);
  });

  test('with room on its disk keeps everything for the next job', async () => {
    const { id, instance } = await afterOneJob(null);
    await awaitReady(world, 1);
    expect(await pruned(id)).toEqual([]);
    expect(kept(instance)).toEqual({ image: true, cache: true });
  });

  test('with a full disk loses what nobody misses, and no cache while that is enough', async () => {
    const { id, instance } = await afterOneJob('disk-spare');
    const [ready] = await awaitReady(world, 1);
    expect(ready?.id).toBe(id);
    expect(await pruned(id)).toEqual([['spare', 93, 20]]);
    expect(kept(instance)).toEqual({ image: true, cache: true });
  });

  test('loses its caches only when that was not enough', async () => {
    const { id, instance } = await afterOneJob('disk-caches');
    const [ready] = await awaitReady(world, 1);
    expect(ready?.id).toBe(id);
    expect((await pruned(id)).slice(-2)).toEqual([
      ['spare', 93, 93],
      ['caches', 93, 20],
    ]);
    expect(kept(instance)).toEqual({ image: false, cache: false });
  });

  test('whose disk stays full ends, and says why', async () => {
    const { id, instance } = await afterOneJob('disk-full');
    await world.until('its end', () => !world.alive().some((one) => one.id === instance));
    const { machine } = await world.client.machine(id);
    expect(machine).toMatchObject({ ending: 'disk-full' });
    expect(machine.failure).toBe('its disk is 93 % full after everything unused was removed');
  });

  test('that cannot be asked for its disk goes on: nothing is known against it', async () => {
    const { id } = await afterOneJob('ssh-dies');
    const [ready] = await awaitReady(world, 1);
    expect(ready).toMatchObject({ id, ending: null });
  });
});
