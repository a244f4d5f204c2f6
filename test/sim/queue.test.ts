// What the job queue is worth in the simulated world: the same jobs and machines, with a look at GitLab's queue and without.
// Trap: short stories with one burst each; figures of a whole day stand in docs/queue.md.
import { describe, expect, test } from 'vitest';
import { readExample } from '../../src/simulator/report/example-config.ts';
import { type Frame, runPolicy } from '../../src/simulator/report/run-policy.ts';
import { withSettings } from '../../src/simulator/report/settings.ts';
import { makeWorkload } from '../../src/simulator/report/workloads.ts';

const startAt = Date.UTC(2026, 10, 23, 9);
const days = 0.04;
const SEEDS = [1, 2, 3, 4, 5];

async function figures(runner: Frame['runner'], queue: NonNullable<Frame['queue']>, seed = 1) {
  const example = withSettings(await readExample(), {
    IdleCount: '5',
    IdleScaleFactor: '0',
    IdleTime: '60',
    autoscaling: 'none',
  });
  const config = { ...example, pools: example.pools.map(({ queue: _none, ...pool }) => pool) };
  const run = await runPolicy('hostler', config, {
    workload: makeWorkload('burst:60@300,8m,sigma=0', { startAt, days, seed }),
    bootMs: 40_000,
    runner,
    queue,
    flavour: 'gitlab',
    startAt,
    days,
    seed,
    reclaimsPerHour: 0,
    prices: [],
    peerMarket: null,
  });
  return run.figures;
}

describe('the queue in the simulator', () => {
  test('spares a runner that holds idle machines both waits and idle hours', async () => {
    const without = await figures('standing', 'off');
    const withQueue = await figures('standing', 'on');
    expect(withQueue.jobs_unserved).toBe(0);
    expect(withQueue.wait_s.p95).toBeLessThanOrEqual(without.wait_s.p95);
    expect(withQueue.machine_hours.idle).toBeLessThanOrEqual(without.machine_hours.idle);
  });

  test('brings no machine twice for a job that is pending and then claimed on demand', async () => {
    // A launch call takes EC2 a second or three, as it happens: several worlds make up for one's luck.
    let lead = 0;
    for (const seed of SEEDS) {
      const without = await figures('on-demand', 'off', seed);
      const told = await figures('on-demand', 'webhook', seed);
      expect(told.machines).toBeLessThanOrEqual(without.machines);
      lead += (without.wait_s.p95 - told.wait_s.p95) / SEEDS.length;
    }
    expect(lead).toBeGreaterThanOrEqual(-0.5);
  });

  test('asks nobody without a token, as the configuration says', async () => {
    expect(await figures('on-demand', 'config')).toEqual(await figures('on-demand', 'off'));
  });
});
