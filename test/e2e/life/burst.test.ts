// Many jobs at once, the good day's hardest minute: one launch for all of them, one boot, oldest first; hosts that stand
// ready are handed over before anything boots.
import { afterEach, describe, expect, test } from 'vitest';
import { folders, type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitHeld, awaitReady, failures } from '../../support/looks.ts';

let world: LiveWorld;
afterEach(() => world.close());

describe('a burst on an empty pool', () => {
  test('brings a host for each create with one or two launch calls and few calls in all', async () => {
    world = await startWorld({ emulator: { bootMs: 1_500 } });
    const { client } = world;
    const names = Array.from({ length: 30 }, machineName);
    const answers = await Promise.all(names.map((name) => world.create(name)));
    expect(failures(answers)).toEqual([]);
    expect(folders(world).toSorted()).toEqual(names.toSorted());
    const leases = await client.leases();
    expect(new Set(leases.map((lease) => lease.machine)).size).toBe(30);
    expect(leases.filter((lease) => lease.state !== 'held')).toEqual([]);
    const calls = world.ec2Calls();
    expect(calls['RunInstances']).toBeLessThanOrEqual(2);
    expect(Object.values(calls).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(23);
    expect(world.alive()).toHaveLength(30);
  });
});

describe('a burst on a pool with idle hosts', () => {
  test('hands the ready hosts over before any other has booted', async () => {
    world = await startWorld({
      emulator: { bootMs: 1_200 },
      own: '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nidle_count = 3\n',
    });
    const { client, until } = world;
    const ready = await awaitReady(world, 3);
    const names = Array.from({ length: 8 }, machineName);
    const done = Promise.all(names.map((name) => world.create(name)));
    const first = await awaitHeld(world, 3);
    expect(new Set(first.map((lease) => lease.machine))).toEqual(new Set(ready.map(({ id }) => id)));
    expect(failures(await done)).toEqual([]);
    expect(world.alive()).toHaveLength(8);
    await Promise.all(names.map((name) => world.dockerMachine('url', name)));
    await until('idle hosts again, once jobs have the others', async () => {
      const free = (await client.machines()).filter((machine) => machine.phase === 'ready');
      return free.length === 3;
    });
    expect(world.alive()).toHaveLength(11);
  });
});
