// A week of a runner that works on demand at night and holds hosts by day, on a clock that is moved: what stands when,
// and why. The emulated cloud lives in real time meanwhile.
// Trap: certificates must be valid now, so the week lies in the past and machines may live for a month.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { type LiveWorld, machineName, machineOptions, startWorld } from '../../support/live-world.ts';
import { awaitHeld, awaitNoInstance, awaitReady, codesOf, settleAt } from '../../support/looks.ts';
import { createMovedClock, type MovedClock } from '../../support/moved-clock.ts';

const DAY_MS = 24 * HOUR_MS;
/** Japan has one zone and no clock changes. */
const TOKYO_AHEAD_MS = 9 * HOUR_MS;

/** Midnight in Tokyo of the last Tuesday whose Saturday noon is over. */
function lastTuesday(): number {
  let midnight = Math.floor((Date.now() - 5 * DAY_MS) / DAY_MS) * DAY_MS - TOKYO_AHEAD_MS;
  while (new Date(midnight + TOKYO_AHEAD_MS).getUTCDay() !== 2) midnight -= DAY_MS;
  return midnight;
}

const tuesday = lastTuesday();
/** A time of that week: days after Tuesday, then the time of day in Tokyo. */
const at = (days: number, hours: number, minutes = 0, seconds = 0) =>
  tuesday + days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS;

const runnerFile = (cloud: { endpoint: string; sshPort: number }) => `concurrent = 20
[[runners]]
  name = "night-and-day"
  url = "https://gitlab.example.com"
  token = "glrt-testtoken0000000000"
  executor = "docker+machine"
  limit = 20
  [runners.machine]
    IdleCount = 0
    IdleTime = 1800
    MaxBuilds = 100
    MachineDriver = "amazonec2"
    MachineName = "box-%s"
    MachineOptions = [${machineOptions(cloud)
      .map((option) => `"${option}"`)
      .join(', ')}]
    [[runners.machine.autoscaling]]
      Periods = ["* * 9-17 * * mon-fri *"]
      IdleCount = 4
      IdleCountMin = 3
      IdleScaleFactor = 0.5
      IdleTime = 3600
      Timezone = "Asia/Tokyo"
    [[runners.machine.autoscaling]]
      Periods = ["* * * * * sat,sun *"]
      IdleCount = 0
      IdleTime = 600
      Timezone = "Asia/Tokyo"
`;

let world: LiveWorld;
let clock: MovedClock;
const goTo = (moment: number) => settleAt(world, clock, moment);
/** What the daemon does at its own pace after that moment. */
async function from<T>(moment: number, work: () => Promise<T>): Promise<T> {
  clock.passTo(moment);
  return clock.hurry(work);
}
async function lease(): Promise<string> {
  const name = machineName();
  expect(await world.create(name)).toMatchObject({ code: 0 });
  return name;
}
const pool = async () => (await world.client.pools())[0];

beforeAll(async () => {
  clock = createMovedClock(at(0, 8, 55));
  world = await startWorld({
    clock,
    emulator: { bootMs: 1_200 },
    text: runnerFile,
    own: '[hostler]\nrunner_config = "{runner}"\n[[pools]]\nname = "night-and-day"\nmax_machine_life = "720h"\n',
  });
});
afterAll(() => world.close());

describe('Tuesday', () => {
  test('before the day begins nothing stands idle', async () => {
    await goTo(at(0, 8, 58));
    expect(world.alive()).toEqual([]);
    expect(await pool()).toMatchObject({ period: 'base', idle_count: 0, timezone: 'Asia/Tokyo' });
    expect((await pool())?.next_change).toBe(new Date(at(0, 9)).toISOString());
  });

  test('the hosts of the day are launched one boot ahead and stand ready before 09:00', async () => {
    await from(at(0, 8, 58, 31), () => world.until('launches', () => world.alive().length === 3));
    const ready = await awaitReady(world, 3);
    expect(clock.now()).toBeLessThan(at(0, 9));
    expect(ready.every(({ created }) => Date.parse(created) < at(0, 8, 59, 30))).toBe(true);
    expect(await codesOf(world)).toContain('idle-ahead');
  });

  test('by day what the runner holds without a job counts as idle: nothing comes on top', async () => {
    await goTo(at(0, 9, 5));
    expect(await pool()).toMatchObject({ period: '* * 9-17 * * mon-fri *', idle_count: 4 });
    await Promise.all([lease(), lease(), lease()]);
    await goTo(clock.now());
    expect(world.alive()).toHaveLength(3);
    expect(await pool()).toMatchObject({ size: { held: 3, busy: 0, wantIdle: 3, wanted: 3, ready: 0 } });
  });

  test('in the evening idle hosts stay for IdleTime and then go', async () => {
    for (const { name } of await awaitHeld(world, 3)) await world.rm(name);
    await clock.hurry(() => awaitReady(world, 3));
    await goTo(at(0, 17, 50));
    expect(world.alive()).toHaveLength(3);
    await from(at(0, 18, 1), () => awaitNoInstance(world));
    expect(await codesOf(world)).toContain('idle-time');
  });

  test('at night a create brings a host, which stays for IdleTime after its job', async () => {
    await goTo(at(0, 22));
    const name = await lease();
    await world.dockerMachine('url', name);
    clock.passTo(at(0, 23));
    await world.rm(name);
    await clock.hurry(() => awaitReady(world, 1));
    await goTo(at(0, 23, 29));
    expect(world.alive()).toHaveLength(1);
    await from(at(0, 23, 31), () => awaitNoInstance(world));
  });
});

describe('Wednesday', () => {
  test('a host whose IdleTime is over at 08:59 stays for the day that begins', async () => {
    clock.passTo(at(1, 8, 28, 50));
    const name = await lease();
    await world.rm(name);
    const [kept] = await clock.hurry(() => awaitReady(world, 1));
    await goTo(at(1, 8, 55));
    // The first boot was measured with more than a second: the look at 08:59:59 sees the day begin.
    const ready = await from(at(1, 8, 59, 59), () => awaitReady(world, 3));
    expect(ready.map(({ id }) => id)).toContain(kept?.id);
  });
});

describe('Saturday', () => {
  test('the last section that holds wins: none is wanted, IdleTime is the section’s', async () => {
    await from(at(4, 10), () => awaitNoInstance(world));
    expect(await pool()).toMatchObject({ period: '* * * * * sat,sun *', idle_count: 0 });
    await goTo(at(4, 11));
    const name = await lease();
    await world.rm(name);
    await clock.hurry(() => awaitReady(world, 1));
    const since = clock.now();
    await goTo(since + 8 * MINUTE_MS);
    expect(world.alive()).toHaveLength(1);
    await from(since + 11 * MINUTE_MS, () => awaitNoInstance(world));
  });
});
