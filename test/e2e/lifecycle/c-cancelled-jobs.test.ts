// Row C: a job is cancelled, or its time is over, while its `create` blocks. Nobody tells the create: it runs to its end,
// the machine is prepared and released without a job, or serves whoever waits.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHeldBoots } from './held-boots.ts';
import { gate, openStage, orders, type Stage } from './stage.ts';

const boots = createHeldBoots();
let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    sections: { cancel: {}, timeout: {}, refused: {}, surplus: { maxBuilds: 10, idleTime: 10 } },
    emulator: { startHost: boots.startHost },
  });
});
afterAll(() => stage.close());

describe('C: jobs that end while their create waits', () => {
  test.each([
    ['cancel', 'canceled'],
    ['timeout', 'job_execution_timeout'],
  ])(
    'a job that ends by %s takes its host, runs nothing on it and gives it back; the next one gets its own',
    async (section, reason) => {
      const { world, see } = stage;
      const runner = stage.runner(section);
      boots.hold();
      runner.queue(orders([1]));
      const [lease] = await world.until('its create', async () => {
        const leases = await stage.leases(section);
        return leases.length === 1 && leases;
      });
      expect(runner.cancel('1', reason)).toBe(true);
      boots.letGo();
      await runner.settled();
      expect(runner.job('1')).toMatchObject({ state: 'failed', failure: reason, startedAt: null });
      await world.until('its removal', () => runner.counts().total === 0);
      const name = lease?.name ?? '';
      expect(runner.verbsOf(name)).toEqual([
        'create',
        'config',
        'config',
        'url',
        'inspect',
        'inspect',
        'stop',
        'rm -y',
      ]);
      const ended = await see('the end of the lease', async () =>
        (await world.client.events({ lease: name })).find(({ code }) => code === 'lease-ended'),
      );
      expect(ended.detail).toMatchObject({ jobs: 0 });
      runner.queue(orders([2]));
      await runner.settled();
      expect(runner.job('2')).toMatchObject({ state: 'done' });
      expect(runner.job('2').machine).not.toBe(name);
      await see('no host left', () => stage.alive(section).length === 0);
      expect(stage.folders(section)).toEqual([]);
    },
  );

  test('a cancelled job whose creates fail makes the three of its preparation and no more, and no place stays', async () => {
    const { world } = stage;
    const bent = stage.bent('refused');
    await world.client.drain('refused');
    bent.bend('create', 'hangs');
    const runner = stage.runner('refused');
    runner.queue(orders([1]));
    await world.until('its create', () => runner.counts().creating === 1);
    runner.cancel('1');
    bent.letGo('create');
    await runner.settled();
    expect(runner.count('create')).toBe(3);
    expect(runner.calls).toHaveLength(3);
    expect(await stage.leases('refused')).toEqual([]);
    expect(stage.alive('refused')).toEqual([]);
  });

  test('a machine freed for a waiting job leaves that job’s own create a surplus one, which comes back after IdleTime', async () => {
    const { world, see } = stage;
    const runner = stage.runner('surplus');
    const first = gate();
    const second = gate();
    runner.queue([...orders([1], first.opened)]);
    await see('the first job at work', async () => (await stage.leases('surplus'))[0]?.jobs.length === 1);
    boots.hold();
    runner.queue([...orders([2], second.opened)]);
    await world.until('the second create', () => runner.counts().creating === 1);
    first.open();
    await world.until('the second job at work', () => runner.job('2').state === 'running');
    expect(runner.job('2').machine).toBe(runner.job('1').machine);
    boots.letGo();
    await world.until('the surplus machine', () => runner.counts().idle === 1);
    const surplus = runner.machines().find(({ state }) => state === 'idle')?.name;
    const held = (await stage.leases('surplus')).find(({ name }) => name === surplus);
    expect(held).toMatchObject({ state: 'held', jobs: [] });
    await see('its return', async () => (await stage.leases('surplus')).length === 1);
    expect(runner.verbsOf(surplus)).toEqual(expect.arrayContaining(['inspect', 'stop', 'rm -y']));
    await see('both jobs on one lease', async () => {
      const [lease] = await stage.leases('surplus');
      return lease?.jobs.map(({ id }) => id).join() === '1,2';
    });
    second.open();
    await runner.settled();
  });
});
