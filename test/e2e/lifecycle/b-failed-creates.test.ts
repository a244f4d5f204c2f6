// Row B: `create` exits 1. The runner tries nine times under new names, 3 in each of 3 preparations, removes what left a
// config.json, and forgets every other name without a call.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processesNaming } from './door-processes.ts';
import { openStage, orders, type PlayedRunner, type Stage } from './stage.ts';

const noCapacity = { code: 'InsufficientInstanceCapacity', action: 'RunInstances' } as const;

let stage: Stage;
beforeAll(async () => {
  const waits = (name: string, seconds: number) =>
    `[[pools]]\nname = "${name}"\ncreate_wait = "${seconds}s"\n`;
  stage = await openStage({
    sections: { closed: {}, dry: {}, spell: {}, broken: {}, killed: {}, single: { limit: 1 } },
    own: `[hostler]\nrunner_config = "{runner}"\n${waits('dry', 4)}`,
  });
});
afterAll(() => stage.close());

/** Names of the creates, in the order of their ends. */
const created = (runner: PlayedRunner) =>
  runner.calls.filter(({ args }) => args[0] === 'create').map(({ args }) => args.at(-1) ?? '');

/** What stands in the store of that section, half-made folders included. */
const traces = (section: string) =>
  readdirSync(join(stage.world.store, 'machines')).filter((name) => name.includes(`-${section}`));

const setCapacity = (isThere: boolean) =>
  stage.world.emulator.world.faults.set({ ...noCapacity, rate: isThere ? 0 : 1 });

describe('B: creates that fail', () => {
  test('a closed pool refuses all nine at once, says why on stderr, and launches nothing', async () => {
    const { world } = stage;
    await world.client.drain('closed');
    const runner = stage.runner('closed');
    runner.queue(orders([1]));
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'failed', machine: null });
    expect(runner.job('1').failure).toContain('is being drained; hostler resume closed opens it again');
    expect(new Set(created(runner)).size).toBe(9);
    expect(runner.calls).toHaveLength(9);
    expect(await stage.leases('closed')).toEqual([]);
    expect(traces('closed')).toEqual([]);
    expect(stage.alive('closed')).toEqual([]);
  });

  test('a create that fails after all leaves a folder that can be removed, and its host serves the next one', async () => {
    const { world } = stage;
    stage.bent('broken').bend('create', 'breaks');
    const runner = stage.runner('broken');
    runner.queue(orders([1]));
    await runner.settled();
    const [failed] = created(runner);
    expect(runner.job('1')).toMatchObject({ state: 'done' });
    await world.until('its removal', () => runner.verbsOf(failed).length === 4);
    expect(runner.verbsOf(failed)).toEqual(['create', 'inspect', 'stop', 'rm -y']);
    await stage.see('no lease', async () => (await stage.leases('broken')).length === 0);
    await stage.see('no host', () => stage.alive('broken').length === 0);
    await stage.see(
      'the hosts to end',
      () => stage.alive('broken').every(({ state }) => state !== 'running') || true,
    );
    expect(traces('broken')).toEqual([]);
  });

  test('a create killed while it waits leaves no folder, and the host that came for it goes to the next one', async () => {
    const { world } = stage;
    const runner = stage.runner('killed');
    runner.queue(orders([1]));
    const [waiting] = await world.until('the lease', async () => {
      const leases = await stage.leases('killed');
      return leases.length === 1 && leases;
    });
    const pids = await world.until('its process', () => processesNaming(waiting?.name ?? ''));
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'done' });
    expect(runner.verbsOf(waiting?.name)).toEqual(['create']);
    const instances = world.emulator.world
      .instances()
      .filter(({ tags }) => tags.get('hostler:pool') === 'killed');
    expect(instances).toHaveLength(1);
    expect(traces('killed').filter((name) => name.includes(waiting?.name ?? ''))).toEqual([]);
  });

  test('a retry beyond limit waits for the removal that failed, and no host beyond limit comes', async () => {
    const { world } = stage;
    stage.bent('single').bend('create', 'breaks');
    stage.bent('single').bend('rm', 'fails');
    const runner = stage.runner('single');
    runner.queue(orders([1]));
    await world.until(
      'the retry beside the machine that stands',
      async () => (await stage.leases('single')).length === 2,
    );
    const [failed] = created(runner);
    expect(stage.alive('single')).toHaveLength(1);
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'done' });
    expect(runner.verbsOf(failed)).toEqual([
      'create',
      'inspect',
      'stop',
      'rm -y',
      'inspect',
      'stop',
      'rm -y',
    ]);
    const ever = world.emulator.world.instances().filter(({ tags }) => tags.get('hostler:pool') === 'single');
    expect(ever).toHaveLength(1);
  });

  test('a job whose first create failed gets the host that comes for its second, in its old place', async () => {
    const { world, see } = stage;
    setCapacity(false);
    const runner = stage.runner('spell');
    runner.queue(orders([1]));
    await see('the refusal of EC2', async () =>
      (await world.client.events({ pool: 'spell' })).some(({ code }) => code === 'launch-failed'),
    );
    await world.pass(11 * 60_000);
    await world.until('a failure', () => runner.count('create') === 1);
    const [second] = await world.until('the second create', async () => {
      const leases = await stage.leases('spell');
      return leases.length === 1 && leases;
    });
    const [failed = ''] = created(runner);
    expect(second?.name).not.toBe(failed);
    const [gaveUp] = (await world.client.events({ lease: failed })).filter(
      ({ code }) => code === 'lease-timeout',
    );
    expect(Date.parse(second?.since ?? '')).toBeLessThan(Date.parse(gaveUp?.at ?? ''));
    setCapacity(true);
    await world.pass(60_000);
    await see('the job', () => runner.job('1').doneAt !== null);
    expect(runner.job('1')).toMatchObject({ state: 'done' });
    expect(runner.count('create')).toBe(2);
  });

  test('without capacity each of the nine waits its create_wait and ends with EC2’s reason, and nothing stays', async () => {
    const { world, see } = stage;
    setCapacity(false);
    const runner = stage.runner('dry');
    runner.queue(orders([1]));
    await see('the job to fail', () => runner.job('1').doneAt !== null);
    setCapacity(true);
    expect(runner.job('1').failure).toMatch(
      /no machine within create_wait \(4 s\).*InsufficientInstanceCapacity/,
    );
    expect(created(runner)).toHaveLength(9);
    expect(runner.calls).toHaveLength(9);
    expect(await stage.leases('dry')).toEqual([]);
    expect(traces('dry')).toEqual([]);
    const places = (await world.client.events({ pool: 'dry', limit: 1_000 })).filter(
      ({ code }) => code === 'lease-timeout',
    );
    expect(places).toHaveLength(9);
  });
});
