// Row F: `config`, `url` or `inspect -f` say no, or hang. One early "no" to `config` leaves a job waiting for ever, a slow one
// stops all claiming; a "no" about an idle machine is seen late and does not remove it.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HEALTH, MARK } from '../../../src/contract/store-layout.ts';
import { createFaultyHosts } from '../../support/faulty-hosts.ts';
import { processesMarked } from './door-processes.ts';
import {
  gate,
  openStage,
  orders,
  type PlayedRunner,
  type SectionText,
  type Stage,
  tokenOf,
} from './stage.ts';

const sections = {
  dead: { idleCount: 1, maxBuilds: 10 },
  older: { idleCount: 2, maxBuilds: 10 },
  early: { maxBuilds: 10 },
  taken: { maxBuilds: 10 },
  race: { limit: 1 },
  silent: { maxBuilds: 10 },
  always: { maxBuilds: 10 },
  stdout: { maxBuilds: 10 },
} satisfies Record<string, SectionText>;

const hosts = createFaultyHosts();
let stage: Stage;
let figures = '';
const metrics = createHttpServer((_request, reply) => reply.end(figures));
beforeAll(async () => {
  await new Promise<void>((resolve) => metrics.listen(0, '127.0.0.1', resolve));
  const { port } = metrics.address() as AddressInfo;
  stage = await openStage({
    sections,
    emulator: { startHost: hosts.startHost },
    own: `[hostler]\nrunner_config = "{runner}"\nrunner_metrics = "http://127.0.0.1:${port}/metrics"\n`,
  });
});
afterAll(async () => {
  await stage.close();
  metrics.close();
});

async function instanceOf(name: string): Promise<string | null> {
  const lease = (await stage.world.client.leases()).find((one) => one.name === name);
  return (await stage.world.client.machine(lease?.machine ?? name)).machine.instance;
}

/** A machine that a runner got for a job that is over. */
async function usedMachine(section: string): Promise<{ runner: PlayedRunner; name: string }> {
  const runner = stage.runner(section);
  runner.queue(orders([1]));
  await runner.settled();
  const name = runner.job('1').machine ?? '';
  await stage.world.until('it to be idle', () => runner.counts().idle > 0);
  return { runner, name };
}

describe('F: config says no', () => {
  test('for an idle host that died, so that its job makes another; the dead one stays leased until its rm', async () => {
    const { world, see } = stage;
    const runner = stage.runner('dead');
    await world.until('an idle machine', () => runner.counts().idle === 1 && runner.count('config') > 0);
    const [dead = ''] = stage.folders('dead');
    const instance = await instanceOf(dead);
    await hosts.host(instance).afflict('docker-dies');
    await see('the word in its folder', async () =>
      (await world.dockerMachine('config', dead)).stderr.includes('known to be dead'),
    );
    runner.queue(orders([1]));
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'done' });
    expect(runner.job('1').machine).not.toBe(dead);
    const refused = runner.calls.filter(({ args, code }) => args.includes(dead) && code !== 0);
    expect(new Set(refused.map(({ args }) => args[0]))).toEqual(new Set(['config']));
    expect(refused[0]?.complaint).toContain('its Docker API does not answer');
    expect(runner.verbsOf(dead)).not.toContain('rm -y');
    expect((await stage.leases('dead')).map(({ name }) => name)).toContain(dead);
    expect(world.alive().some(({ id }) => id === instance)).toBe(true);
    await world.rm(dead);
    await see('its end', () => !world.alive().some(({ id }) => id === instance));
  });

  test('to nobody about a host that ended and is not the newest: its folder goes by itself, so that it fills no idle slot', async () => {
    const { world, see } = stage;
    const runner = stage.runner('older');
    await world.until('two idle machines', () => runner.counts().idle === 2 && runner.count('config') > 0);
    const [older = ''] = stage.folders('older').toSorted();
    const instance = await instanceOf(older);
    const asked = runner.verbsOf(older);
    world.emulator.world.region('eu-central-1').terminateInstances([instance ?? '']);
    await see(
      'the runner to make another',
      () => runner.counts().idle === 2 && !stage.folders('older').includes(older),
    );
    expect(runner.verbsOf(older)).toEqual(asked);
    await stage.world.until(
      'both leases to be known',
      async () => (await stage.leases('older')).length === 2,
    );
  });

  test('never right after a create: a host that dies just then fails its job, which else would wait for ever', async () => {
    const { world } = stage;
    stage.bent('early').bend('config', 'hangs');
    const runner = stage.runner('early');
    runner.queue(orders([1]));
    await world.until('the first config', () => runner.count('create') === 1);
    const [name = ''] = stage.folders('early');
    await hosts.host(await instanceOf(name)).afflict('docker-dies');
    world.clock.pass(5_000);
    await world.until('hostler to see it', async () =>
      (await stage.machines('early')).some(({ healthy }) => !healthy),
    );
    stage.bent('early').letGo('config');
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'failed', machine: name });
    expect(runner.job('1').failure).toContain('Cannot connect to the Docker daemon');
    expect(runner.calls.filter(({ args: [verb], code }) => verb === 'config' && code !== 0)).toEqual([]);
  });

  test('never right after a create: not even when a person ends the host in that moment', async () => {
    const { world } = stage;
    stage.bent('taken').bend('config', 'hangs');
    const runner = stage.runner('taken');
    runner.queue(orders([1]));
    await world.until('the first config', () => runner.count('create') === 1);
    const [name = ''] = stage.folders('taken');
    const instance = await instanceOf(name);
    await world.client.retire(name, true);
    await world.until('its end', () => !world.alive().some(({ id }) => id === instance));
    stage.bent('taken').letGo('config');
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'failed', machine: name });
    expect(runner.calls.filter(({ args: [verb], code }) => verb === 'config' && code !== 0)).toEqual([]);
    await stage.see('the ghost to go', () => !stage.folders('taken').includes(name));
    runner.queue(orders([2]));
    await runner.settled();
    expect(runner.job('2')).toMatchObject({ state: 'done' });
  });
});

describe('F: the runner’s own race', () => {
  test('is seen on its metrics and reported with the cure, and IdleCount 1 for a moment frees the job', async () => {
    const { world } = stage;
    const runner = stage.runner('race');
    runner.raceNext();
    const second = gate();
    runner.queue([...orders([1]), ...orders([2], second.opened)]);
    await world.until('the thief to be at work', () => runner.job('2').state === 'running');
    second.open();
    await world.until('its end', () => runner.counts().total === 0);
    expect(runner.job('1')).toMatchObject({ state: 'waiting' });
    expect(runner.count('create')).toBe(1);
    figures = `gitlab_runner_jobs{runner="${tokenOf('race').slice(5, 14)}",state="running"} 1\n`;
    const told = await world.until('the report', async () => {
      await world.pass(31_000);
      return (await world.client.events({ pool: 'race' })).find(({ code }) => code === 'runner-race');
    });
    figures = '';
    expect(told.text).toContain('IdleCount 1');
    runner.reload({ policy: { idleCount: 1 } });
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'done' });
    runner.kill();
  });
});

describe('F: answers in time', () => {
  test('a host that takes connections and says nothing costs config two short looks, not an hour', async () => {
    const { world } = stage;
    const { name, runner } = await usedMachine('silent');
    runner.kill();
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => {
      silent.once('listening', resolve);
    });
    const folder = join(world.store, 'machines', name);
    writeFileSync(join(folder, MARK), `tcp://127.0.0.1:${(silent.address() as AddressInfo).port}\nm-1\n`);
    writeFileSync(join(folder, HEALTH), 'ok 1\n');
    const answer = await world.dockerMachine('config', name);
    expect(answer).toMatchObject({ code: 1, stdout: '' });
    expect(answer.stderr).toMatch(/does not answer at .*: no answer within 950 ms/);
    silent.close();
  });

  test('url and inspect -f answer for a host that is dead, with and without a daemon, so that no preparation fails by them', async () => {
    const { world, see } = stage;
    const { name, runner } = await usedMachine('always');
    runner.kill();
    await hosts.host(await instanceOf(name)).afflict('docker-dies');
    const ask = () =>
      Promise.all([
        world.dockerMachine('url', name),
        world.dockerMachine('inspect', name, '-f', '{{.HostOptions.AuthOptions.StorePath}}'),
        world.dockerMachine('inspect', name),
      ]);
    expect((await ask()).map(({ code }) => code)).toEqual([0, 0, 0]);
    await world.stop();
    expect((await ask()).map(({ code }) => code)).toEqual([0, 0, 0]);
    await world.start();
    await see('the lease to stand', async () => (await stage.leases('always')).length === 1);
  });

  test('no call leaves a process behind that holds its stdout', async () => {
    const { world } = stage;
    const { name, runner } = await usedMachine('stdout');
    runner.kill();
    const mark = `HOSTLER_TEST_MARK=${name}`;
    const [bin = ''] = (world.env['PATH'] ?? '').split(':');
    const call = (...args: string[]) =>
      new Promise<string>((resolve) => {
        const env = { ...world.env, HOSTLER_TEST_MARK: name };
        const child = spawn(join(bin, 'docker-machine'), ['--bugsnag-api-token=no-report', ...args], { env });
        child.stdout.resume();
        child.once('exit', (code) => resolve(`${args[0]} ${code}: ${processesMarked(mark).length} left`));
      });
    const seen: string[] = [];
    const other = `${name.slice(0, -1)}x`;
    for (const args of [
      ['create', '--driver', 'amazonec2', other],
      ['config', other],
      ['url', other],
      ['inspect', other, '-f', '{{.HostOptions.AuthOptions.StorePath}}'],
      ['inspect', other],
      ['stop', other],
      ['rm', '-y', other],
    ])
      seen.push(await call(...args));
    expect(seen).toEqual(
      ['create', 'config', 'url', 'inspect', 'inspect', 'stop', 'rm'].map((verb) => `${verb} 0: 0 left`),
    );
  });
});
