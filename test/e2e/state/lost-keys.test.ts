// What survives the loss of the state folder, of the database, of the keys: with keys in SSM everything is known again, with
// keys in files and both lost nothing is touched, and no job ends by it.
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startDaemon } from '../../../src/daemon.ts';
import { TAG } from '../../../src/domain/instance.ts';
import { dockerCall, machineName, startJob } from '../../support/live-world.ts';
import { codesOf } from '../../support/looks.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;
const own = (line: string) =>
  `[hostler]\nrunner_config = "{runner}"\n${line}\n[[pools]]\nname = "test-runner"\nboot_timeout = "10m"\nidle_time = "50m"\n`;
const inSsm = own('keys = "ssm:/hostler/ci"');
const inFiles = own('');

let world: MovedWorld;
afterEach(() => world.close());

const stateOf = () => join(world.folder, 'state');
const keysOf = () => join(stateOf(), 'keys');
const stored = (name: string) =>
  world.emulator.world.region('eu-central-1').parameters.get(`/hostler/ci/${name}`)?.value ?? null;

function removeDatabase(): void {
  for (const file of readdirSync(stateOf())) if (file.startsWith('state.db')) rmSync(join(stateOf(), file));
}

async function created(): Promise<string> {
  const name = machineName();
  const answer = await world.create(name);
  expect(answer, answer.stdout + answer.stderr).toMatchObject({ code: 0 });
  return name;
}

/** A held machine with a job, and one that stands idle. */
async function twoMachines(): Promise<{ busy: string; instances: string[] }> {
  const [busy, idle] = [await created(), await created()];
  await startJob(world, busy, '7');
  expect(await world.rm(idle)).toMatchObject({ code: 0 });
  await world.until('the second to be idle', async () =>
    (await world.client.machines()).some(({ phase }) => phase === 'ready'),
  );
  return { busy, instances: world.alive().map(({ id }) => id) };
}

async function running(name: string): Promise<number> {
  const { text } = await dockerCall(world, name, { method: 'GET', path: '/containers/json' });
  return (JSON.parse(text) as unknown[]).length;
}

async function knownAgain(busy: string): Promise<void> {
  const { client, until } = world;
  await until('both machines to be known again', async () => {
    const known = (await client.machines()).length;
    if (known < 2) await world.pass(MINUTE / 3);
    return known === 2;
  });
  await until('the lease to be known again', async () =>
    (await client.leases()).some((lease) => lease.name === busy && lease.state === 'busy'),
  );
  await until('the other to be ready', async () =>
    (await client.machines()).some(({ phase }) => phase === 'ready'),
  );
}

describe('keys in SSM', () => {
  test('a lost state folder costs nothing: machines are taken back, the lease is learned again, the job goes on', async () => {
    world = await startMovedWorld({ own: inSsm });
    const { busy, instances } = await twoMachines();
    const { manager } = await world.client.status();
    expect(existsSync(keysOf())).toBe(false);
    expect(statSync(join(stateOf(), 'ssh-user-key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(world.store, 'machines', busy, 'config.json'), 'utf8')).toContain(
      join(stateOf(), 'ssh-user-key'),
    );
    await world.stop();
    rmSync(stateOf(), { recursive: true });
    await world.start();
    await knownAgain(busy);
    const status = await world.client.status();
    expect(status.manager).toBe(manager);
    expect(status.state_notes.join()).toContain('the database is new, the keys are not');
    expect(await codesOf(world)).toEqual(
      expect.arrayContaining(['state-lost', 'adopted', 'lease-relearned']),
    );
    const next = await created();
    expect(world.alive().map(({ id }) => id)).toEqual(instances);
    expect(await running(busy)).toBe(1);
    for (const name of [busy, next]) expect(await world.rm(name)).toMatchObject({ code: 0 });
  });

  test('keys in files are carried over, and the machines made with them go on', async () => {
    world = await startMovedWorld({ own: inFiles });
    const { busy, instances } = await twoMachines();
    const { manager } = await world.client.status();
    const files = Object.fromEntries(
      readdirSync(keysOf()).map((name) => [name, readFileSync(join(keysOf(), name), 'utf8')]),
    );
    await world.stop();
    world.writeConfig({ own: inSsm });
    await world.start();
    expect((await world.client.status()).manager).toBe(manager);
    expect(Object.keys(files)).toHaveLength(3);
    for (const [name, text] of Object.entries(files)) expect(stored(name)).toBe(text);
    expect((await world.client.leases()).map((lease) => lease.name)).toEqual([busy]);
    const next = await created();
    expect(world.alive().map(({ id }) => id)).toEqual(instances);
    // And back, without the files.
    await world.stop();
    rmSync(keysOf(), { recursive: true });
    world.writeConfig({ own: inFiles });
    await world.start();
    expect((await world.client.status()).manager).toBe(manager);
    for (const [name, text] of Object.entries(files))
      expect(readFileSync(join(keysOf(), name), 'utf8')).toBe(text);
    expect(await running(busy)).toBe(1);
    for (const name of [busy, next]) expect(await world.rm(name)).toMatchObject({ code: 0 });
  });

  test('a second daemon on the same keys refuses to start and touches nothing of the first', async () => {
    world = await startMovedWorld({ own: inSsm });
    const { busy, instances } = await twoMachines();
    const env = {
      ...world.env,
      HOSTLER_STATE_DIR: join(world.folder, 'second'),
      HOSTLER_SOCKET: join(world.folder, 'second', 'hostler.sock'),
      HOSTLER_LISTEN_ADDRESS: '127.0.0.1:0',
      HOSTLER_LOG_LEVEL: 'error',
    };
    const io = { out: () => undefined, err: () => undefined };
    const configPath = join(world.folder, 'hostler.toml');
    const second = world.clock.hurry(() => startDaemon({ configPath, env, clock: world.clock, ...io }));
    await expect(second).rejects.toMatchObject({
      code: 'already-running',
      message: expect.stringContaining('uses the keys in ssm:/hostler/ci') as string,
    });
    expect(world.alive().map(({ id }) => id)).toEqual(instances);
    expect(await running(busy)).toBe(1);
    expect((await world.client.leases()).map((lease) => lease.name)).toEqual([busy]);
  });

  test('a missing permission keeps the daemon from starting, in words, and costs no job', async () => {
    world = await startMovedWorld({ own: inSsm });
    const busy = await created();
    await startJob(world, busy, '7');
    await world.stop();
    world.emulator.world.faults.set({ code: 'AccessDeniedException', rate: 1, action: 'GetParameter' });
    await expect(world.start()).rejects.toMatchObject({
      code: 'cloud-refused',
      message: expect.stringContaining('ssm:GetParameter') as string,
    });
    expect(await running(busy)).toBe(1);
    world.emulator.world.faults.set({ code: 'AccessDeniedException', rate: 0, action: 'GetParameter' });
    await world.start();
    expect((await world.client.leases()).map((lease) => lease.name)).toEqual([busy]);
  });
});

describe('keys in files', () => {
  test('lost with the database: nothing is adopted, leased or ended, and new machines stand beside', async () => {
    world = await startMovedWorld({ own: inFiles, runner: 'limit = 2' });
    const { busy, instances } = await twoMachines();
    const { manager } = await world.client.status();
    await world.stop();
    rmSync(stateOf(), { recursive: true });
    await world.start();
    expect((await world.client.status()).manager).not.toBe(manager);
    // The old ones count for nobody's limit: jobs must not wait until they have ended themselves.
    const next = [await created(), await created()];
    for (let look = 0; look < 4; look++) await world.pass(MINUTE);
    const tags = world.alive().map((instance) => instance.tags[TAG.manager]);
    expect(tags.filter((one) => one === manager)).toHaveLength(2);
    expect(world.alive()).toHaveLength(4);
    expect(world.alive().map(({ id }) => id)).toEqual(expect.arrayContaining(instances));
    expect((await world.hostler('explain')).stdout).toContain('other-manager');
    expect((await world.client.machines()).map(({ instance }) => instance)).not.toContain(instances[0]);
    // The runner's own folder still serves its job.
    for (const verb of ['url', 'config', 'inspect'])
      expect(await world.dockerMachine(verb, busy)).toMatchObject({ code: 0 });
    expect(await running(busy)).toBe(1);
    for (const name of [busy, ...next]) expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('all releases to be taken', async () => (await world.client.leases()).length === 0);
    expect(world.alive().filter((one) => one.tags[TAG.manager] === manager)).toHaveLength(2);
  });

  test('lost while the database stands: jobs and leases go on with what the database knows, and it is said', async () => {
    world = await startMovedWorld({ own: inFiles });
    const { busy, instances } = await twoMachines();
    const { manager } = await world.client.status();
    await world.stop();
    rmSync(keysOf(), { recursive: true });
    await world.start();
    const status = await world.client.status();
    expect(status.manager).not.toBe(manager);
    expect(status.state_notes.join()).toContain(`the keys are not those of manager ${manager}`);
    expect((await world.hostler('status')).stdout).toContain('the keys are not those of manager');
    expect(await codesOf(world)).toContain('keys-lost');
    await world.pass(MINUTE);
    await world.until('the job to be seen', async () =>
      (await world.client.leases()).some(({ state, jobs }) => state === 'busy' && jobs.length === 1),
    );
    // The idle one still answers with its own authority's certificates.
    const next = await created();
    expect(world.alive().map(({ id }) => id)).toEqual(instances);
    expect(await running(next)).toBe(0);
    // A third is made with the new keys.
    const third = await created();
    expect(await running(third)).toBe(0);
    expect(await running(busy)).toBe(1);
    expect(await world.client.machines()).toHaveLength(3);
    for (const name of [busy, next, third]) expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('all leases to end', async () => (await world.client.leases()).length === 0);
  });
});

describe('a database that is damaged', () => {
  test('is set aside; machines are taken back and the job goes on', async () => {
    world = await startMovedWorld({ own: inFiles });
    const { busy, instances } = await twoMachines();
    await world.stop();
    removeDatabase();
    writeFileSync(join(stateOf(), 'state.db'), Buffer.alloc(100_000, 'garbage '));
    await world.start();
    const aside = readdirSync(stateOf()).filter((file) => file.startsWith('state.db.broken-'));
    expect(aside).toHaveLength(1);
    expect((await world.client.status()).state_notes.join()).toContain(aside[0] ?? 'none');
    await knownAgain(busy);
    expect(world.alive().map(({ id }) => id)).toEqual(instances);
    expect(await running(busy)).toBe(1);
    expect(await codesOf(world)).toContain('state-lost');
  });
});
