// The clock of the manager is set by an hour, forward and back, while everything runs: lengths of time stay what they were,
// so no machine is retired for it, no lease ends, no create gives up or waits longer; periods follow the wall clock.
// Trap: certificates are made on the daemon's time and checked on real time, so where machines are made after a jump it
// is half an hour.
import { afterEach, describe, expect, test } from 'vitest';
import { dockerCall, machineName, startJob } from '../../support/live-world.ts';
import { awaitReady, awaitWaiting, codesOf } from '../../support/looks.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const [MINUTE, HOUR] = [60_000, 3_600_000];
const own = (pool: string) =>
  `[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nboot_timeout = "10m"\n${pool}\n`;

let world: MovedWorld;
afterEach(() => world.close());

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

/** Sets the clock and lets the daemon look at it. */
async function set(by: number): Promise<void> {
  world.clock.set(by);
  await world.clock.hurry(() =>
    world.until('the jump to be seen', async () => (await codesOf(world)).includes('clock-jumped')),
  );
}

describe.each([
  ['forward', HOUR],
  ['back', -HOUR],
])('a clock that is set an hour %s', (_name, by) => {
  test('retires nothing for one IdleTime, ends no lease, and goes on listing and looking', async () => {
    world = await startMovedWorld({ own: own('idle_time = "20m"') });
    const [busy, held, idle] = [await created(), await created(), await created()];
    await startJob(world, busy, '7');
    expect(await world.rm(idle)).toMatchObject({ code: 0 });
    await world.until('one to be idle', async () =>
      (await world.client.machines()).some(({ phase }) => phase === 'ready'),
    );
    await set(by);
    for (let look = 0; look < 15; look++) await world.pass(MINUTE);
    expect(world.alive()).toHaveLength(3);
    const leases = await world.client.leases();
    expect(leases.map(({ name }) => name).toSorted()).toEqual([busy, held].toSorted());
    expect(leases.find(({ name }) => name === busy)).toMatchObject({ state: 'busy', jobs: [{ id: '7' }] });
    expect(await running(busy)).toBe(1);
    // Listings and looks go on: their view is young whatever the clock says.
    const { sources } = await world.client.status();
    expect(sources).toMatchObject([{ state: 'fresh' }]);
    expect(sources[0]?.age_s ?? -1).toBeGreaterThanOrEqual(0);
    expect(sources[0]?.age_s).toBeLessThan(120);
    expect(await (await fetch(`${world.metricsUrl}/healthz`)).text()).toMatch(/^ok/);
    // After IdleTime, in truth, the idle one goes and only that one.
    for (let look = 0; look < 12; look++) await world.pass(MINUTE);
    await world.until('the idle machine to be retired', () => world.alive().length === 2);
    expect(await running(busy)).toBe(1);
    const codes = await codesOf(world);
    expect(codes.filter((code) => code === 'clock-jumped')).toHaveLength(1);
    for (const code of ['lease-abandoned', 'boot-timeout', 'max-life', 'unhealthy', 'orphan'])
      expect(codes).not.toContain(code);
    for (const name of [busy, held]) expect(await world.rm(name)).toMatchObject({ code: 0 });
  });

  test('leaves waiting creates their time and their order', async () => {
    world = await startMovedWorld({ own: own('create_wait = "10m"'), runner: 'limit = 1' });
    const first = await created();
    const start = (name: string) =>
      world.startDockerMachine('create', '--driver', 'amazonec2', '--amazonec2-region=eu-central-1', name);
    const [early, late] = [machineName(), machineName()];
    const one = start(early);
    await awaitWaiting(world, 1);
    await world.pass(4 * MINUTE);
    await set(by / 2);
    const two = start(late);
    const line = await awaitWaiting(world, 2);
    expect(line.map(({ name }) => name)).toEqual([early, late]);
    await world.pass(4 * MINUTE);
    expect((await awaitWaiting(world, 2)).map(({ name }) => name)).toEqual([early, late]);
    expect(await world.rm(first)).toMatchObject({ code: 0 });
    expect(await one.done).toMatchObject({ code: 0 });
    // The second has waited for four minutes; after ten it is told so, neither sooner nor later.
    await world.pass(5 * MINUTE);
    expect(await awaitWaiting(world, 1)).toMatchObject([{ name: late }]);
    await world.pass(2 * MINUTE);
    const told = await two.done;
    expect(told).toMatchObject({ code: 1 });
    expect(told.stderr).toContain('create_wait (600 s)');
  });

  test('prolongs no rest after a refused launch', async () => {
    world = await startMovedWorld({ own: own('create_wait = "50m"') });
    world.emulator.world.capacity.set({ type: 'm5.large', zone: 'eu-central-1a', market: null }, 0);
    const name = machineName();
    const waiting = world.startDockerMachine(
      'create',
      '--driver',
      'amazonec2',
      '--amazonec2-region=eu-central-1',
      name,
    );
    await world.until('the refusal', async () => (await codesOf(world)).includes('launch-failed'));
    await set(by / 2);
    const rests = (await world.client.pools()).flatMap((pool) => pool.rests);
    for (const { until } of rests) expect(Date.parse(until) - world.clock.now()).toBeLessThan(30 * MINUTE);
    world.emulator.world.capacity.set({ type: 'm5.large', zone: 'eu-central-1a', market: null }, null);
    for (let look = 0; look < 20 && world.alive().length === 0; look++) await world.pass(MINUTE);
    expect(await waiting.done).toMatchObject({ code: 0 });
    expect(await world.rm(name)).toMatchObject({ code: 0 });
  });

  test('keeps the history in its order', async () => {
    world = await startMovedWorld({ own: own('') });
    const before = await created();
    await set(by / 2);
    const after = await created();
    const events = await world.client.events({ limit: 1_000 });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    const place = (name: string) =>
      events.findIndex(({ code, lease }) => code === 'granted' && lease === name);
    const jump = events.findIndex(({ code }) => code === 'clock-jumped');
    expect(place(before)).toBeLessThan(jump);
    expect(place(after)).toBeGreaterThan(jump);
    for (const name of [before, after]) expect(await world.rm(name)).toMatchObject({ code: 0 });
  });
});

describe('periods', () => {
  test('follow the wall clock at once, forward and back', async () => {
    // The period begins with the minute that is half an hour away.
    const begins = new Date(Date.now() + HOUR / 2);
    const hour = begins.getUTCHours();
    const lines = [`* ${begins.getUTCMinutes()}-59 ${hour} * * * *`, `* * ${(hour + 1) % 24} * * * *`];
    world = await startMovedWorld({
      own: own('idle_time = "20m"'),
      periods: `    [[runners.machine.autoscaling]]
      Periods = ${JSON.stringify(lines)}
      IdleCount = 2
      IdleTime = 1200
      Timezone = "UTC"
`,
    });
    const period = async () => (await world.client.pools())[0]?.period;
    expect(await period()).toBe('base');
    world.clock.set(HOUR / 2 + MINUTE);
    await world.clock.hurry(() => awaitReady(world, 2));
    expect(await period()).not.toBe('base');
    world.clock.set(-HOUR);
    await world.pass(5_000);
    expect(await period()).toBe('base');
  });
});

describe('a machine that was suspended, both clocks counting it', () => {
  test('costs no lease and no job', async () => {
    world = await startMovedWorld({ own: own('idle_time = "50m"') });
    const [busy, held] = [await created(), await created()];
    await startJob(world, busy, '7');
    await world.until('the job to be seen', async () =>
      (await world.client.leases()).some(({ state }) => state === 'busy'),
    );
    await world.pass(HOUR / 2);
    expect((await world.client.leases()).map(({ name }) => name).toSorted()).toEqual([busy, held].toSorted());
    expect(await running(busy)).toBe(1);
    expect(world.alive()).toHaveLength(2);
    expect(await codesOf(world)).not.toContain('clock-jumped');
    for (const name of [busy, held]) expect(await world.rm(name)).toMatchObject({ code: 0 });
  });
});
