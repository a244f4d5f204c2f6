// Records and instances that do not belong together: a lost database, instances without a record, another installation's
// machines, a second daemon with a copied configuration. What is ours is taken back or ended, and nothing else is touched.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../../src/contract/client.ts';
import { startDaemon } from '../../../src/daemon.ts';
import { TAG } from '../../../src/domain/instance.ts';
import { dockerCall, machineName, startJob } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const own =
  '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nboot_timeout = "10m"\nidle_time = "50m"\n';
const MINUTE = 60_000;

let world: MovedWorld;
beforeAll(async () => {
  world = await startMovedWorld({ own });
});
afterAll(() => world.close());

const launched = () => world.emulator.world.instances().length;
const isAlive = (id: string) => world.alive().some((instance) => instance.id === id);

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

/** An instance with these tags that no daemon of this test asked for. Gives its id. */
async function launchStrange(tags: Record<string, string>): Promise<string> {
  const params = new URLSearchParams({
    Action: 'RunInstances',
    Version: '2016-11-15',
    ImageId: 'ami-0123456789abcdef0',
    InstanceType: 'm5.large',
    MinCount: '1',
    MaxCount: '1',
    'TagSpecification.1.ResourceType': 'instance',
  });
  for (const [index, [key, value]] of Object.entries(tags).entries()) {
    params.set(`TagSpecification.1.Tag.${index + 1}.Key`, key);
    params.set(`TagSpecification.1.Tag.${index + 1}.Value`, value);
  }
  const authorization = 'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/eu-central-1/ec2/aws4_request';
  const answer = await fetch(world.emulator.endpoint, {
    method: 'POST',
    body: params,
    headers: { authorization },
  });
  return /<instanceId>(i-[0-9a-f]+)</.exec(await answer.text())?.[1] ?? '';
}

async function ourTags(): Promise<Record<string, string>> {
  const { owner, manager } = await world.client.status();
  return {
    [TAG.owner]: owner,
    [TAG.manager]: manager,
    [TAG.pool]: 'test-runner',
    [TAG.launch]: 'lost',
    [TAG.spec]: '',
  };
}

/** A listing, a minute, and the listing that must agree with it. */
async function twoLooks(): Promise<void> {
  for (let look = 0; look < 3; look++) await world.pass(MINUTE);
}

describe('a lost database', () => {
  test('costs no host: idle ones serve again, the job on a held one goes on under its lease', async () => {
    const [busy, idle] = [await created(), await created()];
    await startJob(world, busy, '7');
    expect(await world.rm(idle)).toMatchObject({ code: 0 });
    const { client, until } = world;
    await until('the second host to be idle', async () =>
      (await client.machines()).some(({ phase }) => phase === 'ready'),
    );
    await world.stop();
    for (const end of ['', '-wal', '-shm'])
      rmSync(join(world.folder, 'state', `state.db${end}`), { force: true });
    await world.start();
    await until('both hosts to be known again', async () => {
      const known = (await client.machines()).length;
      if (known < 2) await world.pass(MINUTE / 3);
      return known === 2;
    });
    await until('the lease to be known again', async () => (await client.leases())[0]?.state === 'busy');
    expect(await client.leases()).toMatchObject([{ name: busy, jobs: [{ id: '7' }] }]);
    const next = await created();
    expect(launched()).toBe(2);
    expect(await running(next)).toBe(0);
    expect(await running(busy)).toBe(1);
    for (const name of [busy, next]) expect(await world.rm(name)).toMatchObject({ code: 0 });
    await until('both hosts to be idle', async () =>
      (await client.machines()).every(({ phase }) => phase === 'ready'),
    );
  });
});

describe('an instance of ours without a record', () => {
  test('that never was a host of ours is ended when its time to boot is over', async () => {
    const id = await launchStrange(await ourTags());
    await twoLooks();
    expect(isAlive(id)).toBe(true);
    expect((await world.client.machines()).some(({ instance }) => instance === id)).toBe(true);
    await world.pass(10 * MINUTE);
    await world.until('the stranger to end', () => !isAlive(id));
    expect(world.alive()).toHaveLength(2);
  });

  test('whose pool is not configured is ended after two looks, not after one', async () => {
    const id = await launchStrange({ ...(await ourTags()), [TAG.pool]: 'gone' });
    await world.pass(MINUTE);
    expect(isAlive(id)).toBe(true);
    await twoLooks();
    await world.until('the stranger to end', () => !isAlive(id));
    expect(world.alive()).toHaveLength(2);
  });
});

describe('instances of another manager', () => {
  test('are never touched, and that is said', async () => {
    const id = await launchStrange({ ...(await ourTags()), [TAG.manager]: 'another' });
    for (let look = 0; look < 3; look++) await twoLooks();
    expect(isAlive(id)).toBe(true);
    expect((await world.client.machines()).some(({ instance }) => instance === id)).toBe(false);
    expect((await world.hostler('explain')).stdout).toContain('other-manager');
  });

  test('are left alone by a second daemon with a copied configuration, even when it cleans up', async () => {
    const before = world.alive().map(({ id }) => id);
    const socket = join(world.folder, 'second', 'hostler.sock');
    const env = {
      ...world.env,
      HOSTLER_STATE_DIR: join(world.folder, 'second'),
      HOSTLER_SOCKET: socket,
      HOSTLER_LISTEN_ADDRESS: '127.0.0.1:0',
      HOSTLER_LOG_LEVEL: 'error',
    };
    const io = { out: () => undefined, err: () => undefined };
    const second = await startDaemon({
      configPath: join(world.folder, 'hostler.toml'),
      env,
      clock: world.clock,
      ...io,
    });
    const client = createClient({ socket });
    await twoLooks();
    await world.until('the second to have looked', async () => (await client.status()).ticks > 2);
    expect(await client.machines()).toEqual([]);
    expect(await client.cleanup()).toMatchObject({ terminated: [], left: 0 });
    client.close();
    await second.stop('done');
    expect(world.alive().map(({ id }) => id)).toEqual(before);
  });
});
