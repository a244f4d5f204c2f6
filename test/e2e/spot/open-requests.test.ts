// Machines by RequestSpotInstances: requests stay few and never outlive their use, late machines are taken, and what a
// killed daemon left open is found again.
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startDaemon } from '../../../src/daemon.ts';
import { openGate } from '../../support/ec2-gate.ts';
import { type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { createMovedClock } from '../../support/moved-clock.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;
const place = { type: 'm5.large', zone: 'eu-central-1a', market: 'spot' as const };
const own =
  '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "test-runner"\nlaunch = "spot-request"\ncreate_wait = "50m"\nidle_time = "50m"\n';

let world: LiveWorld;
afterEach(() => world.close());

const options = ['amazonec2-request-spot-instance=true', 'amazonec2-spot-price='];
const open = () => world.emulator.world.spotRequests().filter(({ state }) => state === 'open').length;

test('open requests are followed: few, cancelled after their time, and filled ones become machines', async () => {
  const moved: MovedWorld = await startMovedWorld({ own, options });
  world = moved;
  const { until, pass, client } = moved;
  world.emulator.world.capacity.set(place, 0);
  const door = world.create(machineName());
  await until('an open request', () => open() === 1);
  await until('what EC2 says of it', async () => {
    await pass(5_000);
    return /requests-open: .*status=capacity-not-available/.test((await world.hostler('explain')).stdout);
  });
  for (let step = 0; step < 5; step++) await pass(MINUTE);
  await until('its end', async () => {
    await pass(10_000);
    return (await client.breakers()).length > 0;
  });
  for (let step = 0; step < 10; step++) {
    await pass(MINUTE);
    expect(open()).toBeLessThanOrEqual(1);
  }
  world.emulator.world.capacity.set(place, null);
  await until('the machine', async () => {
    await pass(10_000);
    return world.alive().length === 1;
  });
  await until('its record', async () => {
    await pass(5_000);
    return (await client.machines()).some(({ phase }) => phase === 'leased');
  });
  expect(await door).toMatchObject({ code: 0 });
  expect(open()).toBe(0);
});

test('a daemon killed before the answer finds its request again, and takes the machine that comes late', async () => {
  const gate = await openGate();
  world = await startWorld({ own, options, gate });
  world.emulator.world.capacity.set(place, 0);
  const asked = gate.catchNext('RequestSpotInstances', 'keep-answer');
  const door = world.create(machineName());
  await asked;
  await world.stop('SIGKILL');
  expect(open()).toBe(1);
  await world.start();
  world.emulator.world.capacity.set(place, null);
  const answer = await door;
  expect(answer, answer.stdout + answer.stderr).toMatchObject({ code: 0 });
  expect(world.emulator.world.spotRequests()).toHaveLength(1);
  expect(open()).toBe(0);
  expect(world.alive()).toHaveLength(1);
});

test('a request of a killed daemon that is filled 3 minutes later brings one machine, and no open request stays', async () => {
  const gate = await openGate();
  world = await startWorld({ own, options, gate });
  const { until } = world;
  world.emulator.world.capacity.set(place, 0);
  const asked = gate.catchNext('RequestSpotInstances', 'keep-answer');
  const door = world.create(machineName());
  await asked;
  await world.stop('SIGKILL');
  expect(open()).toBe(1);
  const clock = createMovedClock(Date.now());
  const quiet = { ...world.env, HOSTLER_LOG_LEVEL: 'error' };
  const io = { out: () => undefined, err: () => undefined };
  const next = await startDaemon({
    configPath: join(world.folder, 'hostler.toml'),
    env: quiet,
    clock,
    ...io,
  });
  try {
    const filledAt = clock.now() + 3 * MINUTE;
    await clock.hurry(() => until('three minutes', () => clock.now() >= filledAt, 60_000));
    expect(world.alive()).toEqual([]);
    expect(open()).toBeLessThanOrEqual(1);
    world.emulator.world.capacity.set(place, null);
    const answer = await clock.hurry(() => door);
    expect(answer, answer.stdout + answer.stderr).toMatchObject({ code: 0 });
    expect(open()).toBe(0);
    expect(world.alive()).toHaveLength(1);
    expect((await world.client.machines()).filter(({ phase }) => phase !== 'gone')).toHaveLength(1);
  } finally {
    await next.stop('the test ends');
  }
});
