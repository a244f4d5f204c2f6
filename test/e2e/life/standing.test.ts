// A runner that holds idle machines itself (IdleCount above 0) while no queue can be seen: what it holds without a job is
// idle, what it takes at once calls for more, and rest lets the reserve go again.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PoolReply } from '../../../src/contract/api.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import { type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { awaitHeld, awaitReady, codesOf, settleAt } from '../../support/looks.ts';
import { createMovedClock, type MovedClock } from '../../support/moved-clock.ts';

let world: LiveWorld;
let clock: MovedClock;
const names: string[] = [];

const settle = () => settleAt(world, clock, clock.now());
async function size(): Promise<NonNullable<PoolReply['size']>> {
  const [pool] = await world.client.pools();
  if (pool?.size == null) throw new Error('no plan yet');
  return pool.size;
}
/** The runner fills up its idle machines. */
async function hold(count: number): Promise<string[]> {
  const made = Array.from({ length: count }, machineName);
  names.push(...made);
  const answers = await Promise.all(made.map((name) => world.create(name)));
  expect(answers.map(({ code }) => code)).toEqual(made.map(() => 0));
  return made;
}

beforeAll(async () => {
  // An hour back: certificates made now must be valid when the clock has been moved on.
  clock = createMovedClock(Date.now() - HOUR_MS);
  world = await startWorld({
    clock,
    runner: 'limit = 9',
    machine: 'IdleCount = 2\n    IdleTime = 600\n    MaxBuilds = 10',
  });
});
afterAll(() => world.close());

describe('a runner that holds idle machines', () => {
  test('finds as many ready as it will ask for, and gets nothing on top once it holds them', async () => {
    const ready = await awaitReady(world, 2);
    await hold(2);
    await settle();
    expect(await size()).toMatchObject({ held: 2, ready: 0, busy: 0, fill: 0, demand: 0, wanted: 2 });
    const held = new Set((await awaitHeld(world, 2)).map(({ machine }) => machine));
    expect(held).toEqual(new Set(ready.map(({ id }) => id)));
    expect(world.alive()).toHaveLength(2);
  });

  test('doubles the reserve when jobs take what it was handed at once', async () => {
    await Promise.all(names.map((name) => world.dockerMachine('url', name)));
    await clock.hurry(() => world.until('four hosts more', () => world.alive().length === 6));
    expect(await codesOf(world)).toContain('reserve-doubled');
    await clock.hurry(() => world.until('them to be ready', async () => (await size()).ready === 4));
    expect(await size()).toMatchObject({ busy: 2, wantIdle: 4, runnerIdle: 2 });
  });

  test('never goes beyond the limit with its reserve', async () => {
    const second = await hold(2);
    await Promise.all(second.map((name) => world.dockerMachine('url', name)));
    const third = await hold(2);
    await Promise.all(third.map((name) => world.dockerMachine('url', name)));
    await settle();
    await clock.hurry(() => world.until('the limit', () => world.alive().length === 9));
    expect(await size()).toMatchObject({ busy: 6, wanted: 9 });
  });

  test('halves it again at rest, and IdleTime takes what is too many', async () => {
    const ended = names.splice(0);
    await Promise.all(ended.map((name) => world.rm(name)));
    await clock.hurry(() => awaitReady(world, 9));
    clock.pass(6 * MINUTE_MS);
    await settle();
    const { wantIdle } = await size();
    expect(wantIdle).toBeLessThan(9);
    for (let round = 0; round < 3; round++) {
      clock.pass(6 * MINUTE_MS);
      await settle();
    }
    await clock.hurry(() => world.until('two hosts', () => world.alive().length === 2));
    expect(await size()).toMatchObject({ wantIdle: 2, wanted: 2 });
  });
});

describe('a host that the runner keeps for several jobs', () => {
  test('is busy while containers of a job run, idle between them, and counts each job once', async () => {
    await clock.hurry(() => awaitReady(world, 2));
    const [name = ''] = await hold(1);
    const states = async () => (await world.client.leases()).map(({ state, jobs }) => [state, jobs.length]);
    for (const job of ['501', '502']) {
      const end = await startJob(world, name, job);
      await clock.hurry(() =>
        world.until(`job ${job}`, async () => (await world.client.leases())[0]?.jobs.at(-1)?.id === job),
      );
      expect((await world.client.leases())[0]?.state).toBe('busy');
      await end();
      await clock.hurry(() =>
        world.until('the end of the job', async () => (await world.client.leases())[0]?.state === 'held'),
      );
    }
    expect(await states()).toEqual([['held', 2]]);
    const machine = (await world.client.leases())[0]?.machine;
    await world.rm(name);
    await clock.hurry(() =>
      world.until('its lease to end', async () => {
        const used = (await world.client.machines()).find(({ id }) => id === machine);
        return used?.phase === 'ready' && used.builds === 2;
      }),
    );
  });
});
