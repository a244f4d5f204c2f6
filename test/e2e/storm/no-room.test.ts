// A store that cannot be written: a full disk, a read-only one, a folder of somebody else. A create says so in one line,
// leaves no half-made folder and keeps no lease; what needs no room goes on.
// Trap: only root can mount a small disk, and only others can be kept out by modes; each case runs where it can.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LiveWorld, machineName, type Ran, startWorld } from '../../support/live-world.ts';
import { awaitReady } from '../../support/looks.ts';
import { startDoor } from '../../support/storm-door.ts';

let world: LiveWorld;
const disks: string[] = [];

beforeAll(async () => {
  world = await startWorld({ runner: 'limit = 2', machine: 'IdleCount = 0\n    IdleTime = 3600' });
});
afterAll(async () => {
  for (const disk of disks) execFileSync('umount', ['-l', disk]);
  await world.close();
});

function mount(options: string): string | null {
  const disk = join(world.folder, `disk-${disks.length}`);
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', disk], { stdio: 'ignore' });
  } catch {
    return null;
  }
  disks.push(disk);
  return disk;
}

/** Fills a disk to its last byte. */
function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize));
}

const inStore = (store: string, ...words: string[]): Promise<Ran> =>
  startDoor(world, { words, env: { MACHINE_STORAGE_PATH: store } }).done;
const create = (store: string, name: string) => inStore(store, 'create', '--driver', 'amazonec2', name);

/** One line of words on stderr, a 1, and nothing kept. */
async function isRefused(store: string, why: string): Promise<void> {
  const name = machineName();
  const { code, stderr } = await create(store, name);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^Error creating machine: .+\n$/);
  expect(stderr).toContain(why);
  expect(stderr).toContain(store);
  await world.until('no lease', async () => (await world.client.leases()).every((one) => one.name !== name));
  const machines = join(store, 'machines');
  const left = existsSync(machines) ? readdirSync(machines) : [];
  expect(left.filter((file) => file.includes(name))).toEqual([]);
}

const canMount = process.getuid?.() === 0 && process.platform === 'linux';

describe.runIf(canMount)('a full disk', () => {
  test('refuses a create in one line; what stands is answered, given back, and there is room again', async (context) => {
    const disk = mount('size=256k');
    if (disk === null) return context.skip('this machine may not mount a disk');
    const standing = machineName();
    expect(await create(disk, standing)).toMatchObject({ code: 0 });
    fill(disk);
    await isRefused(disk, 'ENOSPC');
    for (const verb of ['config', 'url', 'inspect', 'stop'])
      expect(await inStore(disk, verb, standing), verb).toMatchObject({ code: 0 });
    expect(await inStore(disk, 'rm', '-y', standing)).toMatchObject({ code: 0 });
    await world.until('the end of its lease', async () => (await world.client.leases()).length === 0);
    const next = machineName();
    await world.until(
      'the release to be taken',
      () => readdirSync(join(disk, 'machines', '.hostler', 'released')).length === 0,
    );
    execFileSync('rm', [join(disk, 'ballast')]);
    expect(await create(disk, next)).toMatchObject({ code: 0 });
    expect(await inStore(disk, 'rm', '-y', next)).toMatchObject({ code: 0 });
    await awaitReady(world, world.alive().length);
  });

  test('refuses a create at its first step too', async (context) => {
    const disk = mount('size=64k');
    if (disk === null) return context.skip('this machine may not mount a disk');
    fill(disk);
    await isRefused(disk, 'ENOSPC');
  });
});

describe.runIf(canMount)('a read-only disk', () => {
  test('refuses a create before it asks for a machine, and still answers', async (context) => {
    const disk = mount('size=256k');
    if (disk === null) return context.skip('this machine may not mount a disk');
    const standing = machineName();
    expect(await create(disk, standing)).toMatchObject({ code: 0 });
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    await isRefused(disk, 'EROFS');
    for (const verb of ['config', 'url', 'inspect', 'stop'])
      expect(await inStore(disk, verb, standing), verb).toMatchObject({ code: 0 });
    const removal = await inStore(disk, 'rm', '-y', standing);
    expect(removal.code).toBe(1);
    expect(removal.stderr).toMatch(/^.*EROFS.*\n$/);
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    expect(await inStore(disk, 'rm', '-y', standing)).toMatchObject({ code: 0 });
    await world.until('the end of its lease', async () => (await world.client.leases()).length === 0);
  });
});

describe.runIf(process.getuid?.() !== 0)('a store of somebody else', () => {
  test('refuses a create before it asks for a machine', async () => {
    const store = join(world.folder, 'closed');
    mkdirSync(join(store, 'machines', '.hostler', 'released'), { recursive: true });
    chmodSync(join(store, 'machines'), 0o555);
    await isRefused(store, 'EACCES');
    chmodSync(join(store, 'machines'), 0o755);
  });
});

describe('a file where a folder should be', () => {
  test('refuses a create in one line', async () => {
    const store = join(world.folder, 'no-folder');
    writeFileSync(store, '');
    await isRefused(store, 'ENOTDIR');
  });
});
