// The database is older than the world: a backup was put back, or its log was lost in a crash. Machines that it calls ready
// may have jobs by now; folders and containers tell, and nobody gets or ends such a machine before they have.
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { dockerCall, type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { awaitReady, codesOf } from '../../support/looks.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;

let world: LiveWorld;
afterEach(() => world.close());

const database = () => join(world.folder, 'state', 'state.db');

async function created(): Promise<string> {
  const name = machineName();
  const answer = await world.create(name);
  expect(answer, answer.stdout + answer.stderr).toMatchObject({ code: 0 });
  return name;
}

async function running(name: string): Promise<number> {
  const { text } = await dockerCall(world, name, { method: 'GET', path: '/containers/json' });
  return (JSON.parse(text) as unknown[]).length;
}

/** Two machines that stand ready, and the database as it is then. */
async function readyAndSaved(): Promise<void> {
  const names = [await created(), await created()];
  for (const name of names) expect(await world.rm(name)).toMatchObject({ code: 0 });
  await awaitReady(world, 2);
  await world.stop();
  copyFileSync(database(), join(world.folder, 'backup.db'));
  await world.start();
}

function putBackupBack(): void {
  for (const file of readdirSync(join(world.folder, 'state')))
    if (file.startsWith('state.db')) rmSync(join(world.folder, 'state', file));
  copyFileSync(join(world.folder, 'backup.db'), database());
}

describe('a database from before', () => {
  test('neither hands out nor retires a machine that has a job by now', async () => {
    const moved: MovedWorld = await startMovedWorld();
    world = moved;
    await readyAndSaved();
    const busy = await created();
    await startJob(world, busy, '7');
    await world.stop();
    putBackupBack();
    await world.start();
    const [one, two] = [await created(), await created()];
    const leases = await world.client.leases();
    expect(leases.map(({ name }) => name).toSorted()).toEqual([busy, one, two].toSorted());
    expect(new Set(leases.map(({ machine }) => machine)).size).toBe(3);
    expect(leases.find(({ name }) => name === busy)).toMatchObject({ state: 'busy', jobs: [{ id: '7' }] });
    expect(await codesOf(world)).toContain('lease-relearned');
    // Well beyond IdleTime, which the old record would have passed long ago.
    for (let look = 0; look < 12; look++) await moved.pass(MINUTE);
    expect(await running(busy)).toBe(1);
    for (const name of [busy, one, two]) expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('all leases to end', async () => (await world.client.leases()).length === 0);
  });

  test('without any folder, the host’s containers keep it from being handed out', async () => {
    world = await startMovedWorld();
    await readyAndSaved();
    const busy = await created();
    await startJob(world, busy, '7');
    const [lease] = await world.client.leases();
    await world.stop();
    rmSync(join(world.store, 'machines', busy), { recursive: true });
    putBackupBack();
    await world.start();
    const next = await created();
    const leases = await world.client.leases();
    expect(leases.find(({ name }) => name === next)?.machine).not.toBe(lease?.machine);
    expect(leases.find(({ machine }) => machine === lease?.machine)).toMatchObject({
      name: `unknown-${lease?.machine ?? ''}`,
      jobs: [{ id: '7' }],
    });
  });

  test('a daemon that was killed and lost its log goes on with the jobs that run', async () => {
    world = await startWorld();
    const idle = await created();
    expect(await world.rm(idle)).toMatchObject({ code: 0 });
    await awaitReady(world, 1);
    // A restart merges the log; all that follows is only in the log.
    await world.stop();
    await world.start();
    const busy = await created();
    await startJob(world, busy, '7');
    await world.stop('SIGKILL');
    rmSync(`${database()}-wal`);
    rmSync(`${database()}-shm`);
    await world.start();
    const next = await created();
    const leases = await world.client.leases();
    expect(new Set(leases.map(({ machine }) => machine)).size).toBe(2);
    expect(leases.map(({ name }) => name).toSorted()).toEqual([busy, next].toSorted());
    expect(await running(busy)).toBe(1);
    for (const name of [busy, next]) expect(await world.rm(name)).toMatchObject({ code: 0 });
    await world.until('all leases to end', async () => (await world.client.leases()).length === 0);
  });
});
