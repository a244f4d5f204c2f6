// The memory on disk is lost, the keys are not: hosts are taken back by their tags and go on serving, and their age is
// not taken for the time that a boot takes.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MINUTE_MS } from '../../../src/domain/units.ts';
import { type LiveWorld, machineName, startWorld } from '../../support/live-world.ts';
import { awaitReady, codesOf, settleAt } from '../../support/looks.ts';
import { createMovedClock, type MovedClock } from '../../support/moved-clock.ts';

/** A section that wants two idle machines from that minute on. */
function sectionFrom(moment: number): string {
  const at = new Date(moment);
  return `    [[runners.machine.autoscaling]]
      Periods = ["* ${at.getUTCMinutes()}-59 ${at.getUTCHours()} * * * *"]
      IdleCount = 2
      IdleTime = 7200
      Timezone = "UTC"
`;
}

let world: LiveWorld;
let clock: MovedClock;
let begins = 0;
let instance: string | null | undefined;

beforeAll(async () => {
  clock = createMovedClock(Date.now());
  begins = Math.ceil(clock.now() / MINUTE_MS) * MINUTE_MS + 40 * MINUTE_MS;
  world = await startWorld({
    clock,
    machine: 'IdleCount = 0\n    IdleTime = 7200\n    MaxBuilds = 10',
    periods: sectionFrom(begins),
  });
  const name = machineName();
  expect(await world.create(name)).toMatchObject({ code: 0 });
  await world.rm(name);
  const [made] = await awaitReady(world, 1);
  instance = made?.instance;
  await world.stop();
  const state = join(world.folder, 'state');
  for (const file of readdirSync(state)) if (file.startsWith('state.db')) rmSync(join(state, file));
  clock.passTo(begins - 10 * MINUTE_MS);
  await world.start();
});
afterAll(() => world.close());

describe('after the loss of the database', () => {
  test('a host is taken back and serves the next create', async () => {
    const [machine] = await clock.hurry(() => awaitReady(world, 1));
    expect(machine?.instance).toBe(instance);
    expect(await codesOf(world)).toContain('adopted');
    const name = machineName();
    expect(await world.create(name)).toMatchObject({ code: 0 });
    expect(world.ec2Calls()['RunInstances']).toBe(1);
    await world.rm(name);
    await awaitReady(world, 1);
  });

  test('its age is no boot time: nothing is launched for a period that is minutes away', async () => {
    await settleAt(world, clock, clock.now());
    expect((await world.client.pools())[0]?.size).toMatchObject({ wantIdle: 0 });
    expect(world.alive()).toHaveLength(1);
  });
});
