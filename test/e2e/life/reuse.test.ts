// A host's life from lease to lease: cleaned in between, its jobs counted, ended after MaxBuilds.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dockerCall,
  folders,
  type LiveWorld,
  machineName,
  startJob,
  startWorld,
} from '../../support/live-world.ts';
import { awaitNoInstance, awaitReady, codesOf } from '../../support/looks.ts';

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld({ machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 3' });
});
afterAll(() => world.close());

/** A create that works; gives the machine's name. */
async function lease(): Promise<string> {
  const name = machineName();
  expect(await world.create(name)).toMatchObject({ code: 0 });
  return name;
}

async function listed(name: string, path: string): Promise<unknown[]> {
  const { text } = await dockerCall(world, name, { method: 'GET', path });
  return JSON.parse(text) as unknown[];
}

describe('a host between its jobs', () => {
  test('loses what a job left behind and keeps what the next one can use', async () => {
    const name = await lease();
    await startJob(world, name, '41');
    const labels = { 'com.gitlab.gitlab-runner.job.id': '41', 'com.gitlab.gitlab-runner.managed': 'true' };
    const post = (path: string, body: object) => dockerCall(world, name, { method: 'POST', path, body });
    await post('/networks/create', { Name: 'runner-net', Labels: labels });
    await post('/networks/create', { Name: 'of-the-operator', Labels: {} });
    await post('/volumes/create', { Name: 'cache', Labels: {} });
    await post('/images/create?fromImage=ruby&tag=3.4', {});
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    expect(folders(world)).toEqual([]);
    await awaitReady(world, 1);

    const next = await lease();
    expect(await listed(next, '/containers/json?all=1')).toEqual([]);
    const networks = (await listed(next, '/networks')) as { Name: string }[];
    expect(networks.map((network) => network.Name).toSorted()).toEqual([
      'bridge',
      'host',
      'none',
      'of-the-operator',
    ]);
    expect(JSON.stringify(await listed(next, '/images/json'))).toContain('ruby:3.4');
    expect((await dockerCall(world, next, { method: 'GET', path: '/volumes/cache' })).status).toBe(200);
    expect(await world.rm(next)).toMatchObject({ code: 0 });
    await awaitReady(world, 1);
  });

  test('says which job still ran when its lease ended', async () => {
    const [event] = await world.client
      .events({ limit: 1_000 })
      .then((events) => events.filter(({ text }) => text.includes('still ran')));
    expect(event).toMatchObject({ code: 'lease-ended', detail: { job: '41' } });
  });

  test('counts jobs, not leases: a lease that nobody used leaves no trace', async () => {
    const [machine] = await world.client.machines();
    expect(machine).toMatchObject({ builds: 1, phase: 'ready' });
  });

  test('is used again until MaxBuilds jobs have run, then ended, and the next job gets a new one', async () => {
    const [first] = await world.client.machines();
    for (const job of ['42', '43']) {
      const name = await lease();
      const end = await startJob(world, name, job);
      await end();
      await world.rm(name);
      if (job === '42') expect(await awaitReady(world, 1)).toMatchObject([{ id: first?.id, builds: 2 }]);
    }
    expect(world.ec2Calls()['RunInstances']).toBe(1);
    await awaitNoInstance(world);
    expect(await codesOf(world, { machine: first?.id ?? '' })).toContain('max-builds');
    const name = await lease();
    expect(world.ec2Calls()['RunInstances']).toBe(2);
    const held = (await world.client.leases()).find((other) => other.name === name);
    expect(held?.machine).not.toBe(first?.id);
  });
});
