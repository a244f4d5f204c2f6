// What machines cost, end to end: prices from EC2 and from the user's own table, a job's cost by its labels, a bound on growth.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CostReply } from '../../../src/contract/api.ts';
import { type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';
import { codesOf } from '../../support/looks.ts';

// A type that no table of hostler's holds.
const own =
  '[hostler]\nrunner_config = "{runner}"\nmax_cost_per_hour = 0.25\n[[pools]]\nname = "test-runner"\ninstance_types = ["m5zn.large"]\n';

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld({ own });
});
afterAll(() => world.close());

describe('max_cost_per_hour', () => {
  test('holds all growth, with its reason, while a price is not known', async () => {
    const door = world.startDockerMachine('create', '--driver', 'amazonec2', machineName());
    await world.until(
      'the reason',
      async () =>
        (await world.client.plan()).pools.some(({ lines }) =>
          lines.some((line) => line.startsWith('max-cost')),
        ),
      30_000,
    );
    expect(world.alive()).toEqual([]);
    door.child.kill('SIGKILL');
    await door.done;
  });

  test('lets as many grow as it pays for', async () => {
    const prices = join(world.folder, 'prices.toml');
    writeFileSync(
      prices,
      'source = "our contract"\ndate = 2026-11-01\n[prices.eu-central-1]\n"m5zn.large" = 0.1\n',
    );
    world.writeConfig({ own: own.replace('max_cost', `prices = "${prices}"\nmax_cost`) });
    await world.client.reload();
    const names = [machineName(), machineName(), machineName()];
    const doors = names.map((name) => world.startDockerMachine('create', '--driver', 'amazonec2', name));
    await world.until(
      'two leases',
      async () => (await world.client.leases()).filter(({ state }) => state === 'held').length === 2,
      90_000,
    );
    await world.until(
      'the reason',
      async () =>
        (await world.client.plan()).pools.some(({ lines }) =>
          lines.some((line) => line.startsWith('max-cost')),
        ),
      30_000,
    );
    expect(world.alive()).toHaveLength(2);
    for (const { child } of doors) child.kill('SIGKILL');
    await Promise.all(doors.map(({ done }) => done));
  });
});

describe('hostler cost', () => {
  test('names the job by its labels, in a table, JSON and CSV', async () => {
    const lease = (await world.client.leases()).find(({ state }) => state === 'held');
    await startJob(world, lease?.name ?? '', '4711');
    const reply = await world.until(
      'the job in the ledger',
      async () => {
        const { stdout } = await world.hostler('cost', '--by', 'job', '--json');
        const cost = JSON.parse(stdout) as CostReply;
        return cost.rows.some(({ key }) => key === '4711') && cost;
      },
      60_000,
    );
    expect(reply.total).toMatchObject({ unpriced_hours: 0, saved_usd: 0 });
    expect(reply.total.usd).toBeGreaterThan(0);
    expect((await world.hostler('cost', '--by', 'pool')).stdout).toMatch(/POOL +USD +ON-DEMAND/);
    expect((await world.hostler('cost', '--csv')).stdout).toMatch(/^key,url,usd,/);
    expect(await world.hostler('cost', '--by', 'colour')).toMatchObject({ code: 64 });
    const text = await (await fetch(`${world.metricsUrl}/metrics`)).text();
    expect(text).toMatch(/\nhostler_cost_running_usd_per_hour\{[^}]*\} 0\.2\n/);
    expect(await codesOf(world)).not.toContain('internal');
  });
});
