// EC2 refuses to end an instance (termination protection, a missing right): it is asked again for ever, raises the gauge and
// holds no slot.
import { afterAll, expect, test } from 'vitest';
import { machineName } from '../../support/live-world.ts';
import { type MovedWorld, startMovedWorld } from '../../support/moved-world.ts';

const MINUTE = 60_000;
let world: MovedWorld;
afterAll(() => world.close());

const terminations = () => world.gate.calls().filter(({ action }) => action === 'TerminateInstances').length;

test('a termination that EC2 refuses holds no slot, is told, and works once it may', async () => {
  const fault = { code: 'OperationNotPermitted', action: 'TerminateInstances' } as const;
  world = await startMovedWorld({
    runner: 'limit = 1',
    machine: 'IdleCount = 0\n    IdleTime = 60\n    MaxBuilds = 1',
    emulator: { faults: [{ ...fault, rate: 1 }] },
  });
  const { client, until, pass } = world;
  const first = machineName();
  expect(await world.create(first)).toMatchObject({ code: 0 });
  await world.rm(first);
  await until('the refusal', async () => {
    await pass(MINUTE / 4);
    return (await client.events({ limit: 200 })).some(({ code }) => code === 'terminate-failed');
  });
  const [stuck] = await client.machines();
  expect(stuck).toMatchObject({
    phase: 'terminating',
    failure: expect.stringContaining('OperationNotPermitted'),
  });
  // The limit of one is free for the next job.
  expect(await world.create(machineName())).toMatchObject({ code: 0 });
  expect(world.alive()).toHaveLength(2);
  const before = terminations();
  for (let minute = 0; minute < 30; minute++) await pass(MINUTE);
  expect(terminations() - before).toBeGreaterThanOrEqual(4);
  expect(terminations() - before).toBeLessThanOrEqual(15);
  const text = await (await fetch(`${world.metricsUrl}/metrics`)).text();
  expect(text).toMatch(/\nhostler_terminations_stuck_machines 1\n/);
  world.emulator.world.faults.set({ ...fault, rate: 0 });
  await until('its end', async () => {
    await pass(MINUTE);
    return world.alive().length === 1;
  });
});
