// EC2 takes spot machines back: no new job on them, replacements at once, jobs left to finish and named when they are lost.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { machineName, startJob } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const own =
  '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nidle_count = 2\nidle_time = "50m"\n';
/** Real milliseconds from notice to end in this emulated cloud; EC2 gives two minutes. */
const NOTICE_MS = 20_000;

let world: MovedWorld;
beforeAll(async () => {
  const options = ['amazonec2-request-spot-instance=true', 'amazonec2-spot-price='];
  world = await startMovedWorld({ own, options });
});
afterAll(() => world.close());

function reclaim(instance: string | null): void {
  const found = world.emulator.world.find(instance ?? '');
  if (found === null) throw new Error(`no instance ${instance}`);
  expect(found.region.unaskedEnds.reclaim(found.instance, NOTICE_MS)).toBe(true);
}

const machines = () => world.client.machines();
const ready = async () => (await machines()).filter(({ phase }) => phase === 'ready');

test('a reclaim of a busy, a held and an idle host loses no idle wish and names the lost job', async () => {
  const { client, until, pass } = world;
  await until('idle hosts', async () => (await ready()).length === 2, 60_000);
  const [busy, held] = [machineName(), machineName()];
  for (const name of [busy, held]) expect(await world.create(name)).toMatchObject({ code: 0 });
  await startJob(world, busy, '4711');
  await until('the job to be seen', async () => {
    await pass(5_000);
    return (await client.leases()).some(({ jobs }) => jobs.some(({ id }) => id === '4711'));
  });
  // The held one is idle, too.
  await until('an idle host beside it', async () => (await ready()).length === 1, 60_000);
  const before = await machines();
  const of = (lease: string) => before.find((one) => one.lease === lease);
  const [idle] = await ready();
  await pass(15_000);
  for (const one of [of(busy), of(held), idle]) reclaim(one?.instance ?? null);
  const known = new Set(before.map(({ id }) => id));
  const fresh = async () => (await machines()).filter(({ id }) => !known.has(id));
  // One look at the requests, 5 s apart, and the tick after it.
  await pass(6_000);
  await until('replacements', async () => (await fresh()).length === 3);
  const noted = await client.events({ limit: 500 });
  expect(new Set(noted.filter(({ code }) => code === 'interrupted').map(({ machine }) => machine)).size).toBe(
    3,
  );
  expect(await client.breakers()).toMatchObject([{ state: 'marked', kind: 'interrupted' }]);
  const status = (await world.hostler('status')).stdout;
  expect(status).toContain('is the last choice until');
  expect(status).not.toContain('resting');
  const now = await machines();
  expect(now.find(({ id }) => id === of(busy)?.id)).toMatchObject({ phase: 'leased', ending: 'interrupted' });
  expect(now.find(({ id }) => id === idle?.id)?.phase ?? 'gone').toMatch(/terminating|gone/);
  await until('the word in the folder', async () => {
    await pass(5_000);
    return (await world.dockerMachine('config', held)).code === 1;
  });
  expect(await world.dockerMachine('config', busy)).toMatchObject({ code: 0 });
  // A new create gets none of the three.
  const next = machineName();
  expect(await world.create(next)).toMatchObject({ code: 0 });
  const got = (await machines()).find(({ lease }) => lease === next);
  expect([of(busy)?.id, of(held)?.id, idle?.id]).not.toContain(got?.id);
  await until(
    'the lost job',
    async () => {
      await pass(10_000);
      const events = await client.events({ limit: 500 });
      return events.some(({ code, text }) => code === 'job-lost' && text.includes('4711'));
    },
    90_000,
  );
});

test('advice to rebalance from a queue drains an idle machine and is answered by another', async () => {
  const { client, until, pass, emulator } = world;
  world.writeConfig({ own: `${own}interruption_queue = "${emulator.endpoint}/123456789012/hostler"\n` });
  await client.reload();
  await until(
    'idle hosts',
    async () => {
      await pass(5_000);
      return (await ready()).length >= 1;
    },
    60_000,
  );
  const [idle] = await ready();
  const path = `/_emulator/rebalance?instance=${idle?.instance}`;
  expect((await fetch(`${emulator.endpoint}${path}`, { method: 'POST' })).status).toBe(200);
  await until(
    'the advice',
    async () => {
      await pass(1_000);
      return (await client.events({ limit: 500 })).some(
        ({ code, machine }) => code === 'rebalance' && machine === idle?.id,
      );
    },
    60_000,
  );
  await until('its end', async () => {
    await pass(1_000);
    return !(await machines()).some(({ id, phase }) => id === idle?.id && phase !== 'terminating');
  });
});

test('with rebalance = "replace" advised machines stand until others are ready', async () => {
  const { client, until, pass, emulator } = world;
  const queue = `interruption_queue = "${emulator.endpoint}/123456789012/hostler"\n`;
  world.writeConfig({ own: `${own}rebalance = "replace"\n${queue}` });
  await client.reload();
  const step = async (look: () => Promise<boolean>) => {
    await pass(1_000);
    return look();
  };
  // What a runner holds without a job is part of the idle wish.
  const usable = async () =>
    (await machines()).filter(
      ({ phase, ending }) => (phase === 'ready' || phase === 'leased') && ending === null,
    );
  await until('idle hosts', () => step(async () => (await ready()).length >= 1), 60_000);
  expect((await usable()).length).toBeGreaterThanOrEqual(2);
  const advised = await ready();
  for (const { instance } of advised) {
    const path = `/_emulator/rebalance?instance=${instance}`;
    expect((await fetch(`${emulator.endpoint}${path}`, { method: 'POST' })).status).toBe(200);
  }
  let least = (await usable()).length;
  const isOver = async () => {
    const now = await usable();
    least = Math.min(least, now.length);
    return !advised.some(({ id }) => now.some((one) => one.id === id));
  };
  await until('their end', () => step(isOver), 60_000);
  expect(least).toBeGreaterThanOrEqual(2);
  const told = (await client.events({ limit: 500 })).find(
    ({ code, machine }) => code === 'rebalance' && machine === advised[0]?.id,
  );
  expect(told?.text).toContain('ends when its replacement is ready');
});
