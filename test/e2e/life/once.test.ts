// MaxBuilds = 1: a fresh host for each job, and nothing lost when the runner gives up before its job began.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folders, type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { awaitNoInstance, awaitReady, awaitWaiting, codesOf } from '../../support/looks.ts';

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld({
    emulator: { bootMs: 1_000 },
    machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 1',
  });
});
afterAll(() => world.close());

describe('a create that is taken back', () => {
  test('gives up in words when its rm comes meanwhile, and writes no folder', async () => {
    const name = machineName();
    const running = world.startDockerMachine('create', '--driver', 'amazonec2', name);
    await world.until('a host on its way', () => world.alive().length === 1);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    const answer = await running.done;
    expect(answer.code).toBe(1);
    expect(answer.stderr).toContain('given back while it was being created');
    expect(answer.stderr.trim().split('\n')).toHaveLength(1);
    expect(folders(world)).toEqual([]);
    expect(await world.client.leases()).toEqual([]);
  });

  test('leaves its host for the next job', async () => {
    await awaitReady(world, 1);
    expect(await world.create(machineName())).toMatchObject({ code: 0 });
    expect(world.ec2Calls()['RunInstances']).toBe(1);
  });

  test('is forgotten when its process is killed', async () => {
    const running = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    await awaitWaiting(world, 1);
    running.child.kill('SIGKILL');
    await running.done;
    await awaitWaiting(world, 0);
    expect(await codesOf(world)).toContain('lease-dropped');
  });
});

describe('MaxBuilds = 1', () => {
  test('hands a host that no job touched out again after an rm right away', async () => {
    const [name = ''] = folders(world);
    const [held] = await world.client.leases();
    expect(await world.rm(name)).toMatchObject({ code: 0, stdout: '' });
    expect(await awaitReady(world, 1)).toMatchObject([{ id: held?.machine, builds: 0 }]);
  });

  test('ends a host after its job; the next job gets a new one', async () => {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    const used = (await world.client.leases())[0]?.machine ?? '';
    const end = await startJob(world, name, '1');
    await end();
    expect(await world.rm(name)).toMatchObject({ code: 0, stdout: '' });
    expect(await world.create(machineName())).toMatchObject({ code: 0 });
    expect((await world.client.leases())[0]?.machine).not.toBe(used);
    expect(await codesOf(world, { machine: used })).toContain('max-builds');
    expect(world.ec2Calls()['RunInstances']).toBe(2);
  });
});

describe('a machine of driver none', () => {
  test('is served by the door alone: the daemon and EC2 never hear of it', async () => {
    const before = world.ec2Calls();
    const name = 'by-hand';
    const url = 'tcp://192.0.2.7:2376';
    expect(await world.dockerMachine('create', '--driver', 'none', '--url', url, name)).toMatchObject({
      code: 0,
    });
    expect(await world.dockerMachine('url', name)).toMatchObject({ code: 0, stdout: `${url}\n` });
    expect((await world.client.leases()).map((lease) => lease.name)).not.toContain(name);
    expect(await world.dockerMachine('rm', '-y', name)).toMatchObject({ code: 0 });
    expect(folders(world)).not.toContain(name);
    expect(world.ec2Calls()['RunInstances']).toBe(before['RunInstances']);
  });

  test('all hosts end by cleanup', async () => {
    expect(await world.hostler('cleanup', '--yes')).toMatchObject({ code: 0 });
    await awaitNoInstance(world);
  });
});
