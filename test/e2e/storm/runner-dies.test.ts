// The runner dies, or is asked to leave, with calls under way: a signal to its whole group passes its calls by, a dead
// runner's creates give their places and hosts back, and the next runner gets the same hosts.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { folders, type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitReady, awaitWaiting, failures } from '../../support/looks.ts';
import { openDoorGate, startDoor } from '../../support/storm-door.ts';
import { type StormRunner, startStormRunner } from '../../support/storm-runner.ts';

const HOSTS = 10;

let world: LiveWorld;
let runner: StormRunner | null = null;

beforeAll(async () => {
  world = await startWorld({ runner: `limit = ${HOSTS}`, emulator: { bootMs: 1_500 } });
});
afterEach(() => runner?.close());
afterAll(() => world.close());

/** Dot-folders too, but for the mailbox. */
const traces = () => readdirSync(join(world.store, 'machines')).filter((file) => file !== '.hostler');

/**
 * Takes every host, so that who comes next has to wait; gives the way to give them back. By names that no section has: a
 * runner that starts would take them for its own.
 */
async function takeAll(): Promise<() => Promise<void>> {
  const names = Array.from({ length: HOSTS }, (_, index) => `holder-${index}`);
  expect(failures(await Promise.all(names.map((name) => world.create(name))))).toEqual([]);
  return async () => {
    expect(failures(await Promise.all(names.map((name) => world.rm(name))))).toEqual([]);
  };
}

async function killWith(waiting: number, whom: 'runner' | 'group'): Promise<void> {
  runner = startStormRunner(world, Array<number>(waiting).fill(60_000));
  await awaitWaiting(world, waiting);
  const begun = performance.now();
  runner.signal('SIGKILL', whom);
  const { processes } = runner;
  await world.until('the end of every call', () => processes().length === 0);
  // Told, not judged: two seconds are the budget, and the machine may be busy.
  const ms = Math.round(performance.now() - begun);
  console.log(`${waiting} waiting creates of a killed ${whom}: gone after ${ms} ms`);
  await world.until('the end of every waiting lease', async () =>
    (await world.client.leases()).every(({ place }) => place === null),
  );
}

test('kill -9 of a runner ends its ten waiting creates, and the hosts on their way serve the next runner', async () => {
  await killWith(10, 'runner');
  expect(await world.client.leases()).toEqual([]);
  expect(traces()).toEqual([]);
  const giveBack = await takeAll();
  expect(world.emulator.world.instances()).toHaveLength(HOSTS);
  await giveBack();
  await awaitReady(world, HOSTS);
});

test('kill -9 of its whole group leaves no more', async () => {
  const giveBack = await takeAll();
  await killWith(10, 'group');
  await giveBack();
  await awaitReady(world, HOSTS);
  expect(await world.client.leases()).toEqual([]);
  expect(traces()).toEqual([]);
});

test('SIGQUIT to the whole group passes running calls by: claimed jobs get their hosts and succeed', async () => {
  const giveBack = await takeAll();
  runner = startStormRunner(world, Array<number>(6).fill(300));
  await awaitWaiting(world, 6);
  runner.signal('SIGQUIT', 'group');
  await giveBack();
  expect(await runner.gone).toBe(0);
  expect(runner.ended()).toEqual(Array<string>(6).fill('done '));
  runner.close();
  // It leaves at once, its removals in their middle; the next one takes what it finds for used and ends it.
  runner = startStormRunner(world, []);
  await world.until('an empty store', () => traces().length === 0);
  await awaitReady(world, HOSTS);
  expect(await world.client.leases()).toEqual([]);
  expect(world.emulator.world.instances()).toHaveLength(HOSTS);
});

test.each(['SIGTERM', 'SIGQUIT', 'SIGINT', 'SIGHUP', 'SIGPIPE'] as const)(
  '%s to a create changes nothing, whatever it was about to do',
  async (signal) => {
    // Asked and not heard, in the middle of its files, before its commit, and before it hears of that.
    const moments = [
      { call: 0, way: 'down', bytes: 0 },
      { call: 0, way: 'down', bytes: 2_000 },
      { call: 1, way: 'up', bytes: 0 },
      { call: 1, way: 'down', bytes: 20 },
    ] as const;
    const names = await Promise.all(
      moments.map(async (moment) => {
        const gate = await openDoorGate(world);
        const held = gate.holdAfter(moment);
        const name = machineName();
        const words = ['create', '--driver', 'amazonec2', name];
        const door = startDoor(world, { words, env: { HOSTLER_SOCKET: gate.socket } });
        await held;
        door.child.kill(signal);
        gate.release();
        expect(await door.done, name).toMatchObject({ code: 0, stderr: '' });
        await gate.close();
        return name;
      }),
    );
    expect(folders(world).toSorted()).toEqual(names.toSorted());
    expect(failures(await Promise.all(names.map((name) => world.rm(name))))).toEqual([]);
    await awaitReady(world, HOSTS);
  },
);
