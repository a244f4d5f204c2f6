// Row M: fifty jobs in the same moment for a runner without idle machines, and two runner processes on one daemon.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRunnerProcess } from '../../support/stand-in-process.ts';
import { gate, openStage, orders, type SectionText, type Stage } from './stage.ts';

const sections = {
  burst: { limit: 60 },
  left: { maxBuilds: 10 },
  right: { maxBuilds: 10 },
  twins: { maxBuilds: 10, limit: 6 },
} satisfies Record<string, SectionText>;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ sections });
});
afterAll(() => stage.close());

const ids = (count: number, from = 1) => Array.from({ length: count }, (_, index) => index + from);

describe('M: fifty jobs in the same moment', () => {
  test('all get a host at their first create, from a handful of launches', async () => {
    const { world, see } = stage;
    const before = world.ec2Calls()['RunInstances'] ?? 0;
    const runner = stage.runner('burst');
    runner.queue(orders(ids(50)));
    await runner.settled();
    expect(runner.jobs().map(({ state }) => state)).toEqual(Array(50).fill('done'));
    expect(runner.count('create')).toBe(50);
    await runner.stop();
    expect(runner.calls.filter(({ code }) => code !== 0)).toEqual([]);
    expect((world.ec2Calls()['RunInstances'] ?? 0) - before).toBeLessThanOrEqual(12);
    const ever = world.emulator.world.instances().filter(({ tags }) => tags.get('hostler:pool') === 'burst');
    expect(ever.length).toBeLessThanOrEqual(60);
    await see('no lease', async () => (await stage.leases('burst')).length === 0);
    expect(stage.folders('burst')).toEqual([]);
    await see('no host', () => stage.alive('burst').length === 0);
  });
});

describe('two runner processes on one daemon', () => {
  test('with a section and a store each are served side by side, and the end of one leaves the other alone', async () => {
    const { world, see } = stage;
    const [left, right] = [gate(), gate()];
    const one = stage.runner('left', { store: join(world.folder, 'store-left') });
    const other = stage.runner('right', { store: join(world.folder, 'store-right') });
    one.queue(orders(ids(3), left.opened));
    other.queue(orders(ids(3, 11), right.opened));
    await see('six jobs at work', async () => {
      const leases = [...(await stage.leases('left')), ...(await stage.leases('right'))];
      return leases.length === 6 && leases.every(({ jobs }) => jobs.length === 1);
    });
    left.open();
    await one.settled();
    await one.stop({ drain: true });
    await see('the leases of the one to end', async () => (await stage.leases('left')).length === 0);
    expect((await stage.leases('right')).map(({ state }) => state)).toEqual(['busy', 'busy', 'busy']);
    right.open();
    await other.settled();
    expect(other.jobs().map(({ state }) => state)).toEqual(['done', 'done', 'done']);
    await other.stop({ drain: true });
    await see('all leases to end', async () => (await stage.leases('right')).length === 0);
  });

  test('of one section with a store each share its pool and its limit; one that is killed costs the other nothing', async () => {
    const { world, see } = stage;
    const stores = ['store-a', 'store-b'].map((name) => join(world.folder, name));
    const first = startRunnerProcess(world.folder, stage.optionsFor('twins', { store: stores[0] ?? '' }));
    first.queue(orders(ids(2)));
    await see('its jobs', () => first.job('1')?.state === 'done' && first.job('2')?.state === 'done');
    const over = gate();
    const second = stage.runner('twins', { store: stores[1] ?? '' });
    second.queue(orders(ids(4, 11), over.opened));
    await see(
      'four at work',
      async () =>
        (await stage.leases('twins')).filter(({ jobs }) => jobs.some(({ id }) => Number(id) > 10)).length ===
        4,
    );
    expect(stage.alive('twins').length).toBeLessThanOrEqual(6);
    await first.close();
    const names = new Set(second.jobs().map(({ machine }) => machine));
    const used = (await stage.leases('twins')).filter(({ name }) => names.has(name));
    expect(used.map(({ state }) => state)).toEqual(Array(4).fill('busy'));
    over.open();
    await second.settled();
    expect(second.jobs().map(({ state }) => state)).toEqual(Array(4).fill('done'));
    expect(stage.alive('twins').length).toBeLessThanOrEqual(6);
  });
});
