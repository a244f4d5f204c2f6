// Row G: the host dies in the job. A refused or reset connection fails the job within seconds; silence is noticed by nobody.
// With MaxBuilds above 1 no call follows: the machine is idle again, and the next job's `config` decides.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFaultyHosts } from '../../support/faulty-hosts.ts';
import { gate, openStage, orders, type PlayedRunner, type SectionText, type Stage } from './stage.ts';

const sections = {
  once: {},
  reused: { maxBuilds: 10 },
  container: { maxBuilds: 10 },
  mute: { maxBuilds: 10 },
} satisfies Record<string, SectionText>;

const hosts = createFaultyHosts();
let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ sections, emulator: { startHost: hosts.startHost } });
});
afterAll(() => stage.close());

/** A runner whose job 1 is at work, seen by hostler. */
async function atWork(section: string) {
  const runner = stage.runner(section);
  const over = gate();
  runner.queue(orders([1], over.opened));
  const [lease] = await stage.see('the job', async () => {
    const leases = await stage.leases(section);
    return leases[0]?.jobs.length === 1 && leases;
  });
  const { machine } = await stage.world.client.machine(lease?.machine ?? '');
  return { runner, over, name: lease?.name ?? '', instance: machine.instance };
}

async function nextJob(runner: PlayedRunner, id: string): Promise<string | null> {
  runner.queue(orders([id]));
  await runner.settled();
  expect(runner.job(id)).toMatchObject({ state: 'done' });
  return runner.job(id).machine;
}

describe('G: a host that dies in a job', () => {
  test('with MaxBuilds 1 is given back by its rm and ended, and the next job gets another', async () => {
    const { runner, name, instance } = await atWork('once');
    await hosts.host(instance).afflict('docker-dies');
    await runner.settled();
    expect(runner.job('1').failure).toContain('Cannot connect to the Docker daemon');
    await stage.see('its end', () => !stage.world.alive().some(({ id }) => id === instance));
    expect(runner.verbsOf(name).slice(-3)).toEqual(['inspect', 'stop', 'rm -y']);
    expect(await nextJob(runner, '2')).not.toBe(name);
  });

  test('with MaxBuilds 10 gets no call: config tells the next job within seconds, which makes another', async () => {
    const { runner, name, instance } = await atWork('reused');
    await hosts.host(instance).afflict('docker-dies');
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'failed' });
    expect(runner.machines().find((machine) => machine.name === name)?.state).toBe('idle');
    expect(runner.verbsOf(name)).not.toContain('rm -y');
    await stage.see(
      'config to say no',
      async () => (await stage.world.dockerMachine('config', name)).code === 1,
    );
    expect(await nextJob(runner, '2')).not.toBe(name);
    expect(stage.world.alive().some(({ id }) => id === instance)).toBe(true);
    await stage.world.rm(name);
    await stage.see('its end', () => !stage.world.alive().some(({ id }) => id === instance));
  });

  test('is not one whose build container was killed: the machine is used again, with one lease for both jobs', async () => {
    const { runner, name, instance } = await atWork('container');
    const { docker } = hosts.host(instance);
    for (const { id } of docker.containers()) docker.end(id, 137);
    await runner.settled();
    expect(runner.job('1').failure).toContain('exit code 137');
    const over = gate();
    runner.queue(orders([2], over.opened));
    await stage.see('the second job', async () => (await stage.leases('container'))[0]?.jobs.length === 2);
    over.open();
    await runner.settled();
    expect(runner.job('2')).toMatchObject({ state: 'done', machine: name });
    expect(runner.count('create')).toBe(1);
  });

  test('and only falls silent is left alone with its lease for as long as the job may run', async () => {
    const { world } = stage;
    const runner = stage.runner('mute');
    const over = gate();
    runner.queue(orders([1], over.opened));
    const [lease] = await stage.see('the job', async () => {
      const leases = await stage.leases('mute');
      return leases[0]?.jobs.length === 1 && leases;
    });
    const { machine } = await world.client.machine(lease?.machine ?? '');
    // The runner keeps its job: packets are dropped, nothing is reset.
    hosts.host(machine.instance).docker.close();
    await hosts.host(machine.instance).afflict('ssh-dies');
    for (let minute = 0; minute < 11; minute++) await world.pass(60_000);
    expect(world.alive().some(({ id }) => id === machine.instance)).toBe(true);
    expect(await stage.leases('mute')).toMatchObject([{ name: lease?.name }]);
    over.open();
    await runner.settled();
    await world.rm(lease?.name ?? '');
  });
});
