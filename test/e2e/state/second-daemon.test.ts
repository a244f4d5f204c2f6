// Two daemons that must not meet: one state folder for both is refused; a copied configuration with another state folder,
// on the same account and with the same owner, harms nobody in either direction. Real processes.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../src/contract/client.ts';
import { TAG } from '../../../src/domain/instance.ts';
import {
  dockerCall,
  type LiveWorld,
  machineName,
  type Ran,
  run,
  startJob,
  startWorld,
} from '../../support/live-world.ts';

const bin = (name: string) => join(import.meta.dirname, '..', '..', '..', 'bin', name);

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function running(name: string): Promise<number> {
  const { text } = await dockerCall(world, name, { method: 'GET', path: '/containers/json' });
  return (JSON.parse(text) as unknown[]).length;
}

test('a second daemon on one state folder is refused in one line and changes nothing', async () => {
  const { pid } = await world.client.status();
  const env = { ...world.env, HOSTLER_SOCKET: join(world.folder, 'other.sock') };
  const answer = await run(bin('hostler'), ['run', '--config', world.configFile], env).done;
  expect(answer.code).toBe(75);
  const said = answer.stderr.trim().split('\n');
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(`another hostler (pid ${pid}) uses this state folder`);
  expect(said[0]).toContain('(already-running)');
  expect((await world.client.status()).pid).toBe(pid);
});

test('a copied configuration with another state folder touches nothing of the first, and neither does the first', async () => {
  const [busy, idle] = [machineName(), machineName()];
  for (const name of [busy, idle]) expect(await world.create(name)).toMatchObject({ code: 0 });
  await startJob(world, busy, '7');
  expect(await world.rm(idle)).toMatchObject({ code: 0 });
  await world.until('a machine to spare', async () =>
    (await world.client.machines()).some(({ phase }) => phase === 'ready'),
  );
  const { manager, owner } = await world.client.status();
  const first = () =>
    world
      .alive()
      .filter(({ tags }) => tags[TAG.manager] === manager)
      .map(({ id }) => id)
      .toSorted();
  const before = first();
  expect(before).toHaveLength(2);

  const folder = join(world.folder, 'second');
  const store = join(folder, 'store');
  mkdirSync(store, { recursive: true });
  const env = {
    ...world.env,
    HOSTLER_STATE_DIR: join(folder, 'state'),
    HOSTLER_SOCKET: join(folder, 'hostler.sock'),
    HOSTLER_LISTEN_ADDRESS: `127.0.0.1:${await freePort()}`,
    MACHINE_STORAGE_PATH: store,
    HOSTLER_MACHINE_STORAGE_PATH: store,
  };
  const second = run(bin('hostler'), ['run', '--config', world.configFile], env);
  const client = createClient({ socket: env.HOSTLER_SOCKET });
  const theirs = async (): Promise<Awaited<ReturnType<typeof client.machines>>> =>
    client.machines().catch(() => []);
  await world.until('the second to be ready', () =>
    client.status().then(
      ({ last_tick: tick }) => tick !== null,
      () => false,
    ),
  );
  const status = await client.status();
  expect(status).toMatchObject({ owner });
  expect(status.manager).not.toBe(manager);
  // A machine of its own, then everything that it can end.
  const name = machineName();
  const door = (...args: string[]): Promise<Ran> =>
    run(bin('docker-machine'), ['--bugsnag-api-token=no-report', ...args], env).done;
  const made = await door('create', '--driver', 'amazonec2', '--amazonec2-region=eu-central-1', name);
  expect(made, made.stderr).toMatchObject({ code: 0 });
  const [own] = await theirs();
  expect(before).not.toContain(own?.instance);
  expect(await door('rm', '-y', name)).toMatchObject({ code: 0 });
  expect(first()).toEqual(before);
  const cleaned = await run(bin('hostler'), ['cleanup', '--yes'], env).done;
  expect(cleaned, cleaned.stdout + cleaned.stderr).toMatchObject({ code: 0 });
  expect(first()).toEqual(before);
  expect(await running(busy)).toBe(1);
  await world.until('only the first’s machines to be left', () => world.alive().length === 2);

  // And the other way round: the first ends its own and leaves what the second launches again.
  expect((await run(bin('hostler'), ['resume', 'test-runner'], env).done).code).toBe(0);
  const again = machineName();
  expect(
    await door('create', '--driver', 'amazonec2', '--amazonec2-region=eu-central-1', again),
  ).toMatchObject({
    code: 0,
  });
  expect(await world.rm(busy)).toMatchObject({ code: 0 });
  await world.until('the lease to end', async () => (await world.client.leases()).length === 0);
  expect((await world.hostler('cleanup', '--yes')).code).toBe(0);
  await world.until('the first’s machines to end', () => first().length === 0);
  expect(world.alive().map(({ tags }) => tags[TAG.manager])).toEqual([status.manager]);
  expect(await door('config', again)).toMatchObject({ code: 0 });
  expect(await door('rm', '-y', again)).toMatchObject({ code: 0 });

  client.close();
  second.child.kill('SIGTERM');
  expect((await second.done).code).toBe(0);
});
