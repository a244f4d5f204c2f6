// What monitoring sees over TCP: figures that follow the pool, health and readiness, and no way to change anything there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folders, type LiveWorld, machineName, startJob, startWorld } from '../../support/live-world.ts';

let world: LiveWorld;
beforeAll(async () => {
  world = await startWorld({
    own: '[hostler]\nrunner_config = "{runner}"\ncompat_metrics = true\n[[pools]]\nname = "test-runner"\nidle_count = 1\n',
  });
  const name = machineName();
  await world.create(name);
  await startJob(world, name, '9001');
});
afterAll(() => world.close());

const get = (path: string, init?: RequestInit) => fetch(`${world.metricsUrl}${path}`, init);

/** Value of a series, labels in any order. */
function value(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | null {
  const line = text
    .split('\n')
    .find(
      (one) =>
        new RegExp(`^${name}[{ ]`).test(one) &&
        Object.entries(labels).every(([label, wanted]) => one.includes(`${label}="${wanted}"`)),
    );
  return line === undefined ? null : Number(line.split(' ').at(-1));
}

describe('/metrics', () => {
  test('follows the pool: busy, ready, launched, waited, EC2 calls', async () => {
    const pool = { pool: 'test-runner' };
    const text = await world.until('the figures', async () => {
      const page = await (await get('/metrics')).text();
      const busy = value(page, 'hostler_pool_busy_machines', pool);
      return busy === 1 && value(page, 'hostler_pool_ready_machines', pool) === 1 && page;
    });
    expect(value(text, 'hostler_pool_machines', { ...pool, phase: 'leased' })).toBe(1);
    expect(value(text, 'hostler_pool_wanted_machines', pool)).toBe(2);
    expect(value(text, 'hostler_pool_limit_machines', pool)).toBe(50);
    expect(value(text, 'hostler_launch_instances_total', { ...pool, market: 'on-demand' })).toBe(2);
    expect(value(text, 'hostler_job_wait_seconds_count', pool)).toBe(1);
    expect(value(text, 'hostler_machine_boot_seconds_count', pool)).toBe(2);
    expect(value(text, 'hostler_ec2_calls_total', { action: 'RunInstances' })).toBe(
      world.ec2Calls()['RunInstances'],
    );
    expect(value(text, 'hostler_config_accepted_state')).toBe(1);
  });

  test('carries the series of the runner’s old dashboards when asked for', async () => {
    const text = await (await get('/metrics')).text();
    const states = (state: string) => value(text, 'gitlab_runner_autoscaling_machine_states', { state });
    expect([states('used'), states('idle'), states('creating'), states('removing')]).toEqual([1, 1, 0, 0]);
    expect(value(text, 'gitlab_runner_autoscaling_actions_total', { action: 'created' })).toBe(2);
    expect(value(text, 'gitlab_runner_autoscaling_machine_creation_duration_seconds_count')).toBe(2);
  });

  test('names no machine, instance, lease or job', async () => {
    const text = await (await get('/metrics')).text();
    const ids = (await world.client.machines()).flatMap(({ id, instance }) => [id, instance ?? id]);
    const named = [...ids, ...folders(world), '9001'];
    expect(named.filter((id) => text.includes(`"${id}"`))).toEqual([]);
  });
});

describe('health', () => {
  test('/healthz and /readyz say ok with their reasons', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const answer = await get(path);
      expect(answer.status).toBe(200);
      expect((await answer.text()).split('\n')[0]).toBe('ok');
    }
  });

  test('nothing can be changed there', async () => {
    const answers = await Promise.all([
      get('/metrics', { method: 'POST', body: '{}' }),
      get('/v1/reload', { method: 'POST' }),
      get('/v1/machines'),
      get('/v1/cleanup', { method: 'DELETE' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([405, 405, 404, 405]);
    for (const answer of answers) expect((await answer.text()).trim().split('\n')).toHaveLength(1);
    expect(world.alive()).toHaveLength(2);
  });
});
