// Row E: a runner starts and finds folders in its store. It takes each for a machine that was used once, whatever is in it;
// names of another token it never looks at.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startRunnerProcess } from '../../support/stand-in-process.ts';
import { processesNaming } from './door-processes.ts';
import { openStage, orders, type PlayedRunner, type SectionText, type Stage } from './stage.ts';

const sections = {
  once: { idleCount: 2, limit: 4 },
  ondemand: {},
  kept: { maxBuilds: 10, idleTime: 40 },
  empty: { maxBuilds: 10 },
  foreign: { maxBuilds: 10 },
  orphan: { maxBuilds: 10 },
  during: {},
} satisfies Record<string, SectionText>;

let stage: Stage;
const killed: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  stage = await openStage({ sections });
});
afterEach(async () => {
  for (const one of killed.splice(0)) await one.close();
});
afterAll(() => stage.close());

/** Two machines of that section that no runner knows any more: it was killed. */
async function leftBehind(section: string): Promise<string[]> {
  const { world } = stage;
  const first = stage.runner(section, { policy: { idleCount: 2, maxBuilds: 10 } });
  await world.until('two idle machines', () => first.counts().idle === 2);
  first.kill();
  return stage.folders(section).toSorted();
}

const heldNames = async (section: string) => (await stage.leases(section)).map(({ name }) => name).toSorted();

describe('E: a runner that starts with machines in its store', () => {
  test('and MaxBuilds 1 removes both at once and fills up beside it; no host beyond limit comes', async () => {
    const { world } = stage;
    const left = await leftBehind('once');
    expect(left).toHaveLength(2);
    const next: PlayedRunner = stage.runner('once');
    await world.until('both removed', () => left.every((name) => next.verbsOf(name).includes('rm -y')));
    for (const name of left) expect(next.verbsOf(name)).toEqual(['inspect', 'stop', 'rm -y']);
    await world.until('two new ones', () => next.counts().idle === 2 && next.counts().total === 2);
    await stage.see('only their leases', async () => (await stage.leases('once')).length === 2);
    expect(await heldNames('once')).toEqual(stage.folders('once').toSorted());
    expect(await heldNames('once')).not.toEqual(expect.arrayContaining(left));
    const ever = world.emulator.world.instances().filter(({ tags }) => tags.get('hostler:pool') === 'once');
    expect(ever.length).toBeLessThanOrEqual(4);
  });

  test('and MaxBuilds 1 without idle machines removes both; unused hosts serve the next jobs', async () => {
    const { world } = stage;
    const left = await leftBehind('ondemand');
    const hosts = new Set(stage.alive('ondemand').map(({ id }) => id));
    const next = stage.runner('ondemand');
    await world.until('both removed', () => left.every((name) => next.verbsOf(name).includes('rm -y')));
    await stage.see('both leases to end', async () => (await stage.leases('ondemand')).length === 0);
    next.queue(orders([1, 2]));
    await next.settled();
    expect(next.jobs().map(({ state }) => state)).toEqual(['done', 'done']);
    const ever = world.emulator.world
      .instances()
      .filter(({ tags }) => tags.get('hostler:pool') === 'ondemand');
    expect(new Set(ever.map(({ id }) => id))).toEqual(hosts);
  });

  test('and MaxBuilds 10 keeps both, uses the newest, and gives them back after IdleTime', async () => {
    const { world } = stage;
    const left = await leftBehind('kept');
    const next = stage.runner('kept');
    await world.until('it to know both', () => next.counts().idle === 2);
    await world.until('its look', () => next.count('config') > 0);
    expect(next.verbsOf(left[0])).toEqual([]);
    next.queue(orders([1]));
    await next.settled();
    expect(next.job('1')).toMatchObject({ state: 'done', machine: left[1] });
    expect(next.count('create')).toBe(0);
    await stage.see('both leases to end', async () => (await stage.leases('kept')).length === 0);
    for (const name of left) expect(next.verbsOf(name).slice(-3)).toEqual(['inspect', 'stop', 'rm -y']);
  });

  test('gets a no in words for a folder without config.json, at every poll, and its jobs run all the same', async () => {
    const { world } = stage;
    const ghost = 'runner-empty0000-box-1790000001-0000000a';
    mkdirSync(join(world.store, 'machines', ghost), { recursive: true });
    const runner = stage.runner('empty');
    await world.until(
      'three polls',
      () => runner.verbsOf(ghost).filter((verb) => verb === 'config').length >= 3,
    );
    const refused = runner.calls.filter(({ args }) => args.includes(ghost));
    expect(refused.map(({ code }) => code)).toEqual(refused.map(() => 1));
    expect(refused[0]?.complaint).toContain('config.json');
    runner.queue(orders([1]));
    await runner.settled();
    expect(runner.job('1')).toMatchObject({ state: 'done' });
    expect(runner.job('1').machine).not.toBe(ghost);
    expect(stage.folders('empty')).toContain(ghost);
    expect(await heldNames('empty')).not.toContain(ghost);
    runner.kill();
  });

  test('never calls for foreign names, and hostler never touches them', async () => {
    const { world } = stage;
    const foreign = 'runner-somebody0-box-1790000001-0000000b';
    mkdirSync(join(world.store, 'machines', foreign), { recursive: true });
    const runner = stage.runner('foreign');
    runner.queue(orders([1]));
    await runner.settled();
    expect(runner.verbsOf(foreign)).toEqual([]);
    await world.pass(11 * 60_000);
    expect((await world.client.leases()).map(({ name }) => name)).not.toContain(foreign);
    expect(readdirSync(join(world.store, 'machines'))).toContain(foreign);
  });

  test('after KILL finds nothing of a create that was under way, and the host of that create serves its jobs', async () => {
    const { world } = stage;
    const first = startRunnerProcess(world.folder, stage.optionsFor('orphan'));
    killed.push(first);
    first.queue(orders([1]));
    const [lease] = await world.until('its create', async () => {
      const leases = await stage.leases('orphan');
      return leases.length === 1 && leases;
    });
    first.signal('SIGKILL');
    const next = stage.runner('orphan');
    next.queue(orders([2]));
    await next.settled();
    await world.until('the orphan to leave', () => processesNaming(lease?.name ?? '') === null);
    await stage.see('one lease', async () => (await stage.leases('orphan')).length <= 1);
    expect(next.job('2')).toMatchObject({ state: 'done' });
    expect(stage.folders('orphan')).toEqual([next.job('2').machine]);
  });

  test('an rm during a create ends the create, which writes no folder after it', async () => {
    const { world } = stage;
    const name = 'runner-during000-box-1790000001-0000000c';
    const create = world.startDockerMachine('create', '--driver', 'amazonec2', name);
    await world.until('its place', async () => (await stage.leases('during')).length === 1);
    expect(await world.rm(name)).toMatchObject({ code: 0 });
    const ended = await create.done;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('(lease-gone)');
    expect(stage.folders('during')).toEqual([]);
    expect(await stage.leases('during')).toEqual([]);
  });
});
