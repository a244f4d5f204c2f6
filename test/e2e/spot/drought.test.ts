// A market runs dry: tries stay few and small, the first machine comes soon after capacity returns and all others one call
// later; on demand stands in where the pool allows it, and a choice of places makes the drought invisible.
import { afterEach, describe, expect, test } from 'vitest';
import { machineName, type Ran } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;
const place = { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' as const };
const spot = ['amazonec2-request-spot-instance=true', 'amazonec2-spot-price='];

const own = (lines: string) =>
  `[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\ncreate_wait = "58m"\nidle_time = "50m"\n${lines}`;

let world: MovedWorld;
afterEach(() => world.close());

const count = (action: string) => world.gate.calls().filter((call) => call.action === action).length;
const onDemand = () => world.alive().filter(({ market }) => market === 'on-demand').length;

/** Starts creates and waits until the daemon has heard of all of them. */
async function waitingCreates(many: number): Promise<Promise<Ran>[]> {
  const doors = Array.from({ length: many }, () => world.create(machineName()));
  await world.until('all creates to wait', async () => (await world.client.leases()).length === many, 90_000);
  await world.pass(0);
  return doors;
}

const reasons = async () => (await world.client.pools())[0]?.size?.reasons ?? [];

describe('a drought on the only offering', () => {
  test('costs few calls; the first machine comes within 3 min of its end, all others one call later', async () => {
    world = await startMovedWorld({ own: own(''), options: spot });
    world.emulator.world.capacity.set(place, 0);
    const doors = await waitingCreates(12);
    await world.until('the first refusal', async () => (await world.client.breakers()).length > 0);
    let seen = 0;
    for (let minute = 0; minute < 40; minute++) {
      await world.pass(MINUTE);
      const told = (await reasons()).find(({ code }) => code === 'offering-closed');
      if (told !== undefined) seen++;
    }
    const tries = count('RunInstances');
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThanOrEqual(40);
    expect(seen).toBeGreaterThan(30);
    expect((await world.hostler('breakers')).stdout).toContain('InsufficientInstanceCapacity');
    world.emulator.world.capacity.set(place, null);
    for (let step = 0; step < 18 && world.alive().length === 0; step++) await world.pass(10_000);
    await world.until('all machines', () => world.alive().length === 12);
    expect(count('RunInstances') - tries).toBeLessThanOrEqual(2);
    expect((await Promise.all(doors)).map(({ code }) => code)).toEqual(doors.map(() => 0));
    expect(await world.client.breakers()).toEqual([]);
  });

  test('sends jobs on demand after fallback_after, and spot is back for what comes then', async () => {
    world = await startMovedWorld({
      own: own('on_demand = "when-short"\nfallback_after = "1m"\n'),
      options: spot,
    });
    world.emulator.world.capacity.set(place, 0);
    const doors = await waitingCreates(4);
    await world.until('the first refusal', async () => (await world.client.breakers()).length > 0);
    expect(world.alive()).toEqual([]);
    await world.pass(MINUTE);
    await world.until('machines on demand', () => onDemand() >= 3);
    await Promise.all(doors);
    expect(world.alive()).toHaveLength(4);
    world.emulator.world.capacity.set(place, null);
    await world.pass(3 * MINUTE);
    const more = await Promise.all([world.create(machineName()), world.create(machineName())]);
    expect(more.map(({ code }) => code)).toEqual([0, 0]);
    expect(world.alive().filter(({ market }) => market === 'spot')).toHaveLength(2);
  });

  test('in a quota fills it, names it, and goes on demand beyond it', async () => {
    world = await startMovedWorld({
      own: own('on_demand = "when-short"\nfallback_after = "1m"\n'),
      options: spot,
      emulator: { quotas: [{ market: 'spot', class: 'standard', vcpus: 8 }] },
    });
    const doors = await waitingCreates(6);
    await world.until('a full quota', () => world.alive().length === 4);
    for (let step = 0; step < 12 && world.alive().length < 6; step++) await world.pass(15_000);
    await Promise.all(doors);
    expect(onDemand()).toBe(2);
    const breaker = (await world.client.breakers()).find(({ kind }) => kind === 'quota');
    expect(breaker).toMatchObject({ state: 'closed', pools: ['test-runner'] });
    expect(breaker?.message).toMatch(/quota L-34B43A08, .*: 8 vCPUs\); 4 of our machines stood under it$/);
    const said = (await world.client.events({ limit: 500 })).filter(({ text }) =>
      text.includes('L-34B43A08'),
    );
    expect(said.length).toBeGreaterThan(0);
    expect(said.length).toBeLessThanOrEqual(count('RunInstances'));
    const reset = await world.hostler('breaker', 'reset', breaker?.key ?? '');
    expect(reset).toMatchObject({ code: 0, stdout: `${breaker?.key} is open\n` });
    expect((await world.client.breakers()).some(({ kind }) => kind === 'quota')).toBe(false);
    expect(await world.hostler('breaker', 'reset', 'nothing')).toMatchObject({ stdout: '' });
    expect(count('RunInstances')).toBeLessThanOrEqual(8);
  });
});

test('a price above the cap is not tried while the price history shows it, and soon when it falls', async () => {
  const options = ['amazonec2-request-spot-instance=true', 'amazonec2-spot-price=0.010'];
  world = await startMovedWorld({ own: own(''), options });
  world.emulator.world.prices.set(place, 0.05);
  const doors = await waitingCreates(1);
  await world.until('the refusal', async () => (await world.client.breakers())[0]?.kind === 'price');
  await world.pass(MINUTE);
  const before = count('RunInstances');
  for (let minute = 0; minute < 15; minute++) await world.pass(MINUTE);
  expect(count('RunInstances') - before).toBeLessThanOrEqual(1);
  world.emulator.world.prices.set(place, 0.005);
  // Prices are remembered for five minutes.
  for (let minute = 0; minute < 7 && world.alive().length === 0; minute++) await world.pass(MINUTE);
  expect((await Promise.all(doors)).map(({ code }) => code)).toEqual([0]);
});
