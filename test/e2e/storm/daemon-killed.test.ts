// The daemon is killed again and again, at moments that a seed chose, while jobs come and go: every job gets a host of its
// own and keeps it to its end, no call of the runner fails, and in the end nothing is left.
// HOSTLER_STORM=full plays twenty kills under two hundred jobs of one to five seconds; HOSTLER_STORM_SEED chooses others.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createSeeded } from '../../../src/sim/seeded.ts';
import { startWorld } from '../../support/live-world.ts';
import { proveNothingLeaks, startStorm } from '../../support/storm-jobs.ts';

const isFull = process.env['HOSTLER_STORM'] === 'full';
const seed = Number(process.env['HOSTLER_STORM_SEED'] ?? 7);
const size = isFull
  ? { kills: 20, jobs: 200, hosts: 30, shortestMs: 1_000, longestMs: 5_000 }
  : { kills: 6, jobs: 60, hosts: 10, shortestMs: 200, longestMs: 1_000 };
/** Milliseconds of a daemon's life at most, from ready to its end. */
const LIFE_MS = 1_200;

test(`a daemon killed ${size.kills} times under ${size.jobs} jobs fails none, doubles none and leaks nothing`, {
  timeout: isFull ? 600_000 : 300_000,
}, async () => {
  const random = createSeeded(seed);
  const between = (least: number, most: number) => least + Math.round(random.float() * (most - least));
  const world = await startWorld({
    runner: `limit = ${size.hosts}`,
    machine: 'IdleCount = 0\n    IdleTime = 600\n    MaxBuilds = 3',
  });
  const storm = startStorm(world, size.hosts);
  const begun = performance.now();
  try {
    // A part of the jobs for each life of the daemon, so that none is killed in peace.
    const waves = size.kills + 1;
    for (let wave = 0; wave < waves; wave++) {
      const count = Math.floor(((wave + 1) * size.jobs) / waves) - Math.floor((wave * size.jobs) / waves);
      storm.queue(Array.from({ length: count }, () => between(size.shortestMs, size.longestMs)));
      if (wave === size.kills) break;
      await sleep(between(0, LIFE_MS));
      await world.stop('SIGKILL');
      // Sometimes it stays away for a while.
      await sleep(between(0, wave % 3 === 0 ? LIFE_MS : 0));
      await world.start();
    }
    await storm.runner.settled();
    const seconds = Math.round((performance.now() - begun) / 1_000);
    await storm.runner.stop({ drain: true });
    expect(storm.troubles()).toEqual([]);
    expect(storm.ended()).toBe(size.jobs);
    const launched = world.emulator.world.instances().length;
    console.log(`seed ${seed}: ${size.jobs} jobs, ${size.kills} kills, ${launched} hosts, ${seconds} s`);
    expect(launched).toBeLessThanOrEqual(size.jobs);
    expect(world.alive().length).toBeLessThanOrEqual(size.hosts);
    await proveNothingLeaks(world);
  } finally {
    storm.runner.kill();
    await world.close();
  }
});
