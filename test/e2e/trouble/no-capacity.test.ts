// EC2 says no: no capacity, quota, throttling, price, a batch filled in part. Creates wait with the reason, tries grow
// rare, and the first host comes soon after EC2 gives again.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { machineName, type Ran } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const own = '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\ncreate_wait = "55m"\n';
const place = { type: 'm5.large', zone: 'eu-central-1a', market: null };
const MINUTE = 60_000;

let world: MovedWorld;
beforeAll(async () => {
  world = await startMovedWorld({ own });
});
afterEach(async () => {
  const { client } = world;
  for (const lease of await client.leases())
    await client.endLease(lease.name, 'person').catch(() => undefined);
  await world.until('the pool to be empty', async () => {
    for (const { id, lease } of await client.machines())
      if (lease === null) await client.retire(id).catch(() => undefined);
    return world.alive().length === 0;
  });
});
afterAll(() => world.close());

const launches = () => world.gate.calls().filter((call) => call.action === 'RunInstances').length;

/** Starts creates and waits until the daemon has heard of all of them. */
async function waitingCreates(count: number): Promise<Promise<Ran>[]> {
  const before = launches();
  const doors = Array.from({ length: count }, () => world.create(machineName()));
  await world.until('the first try', () => launches() > before);
  await world.until('all creates to wait', async () => {
    const leases = await world.client.leases();
    return leases.length === count;
  });
  await world.pass(0);
  return doors;
}

async function firstRest() {
  const [pool] = await world.client.pools();
  return pool?.rests[0] ?? null;
}

describe('a launch that EC2 refuses', () => {
  test('for want of capacity is tried ever more rarely, and soon again when there is some', async () => {
    world.emulator.world.capacity.set(place, 0);
    const before = launches();
    const [door] = await waitingCreates(1);
    expect(await firstRest()).toMatchObject({ code: 'InsufficientInstanceCapacity', failures: 1 });
    const tries: number[] = [];
    for (let step = 0; step < 15; step++) {
      await world.pass(MINUTE);
      tries.push(launches() - before);
    }
    const rest = await firstRest();
    expect(rest?.failures).toBeGreaterThan(3);
    expect(tries.at(-1)).toBeLessThanOrEqual(12);
    expect((tries[14] ?? 0) - (tries[7] ?? 0)).toBeLessThanOrEqual(tries[7] ?? 0);
    world.emulator.world.capacity.set(place, null);
    // While jobs wait no rest is longer than three minutes.
    await world.pass(3 * MINUTE);
    expect(await door).toMatchObject({ code: 0 });
    expect(await firstRest()).toBeNull();
  });

  test('for a quota says so to the create and to explain, and goes on when there is room', async () => {
    world.emulator.world.faults.set({ code: 'VcpuLimitExceeded', rate: 1, action: null });
    const before = launches();
    const door = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    let said = '';
    door.child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await world.until('the first try', () => launches() > before);
    await world.until('the create to be told', async () => {
      await world.pass(16_000);
      return said.includes('VcpuLimitExceeded');
    });
    await world.until('the rest', async () => (await firstRest())?.kind === 'quota');
    const explained = await world.hostler('explain');
    expect(explained.stdout).toContain('VcpuLimitExceeded');
    world.emulator.world.faults.set({ code: 'VcpuLimitExceeded', rate: 0, action: null });
    await world.pass(3 * MINUTE);
    expect(await door.done).toMatchObject({ code: 0 });
  });

  test('for too many calls slows down and serves within a minute after', async () => {
    world.emulator.world.faults.set({ code: 'RequestLimitExceeded', rate: 1, action: 'RunInstances' });
    const before = launches();
    const [door] = await waitingCreates(1);
    for (let step = 0; step < 10; step++) await world.pass(30_000);
    expect(launches() - before).toBeLessThanOrEqual(14);
    world.emulator.world.faults.set({ code: 'RequestLimitExceeded', rate: 0, action: 'RunInstances' });
    await world.pass(MINUTE);
    expect(await door).toMatchObject({ code: 0 });
  });

  test('in part brings what there is, oldest create first, and the rest when there is more', async () => {
    world.emulator.world.capacity.set(place, 3);
    const before = launches();
    const doors = await waitingCreates(8);
    const { client, until } = world;
    const held = () => client.leases().then((leases) => leases.filter((lease) => lease.state === 'held'));
    await until('three creates to be served', async () => (await held()).length === 3);
    await world.pass(5_000);
    expect(world.alive()).toHaveLength(3);
    expect(await firstRest()).toMatchObject({ kind: 'insufficient-capacity' });
    const oldest = (await client.leases()).toSorted((a, b) => a.since.localeCompare(b.since)).slice(0, 3);
    expect(oldest.map((lease) => lease.state)).toEqual(['held', 'held', 'held']);
    world.emulator.world.capacity.set(place, null);
    await world.pass(3 * MINUTE);
    expect((await Promise.all(doors)).map((answer) => answer.code)).toEqual(doors.map(() => 0));
    expect(world.alive()).toHaveLength(8);
    expect(launches() - before).toBeLessThanOrEqual(4);
  });

  test('for a spot price below the market is tried again as soon as the price is changed', async () => {
    const spot = (price: string) => ['amazonec2-request-spot-instance=true', `amazonec2-spot-price=${price}`];
    world.writeConfig({ options: spot('0.001') });
    await world.client.reload();
    const [door] = await waitingCreates(1);
    expect(await firstRest()).toMatchObject({ code: 'SpotMaxPriceTooLow', kind: 'price' });
    world.writeConfig({ options: spot('') });
    await world.client.reload();
    expect(await door).toMatchObject({ code: 0 });
    expect(world.alive()).toMatchObject([{ market: 'spot' }]);
  });
});
