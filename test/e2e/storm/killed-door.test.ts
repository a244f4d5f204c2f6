// A door dies by SIGKILL, at more than a hundred moments of `create` and `rm`: before commands of the shell part, around
// every step in the store, and with the talk to the daemon cut after so many bytes. Each time either nothing is left or
// the machine is the runner's, whole, and its `rm` ends that; in the end every host is ready again.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { folders, type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitReady, failures } from '../../support/looks.ts';
import {
  commandsInShell,
  killedInShell,
  killedInStore,
  momentsInStore,
  openDoorGate,
  startDoor,
} from '../../support/storm-door.ts';

/** Doors at work at once. */
const LANES = 4;
/** An `rm` may take two names, and each has its host. */
const HOSTS = 2 * LANES;
/** SIGKILL, as `run` tells it. */
const KILLED = 137;
const createWords = (name: string) => ['create', '--driver', 'amazonec2', name];

vi.setConfig({ testTimeout: 180_000 });

let world: LiveWorld;
let played = 0;

beforeAll(async () => {
  const machine = 'IdleCount = 0\n    IdleTime = 3600\n    MaxBuilds = 0';
  world = await startWorld({ runner: `limit = ${HOSTS}`, machine });
  const names = Array.from({ length: HOSTS }, machineName);
  expect(failures(await Promise.all(names.map((name) => world.create(name))))).toEqual([]);
  expect(failures(await Promise.all(names.map((name) => world.rm(name))))).toEqual([]);
  await awaitReady(world, HOSTS);
});
afterAll(() => world.close());

const machines = () => join(world.store, 'machines');

/** What the store has of a name: its folder and half-made or half-removed twins of it, releases too. */
function traces(name: string): string[] {
  const released = readdirSync(join(machines(), '.hostler', 'released'));
  return [...readdirSync(machines()), ...released].filter((file) => file.includes(name));
}

/** Waits until a name is the runner's with its whole folder, or nothing of it is left. */
function settled(name: string, after: string): Promise<'held' | 'nothing'> {
  return world.until(`${name} to be whole or nothing after ${after}`, async () => {
    const lease = (await world.client.leases()).find((one) => one.name === name);
    const left = traces(name);
    if (lease === undefined && left.length === 0) return 'nothing';
    const isWhole = left.join() === name && existsSync(join(machines(), name, 'config.json'));
    return lease?.state === 'held' && isWhole && 'held';
  });
}

/** The runner's part after a call that was killed: it removes what stands. Gives what it found. */
async function cleanUp(name: string, after: string): Promise<'held' | 'nothing'> {
  const found = await settled(name, after);
  if (found === 'nothing') return found;
  expect(await world.dockerMachine('config', name), after).toMatchObject({ code: 0 });
  expect(await world.rm(name), after).toMatchObject({ code: 0 });
  expect(await settled(name, after)).toBe('nothing');
  return found;
}

/** Plays every moment, some at once. */
async function inLanes<T>(moments: readonly T[], play: (moment: T) => Promise<void>): Promise<void> {
  const left = [...moments];
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      await play(next);
      played += 1;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

const upTo = (count: number, from = 1) =>
  Array.from({ length: count - from + 1 }, (_, index) => from + index);

async function created(): Promise<string> {
  const name = machineName();
  expect(failures([await world.create(name)])).toEqual([]);
  return name;
}

test('a create killed at any step in the store leaves nothing, or a machine that the runner can remove', async () => {
  const probe = machineName();
  const count = await momentsInStore(world, createWords(probe));
  await cleanUp(probe, 'the count');
  const found: string[] = [];
  await inLanes(upTo(count), async (at) => {
    const name = machineName();
    expect(await killedInStore(world, createWords(name), at)).toMatchObject({ code: KILLED });
    found[at] = await cleanUp(name, `step ${at} of ${count}`);
  });
  // Only the rename itself is past the point where the folder counts.
  expect(found.slice(1)).toEqual([...Array<string>(count - 1).fill('nothing'), 'held']);
});

test('a create cut off and killed after any number of bytes leaves nothing', async () => {
  const gate = await openDoorGate(world);
  const probe = machineName();
  await startDoor(world, { words: createWords(probe), env: { HOSTLER_SOCKET: gate.socket } }).done;
  const [asked, committed] = gate.passed();
  await gate.close();
  await cleanUp(probe, 'the count');
  const spread = (call: number, way: 'up' | 'down', bytes: number, count: number) =>
    upTo(count, 0).map((index) => ({ call, way, bytes: Math.floor((index * (bytes - 40)) / count) }));
  const moments = [
    ...spread(0, 'up', asked?.up ?? 0, 8),
    ...spread(0, 'down', asked?.down ?? 0, 12),
    ...spread(1, 'up', committed?.up ?? 0, 4),
    ...spread(1, 'down', committed?.down ?? 0, 4),
  ];
  await inLanes(moments, async (moment) => {
    const own = await openDoorGate(world);
    const held = own.holdAfter(moment);
    const name = machineName();
    const door = startDoor(world, { words: createWords(name), env: { HOSTLER_SOCKET: own.socket } });
    await held;
    door.child.kill('SIGKILL');
    expect(await door.done).toMatchObject({ code: KILLED });
    expect(await cleanUp(name, JSON.stringify(moment))).toBe('nothing');
    await own.close();
  });
});

test('a create killed in its shell part leaves nothing', async () => {
  const probe = machineName();
  const count = await commandsInShell(world, createWords(probe));
  await cleanUp(probe, 'the count');
  const eighths = upTo(8).map((part) => Math.floor((part * count) / 8));
  await inLanes(eighths, async (at) => {
    const name = machineName();
    expect(await killedInShell(world, createWords(name), at)).toMatchObject({ code: KILLED });
    expect(await cleanUp(name, `command ${at} of ${count}`)).toBe('nothing');
  });
});

test('an rm killed before any command of its shell part has given the machine back, or not begun', async () => {
  const probe = await created();
  const count = await commandsInShell(world, ['rm', '-y', probe]);
  expect(await settled(probe, 'the count')).toBe('nothing');
  const moments = [1, 10, 19, ...upTo(count, 24)];
  await inLanes(moments, async (at) => {
    const name = await created();
    expect(await killedInShell(world, ['rm', '-y', name], at)).toMatchObject({ code: KILLED });
    await cleanUp(name, `command ${at} of ${count}`);
  });
});

test('an rm killed at any step of its longer way has given the machine back, or not begun', async () => {
  const probes = [await created(), await created()];
  const words = ['rm', '-y', ...probes];
  const count = await momentsInStore(world, words);
  for (const probe of probes) expect(await settled(probe, 'the count')).toBe('nothing');
  // Both names have the same steps, so every other one of each is enough: what one skips, the other has.
  const moments = upTo(count).filter((at) => at % 2 === (at <= count / 2 ? 0 : 1));
  await inLanes(moments, async (at) => {
    const names = [await created(), await created()];
    expect(await killedInStore(world, ['rm', '-y', ...names], at)).toMatchObject({ code: KILLED });
    for (const name of names) await cleanUp(name, `step ${at} of ${count}`);
  });
});

test('after more than a hundred kills every host is ready again, and no other was launched', async () => {
  console.log(`${played} doors killed, each at another moment`);
  expect(played).toBeGreaterThan(100);
  await awaitReady(world, HOSTS);
  expect(await world.client.leases()).toEqual([]);
  expect(folders(world)).toEqual([]);
  expect(world.emulator.world.instances()).toHaveLength(HOSTS);
});
