// Row D: the runner is stopped while a `create` blocks, by TERM, QUIT or KILL, to itself or to its whole group. It never
// signals a create; what it leaves behind are orphans and folders that no `rm` comes for.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RunnerProcess, startRunnerProcess } from '../../support/stand-in-process.ts';
import { processesNaming } from './door-processes.ts';
import { createHeldBoots } from './held-boots.ts';
import { openStage, orders, type SectionText, type Stage } from './stage.ts';

/** shutdown_timeout: shorter and longer than a boot. */
const IMPATIENT_MS = 200;
const PATIENT_MS = 20_000;

const sections = {
  termshort: {},
  termlong: {},
  termtwice: {},
  killed: {},
  quit: {},
  idle: {},
  groupquit: {},
  groupterm: {},
  groupkill: {},
} satisfies Record<string, SectionText>;

const boots = createHeldBoots();
let stage: Stage;
let runner: RunnerProcess;
beforeAll(async () => {
  stage = await openStage({ sections, emulator: { startHost: boots.startHost } });
});
afterEach(() => {
  boots.letGo();
  return runner.close();
});
afterAll(() => stage.close());

/** Its hosts boot only when the test lets them. */
function play(section: string, shutdownMs = PATIENT_MS): RunnerProcess {
  boots.hold();
  const options = stage.optionsFor(section, section === 'idle' ? { policy: { idleCount: 1 } } : {});
  runner = startRunnerProcess(stage.world.folder, { ...options, pace: { ...options.pace, shutdownMs } });
  return runner;
}

/** Queues a job and resolves with the name of its create, once that waits at the daemon and EC2 was asked. */
async function whileCreateWaits(section: string): Promise<string> {
  runner.queue(orders([1]));
  return waitingCreate(section);
}

async function waitingCreate(section: string): Promise<string> {
  const [lease] = await stage.world.until('a waiting create', async () => {
    const leases = await stage.leases(section);
    return leases.length === 1 && leases[0]?.state === 'waiting' && stage.alive(section).length > 0 && leases;
  });
  return lease?.name ?? '';
}

/** What stands in the store of that section, half-made folders included. */
const traces = (section: string) =>
  readdirSync(join(stage.world.store, 'machines')).filter((name) => name.includes(`-${section}`));

/** The door is gone, and nothing of its create stays but a host that serves the next one. */
async function nothingStays(section: string, name: string): Promise<void> {
  const { world } = stage;
  await world.until('the door to leave', () => processesNaming(name) === null);
  await world.until('its place to be given back', async () => (await stage.leases(section)).length === 0);
  expect(traces(section)).toEqual([]);
  boots.letGo();
  const [host] = stage.alive(section);
  const next = stage.runner(section);
  if (next.counts().total === 0) next.queue(orders([2]));
  await next.settled();
  expect(next.job('2')).toMatchObject({ state: 'done' });
  const ever = world.emulator.world.instances().filter(({ tags }) => tags.get('hostler:pool') === section);
  expect(ever.map(({ id }) => id)).toEqual([host?.id]);
  next.kill();
}

describe('D: a runner that is stopped while a create waits', () => {
  test('by TERM, with time enough: the create is served, and the host stays with its folder for the next runner', async () => {
    const { world } = stage;
    play('termshort');
    const name = await whileCreateWaits('termshort');
    runner.signal('SIGTERM');
    boots.letGo();
    expect(await runner.ended).toBe(0);
    expect(runner.job('1')).toMatchObject({
      state: 'failed',
      failure: 'aborted: terminated',
      startedAt: null,
    });
    expect(runner.calls.some(({ args }) => args[0] === 'rm')).toBe(false);
    expect(stage.folders('termshort')).toEqual([name]);
    expect(await world.dockerMachine('config', name)).toMatchObject({ code: 0 });
    expect((await stage.leases('termshort')).map((lease) => lease.name)).toEqual([name]);
    const next = stage.runner('termshort');
    await world.until('its removal by the next runner', () => next.verbsOf(name).length === 3);
    expect(next.verbsOf(name)).toEqual(['inspect', 'stop', 'rm -y']);
    await stage.see('the lease to end', async () => (await stage.leases('termshort')).length === 0);
    next.kill();
  });

  test('by TERM, with a create that takes longer: the orphan leaves and gives its place back', async () => {
    play('termlong', IMPATIENT_MS);
    const name = await whileCreateWaits('termlong');
    runner.signal('SIGTERM');
    expect(await runner.ended).toBe(1);
    expect(runner.job('1')).toMatchObject({ state: 'waiting' });
    await nothingStays('termlong', name);
  });

  test('by two TERMs: it exits at once, and so does the orphan', async () => {
    play('termtwice');
    const name = await whileCreateWaits('termtwice');
    runner.signal('SIGTERM');
    runner.signal('SIGTERM');
    runner.signal('SIGTERM');
    await stage.world.until('a second one to be heard', () => {
      if (runner.isAlive()) runner.signal('SIGTERM');
      return !runner.isAlive();
    });
    expect(await runner.ended).toBe(1);
    await nothingStays('termtwice', name);
  });

  test('by KILL: the orphan leaves and gives its place back', async () => {
    play('killed');
    const name = await whileCreateWaits('killed');
    runner.signal('SIGKILL');
    expect(await runner.ended).toBe('SIGKILL');
    await nothingStays('killed', name);
  });

  test('by QUIT: its job runs to success, and the folder that no rm came for keeps its host', async () => {
    const { world } = stage;
    play('quit');
    const name = await whileCreateWaits('quit');
    runner.signal('SIGQUIT');
    boots.letGo();
    expect(await runner.ended).toBe(0);
    expect(runner.job('1')).toMatchObject({ state: 'done', machine: name });
    expect(runner.calls.some(({ args }) => args[0] === 'rm')).toBe(false);
    await world.pass(60_000);
    expect(stage.folders('quit')).toEqual([name]);
    expect(stage.alive('quit')).toHaveLength(1);
    const next = stage.runner('quit');
    await world.until('its removal by the next runner', () => next.verbsOf(name).includes('rm -y'));
    await stage.see('the host to end', () => stage.alive('quit').length === 0);
    next.kill();
  });

  test('by QUIT without a job, while an idle machine is created: it exits at once and its orphan leaves nothing', async () => {
    play('idle');
    const name = await waitingCreate('idle');
    runner.signal('SIGQUIT');
    expect(await runner.ended).toBe(0);
    await stage.world.until('the door to leave', () => processesNaming(name) === null);
    await stage.world.until(
      'its place to be given back',
      async () => (await stage.leases('idle')).length === 0,
    );
    expect(traces('idle')).toEqual([]);
  });

  test('by QUIT to its whole group: the create does not mind and the job runs to success with that one create', async () => {
    play('groupquit');
    const name = await whileCreateWaits('groupquit');
    runner.signalGroup('SIGQUIT');
    boots.letGo();
    expect(await runner.ended).toBe(0);
    expect(runner.job('1')).toMatchObject({ state: 'done', machine: name });
    expect(runner.calls.filter(({ args }) => args[0] === 'create')).toMatchObject([{ code: 0 }]);
  });

  test('by TERM to its whole group: the create does not mind and ends before the runner does', async () => {
    play('groupterm');
    const name = await whileCreateWaits('groupterm');
    runner.signalGroup('SIGTERM');
    boots.letGo();
    expect(await runner.ended).toBe(0);
    expect(runner.calls.filter(({ args }) => args[0] === 'create')).toMatchObject([{ code: 0 }]);
    expect(runner.job('1')).toMatchObject({ state: 'failed', failure: 'aborted: terminated' });
    expect(stage.folders('groupterm')).toEqual([name]);
  });

  test('by KILL to its whole group: the create dies without a word and leaves no half-made folder, lease or host', async () => {
    play('groupkill');
    const name = await whileCreateWaits('groupkill');
    runner.signalGroup('SIGKILL');
    expect(await runner.ended).toBe('SIGKILL');
    await nothingStays('groupkill', name);
  });
});
