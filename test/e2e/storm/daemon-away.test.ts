// The daemon is away for longer than anything it left is good for, with twenty jobs running and twenty creates under way:
// no job fails, doors judge hosts for themselves, what was given back meanwhile is taken up, nothing is left.
// HOSTLER_STORM_SECONDS=60 leaves it away for that long, and once stands still in place of dying; else the daemon's notes are
// made old by hand, so that seconds do.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { folders, type LiveWorld, startWorld } from '../../support/live-world.ts';
import { proveNothingLeaks, type Storm, startStorm } from '../../support/storm-jobs.ts';

/** Seconds; a wait of no length would not see doors look for the daemon more than once. */
const AWAY_S = Number(process.env['HOSTLER_STORM_SECONDS'] ?? 3);
const JOBS = 20;

let world: LiveWorld;
let storm: Storm;

beforeEach(async () => {
  world = await startWorld({
    emulator: { bootMs: 3_000 },
    runner: `limit = ${2 * JOBS}`,
    machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 10',
  });
  storm = startStorm(world, 2 * JOBS);
}, 120_000);
afterEach(async () => {
  storm.runner.kill();
  await world.close();
});

/** As if all that the daemon noted on hosts had been said long ago. */
function ageNotes(): void {
  for (const name of folders(world)) {
    const note = join(world.store, 'machines', name, 'hostler-health');
    writeFileSync(note, readFileSync(note, 'utf8').replace(/^ok \d+/, 'ok 1000000000'));
  }
}

const released = () => readdirSync(join(world.store, 'machines', '.hostler', 'released'));

/** A create hangs up on a daemon that is silent for 45 s; a shorter stand-still shows nothing. */
const ways = AWAY_S > 50 ? (['killed', 'frozen'] as const) : (['killed'] as const);

/** Takes the daemon away; gives the way to bring it back. */
async function takeAway(way: (typeof ways)[number]): Promise<() => Promise<void>> {
  if (way === 'killed') {
    await world.stop('SIGKILL');
    return world.start;
  }
  const { pid } = await world.client.status();
  process.kill(pid, 'SIGSTOP');
  return () => Promise.resolve(void process.kill(pid, 'SIGCONT'));
}

test.each(ways)(
  `a daemon that is %s for ${AWAY_S} s under ${JOBS} running and ${JOBS} starting jobs fails none`,
  { timeout: 300_000 + 2 * AWAY_S * 1_000 },
  async (way) => {
    const { client, until } = world;
    const [early, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    storm.queue(Array<number>(JOBS / 2).fill(0), early.promise);
    storm.queue(Array<number>(JOBS / 2).fill(0), late.promise);
    await until(`${JOBS} jobs to run`, () => storm.running() === JOBS, 120_000);
    storm.queue(Array<number>(JOBS).fill(500));
    await until(
      `${JOBS} creates to wait`,
      async () => (await client.leases()).filter(({ place }) => place !== null).length === JOBS,
      60_000,
    );
    const bringBack = await takeAway(way);
    ageNotes();
    const idle = folders(world)[0] ?? '';
    // What the runner asks of a host whose note is old: the door looks at it by itself.
    for (const verb of ['config', 'url', 'inspect', 'stop'])
      expect(await world.dockerMachine(verb, idle), verb).toMatchObject({ code: 0 });
    early.resolve();
    await sleep(AWAY_S * 1_000);
    await until(`${JOBS / 2} releases that wait`, () => released().length === JOBS / 2, 120_000);
    expect(storm.running()).toBe(JOBS / 2);
    expect(storm.ended()).toBe(JOBS / 2);
    const begun = performance.now();
    await bringBack();
    await until('every release to be taken', () => released().length === 0, 60_000);
    console.log(
      `${way} for ${AWAY_S} s: ${JOBS / 2} releases taken ${Math.round(performance.now() - begun)} ms after the start`,
    );
    late.resolve();
    await storm.runner.settled();
    await storm.runner.stop({ drain: true });
    expect(storm.troubles()).toEqual([]);
    expect(storm.ended()).toBe(2 * JOBS);
    expect(world.emulator.world.instances().length).toBeLessThanOrEqual(2 * JOBS);
    await proveNothingLeaks(world);
  },
);
