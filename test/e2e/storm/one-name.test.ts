// One name in two hands, and a store that changes under a create: an rm during a create ends it at every moment, two
// creates of one name never both win, a name given back and taken again keeps its new machine, an emptied store is made anew.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folders, type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitReady, awaitWaiting, codesOf, failures } from '../../support/looks.ts';
import { type DoorGate, openDoorGate, startDoor } from '../../support/storm-door.ts';

const HOSTS = 2;

let world: LiveWorld;
const createWords = (name: string) => ['create', '--driver', 'amazonec2', name];
const machines = () => join(world.store, 'machines');
/** Dot-folders too, but for the mailbox. */
const traces = () => readdirSync(machines()).filter((file) => file !== '.hostler');

beforeAll(async () => {
  const machine = 'IdleCount = 0\n    IdleTime = 3600\n    MaxBuilds = 0';
  world = await startWorld({ runner: `limit = ${HOSTS}`, machine });
  const names = [machineName(), machineName()];
  expect(failures(await Promise.all(names.map((name) => world.create(name))))).toEqual([]);
  await Promise.all(names.map((name) => world.rm(name)));
  await awaitReady(world, HOSTS);
});
afterAll(() => world.close());

function throughGate(gate: DoorGate, name: string): ReturnType<typeof startDoor> {
  return startDoor(world, { words: createWords(name), env: { HOSTLER_SOCKET: gate.socket } });
}

const removed = (name: string) =>
  `Error creating machine: ${name} was removed while it was created (lease-gone)\n`;

async function nothingIsLeft(): Promise<void> {
  await awaitReady(world, HOSTS);
  expect(await world.client.leases()).toEqual([]);
  expect(traces()).toEqual([]);
}

describe('an rm during a create', () => {
  test('that waits ends it', async () => {
    const holders = [machineName(), machineName()];
    expect(failures(await Promise.all(holders.map((name) => world.create(name))))).toEqual([]);
    const name = machineName();
    const door = world.startDockerMachine(...createWords(name));
    await awaitWaiting(world, 1);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    const { code, stderr } = await door.done;
    expect(code).toBe(1);
    expect(stderr).toContain('(lease-gone)');
    await Promise.all(holders.map((holder) => world.rm(holder)));
    await nothingIsLeft();
  });

  test.each([
    ['whose files are on their way', { call: 0, way: 'down', bytes: 1_000 }],
    ['before its commit has left', { call: 1, way: 'up', bytes: 0 }],
    ['before its commit has left whole', { call: 1, way: 'up', bytes: 20 }],
    ['whose commit was stored and not yet heard of', { call: 1, way: 'down', bytes: 0 }],
  ] as const)('%s ends it', async (_when, moment) => {
    const gate = await openDoorGate(world);
    const held = gate.holdAfter(moment);
    const name = machineName();
    const door = throughGate(gate, name);
    await held;
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    gate.release();
    expect(await door.done).toMatchObject({ code: 1, stderr: removed(name) });
    await gate.close();
    await nothingIsLeft();
  });

  test('ends it also while no daemon is there', async () => {
    const gate = await openDoorGate(world);
    const held = gate.holdAfter({ call: 1, way: 'up', bytes: 0 });
    const name = machineName();
    const door = throughGate(gate, name);
    await held;
    await world.stop('SIGKILL');
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    gate.release();
    expect(await door.done).toMatchObject({ code: 1, stderr: removed(name) });
    await gate.close();
    await world.start();
    // Its lease is kept for half a minute for a door that might come back; that is another test's to wait for.
    await world.client.endLease(name);
    await nothingIsLeft();
  });
});

describe('two creates of one name', () => {
  test('at once give it to one of them, and it stands whole', async () => {
    const name = machineName();
    const answers = await Promise.all(Array.from({ length: 5 }, () => world.create(name)));
    expect(answers.filter(({ code }) => code === 0)).toHaveLength(1);
    const losers = answers.filter(({ code }) => code !== 0);
    expect(new Set(losers.map(({ stderr }) => stderr))).toEqual(
      new Set([`Docker machine "${name}" already exists\n`]),
    );
    expect(folders(world)).toEqual([name]);
    expect(await world.client.leases()).toMatchObject([{ name, state: 'held' }]);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await nothingIsLeft();
  });

  test('with an rm between them, all unread: the second keeps its machine', async () => {
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    await world.stop('SIGKILL');
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    const door = world.startDockerMachine(...createWords(name));
    await world.start();
    expect(await door.done).toMatchObject({ code: 0 });
    const released = join(machines(), '.hostler', 'released');
    await world.until('every release to be taken', () => readdirSync(released).length === 0);
    expect(await world.client.leases()).toMatchObject([{ name, state: 'held' }]);
    expect(await codesOf(world, { lease: name })).toContain('lease-ended');
    expect(await world.dockerMachine('config', name)).toMatchObject({ code: 0 });
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    await nothingIsLeft();
  });
});

describe('a store that is emptied', () => {
  test('while a create waits is made anew', async () => {
    const holders = [machineName(), machineName()];
    expect(failures(await Promise.all(holders.map((name) => world.create(name))))).toEqual([]);
    const name = machineName();
    const door = world.startDockerMachine(...createWords(name));
    await awaitWaiting(world, 1);
    expect(await world.rm(holders[0] ?? '')).toMatchObject({ code: 0 });
    // The release may have been read, or not: its host serves the create either way.
    await world.until('the grant', () => existsSync(join(machines(), name)));
    expect(await door.done).toMatchObject({ code: 0 });
    for (const holder of [holders[1] ?? '', name]) await world.rm(holder);
    await nothingIsLeft();
    const gate = await openDoorGate(world);
    const held = gate.holdAfter({ call: 0, way: 'down', bytes: 1_000 });
    const other = machineName();
    const second = throughGate(gate, other);
    await held;
    rmSync(machines(), { recursive: true });
    gate.release();
    expect(await second.done).toMatchObject({ code: 0 });
    expect(folders(world)).toEqual([other]);
    expect(await world.rm(other)).toMatchObject({ code: 0 });
    await gate.close();
    await nothingIsLeft();
  });

  test('under a half-made folder ends its create, and the host is ready again', async () => {
    const gate = await openDoorGate(world);
    const held = gate.holdAfter({ call: 1, way: 'up', bytes: 0 });
    const name = machineName();
    const door = throughGate(gate, name);
    await held;
    rmSync(machines(), { recursive: true });
    gate.release();
    expect(await door.done).toMatchObject({ code: 1, stderr: removed(name) });
    await gate.close();
    await world.until('the end of its lease', async () => (await world.client.leases()).length === 0);
    await awaitReady(world, HOSTS);
  });
});
