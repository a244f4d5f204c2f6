// Rows I and J: a runner that holds idle machines claims with one in hand, is told of no job's end, removes what is used up
// or stands over; and 20 jobs at once in each way of driving it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fasterPace } from '../../../src/sim/runner/lifecycle-rules.ts';
import { openStage, orders, type SectionText, type Stage } from './stage.ts';

const sections = {
  pool: { idleCount: 3, idleTime: 20, maxBuilds: 2, limit: 5 },
  rest: { idleCount: 1, idleTime: 20, maxBuilds: 10, limit: 5 },
  one: { idleCount: 1, limit: 30 },
  five: { idleCount: 5, limit: 30 },
  owned: { limit: 30 },
} satisfies Record<string, SectionText>;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ sections });
});
afterAll(() => stage.close());

const ids = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const instancesOf = (section: string) =>
  stage.world.emulator.world.instances().filter(({ tags }) => tags.get('hostler:pool') === section);

describe('I: a runner that holds idle machines', () => {
  test('gets them from the hosts that stand ready for it, and asks for the newest only', async () => {
    const { world, see } = stage;
    await see(
      'three ready hosts',
      async () => (await stage.machines('pool')).filter(({ phase }) => phase === 'ready').length === 3,
    );
    const ready = new Set(stage.alive('pool').map(({ id }) => id));
    const runner = stage.runner('pool');
    await world.until('three idle machines', () => runner.counts().idle === 3 && runner.count('config') > 0);
    expect(runner.count('create')).toBe(3);
    const held = await Promise.all(
      (await stage.leases('pool')).map(
        async ({ machine }) => (await world.client.machine(machine ?? '')).machine,
      ),
    );
    expect(new Set(held.map(({ instance }) => instance))).toEqual(ready);
    const asked = runner.calls.filter(({ args }) => args[0] === 'config').map(({ args }) => args[1]);
    expect(new Set(asked).size).toBe(1);
    runner.kill();
  });

  test('has its jobs counted without a call at their end; a machine that had MaxBuilds of them ends with its rm', async () => {
    const { world, see } = stage;
    // As after a restart: what was left in the store counts as used once.
    const runner = stage.runner('pool');
    await world.until('its machines', () => runner.counts().idle === 3);
    let most = 0;
    const look = setInterval(() => {
      most = Math.max(most, stage.alive('pool').length);
    }, 10);
    runner.queue(orders(ids(10)));
    await runner.settled();
    clearInterval(look);
    expect(runner.jobs().map(({ state }) => state)).toEqual(Array(10).fill('done'));
    expect(most).toBeLessThanOrEqual(5);
    const uses = Map.groupBy(runner.jobs(), ({ machine }) => machine ?? '');
    expect(Math.max(...[...uses.values()].map((jobs) => jobs.length))).toBeLessThanOrEqual(2);
    const [twice = ''] = [...uses].find(([, jobs]) => jobs.length === 2) ?? [];
    await world.until('its removal', () => runner.verbsOf(twice).includes('rm -y'));
    const verbs = runner.verbsOf(twice);
    const first = verbs.indexOf('url');
    expect(verbs.slice(verbs.indexOf('url', first + 1) + 2)).toEqual(['inspect', 'stop', 'rm -y']);
    expect(verbs.slice(first + 2, verbs.indexOf('url', first + 1)).every((verb) => verb === 'config')).toBe(
      true,
    );
    const ended = await see('its end', async () => {
      const events = await world.client.events({ lease: twice });
      return events.find(({ code }) => code === 'lease-ended');
    });
    const { machine } = await world.client.machine(ended.machine ?? '');
    expect(machine.builds).toBeGreaterThanOrEqual(2);
    expect(machine.ending).toBe('max-builds');
    await see('three idle machines again', async () => {
      const leases = await stage.leases('pool');
      return runner.counts().idle === 3 && leases.length === 3;
    });
    runner.kill();
  });

  test('keeps IdleCount of them beyond IdleTime; what stands over comes back and serves again', async () => {
    const { world, see } = stage;
    const runner = stage.runner('rest');
    await world.until('an idle machine', () => runner.counts().idle === 1);
    runner.queue(orders(ids(3)));
    await runner.settled();
    await see(
      'one machine',
      async () => runner.counts().total === 1 && (await stage.leases('rest')).length === 1,
    );
    const removed = runner.count('rm');
    await see('that one to stay', () => {
      const [idle] = runner.machines();
      return idle !== undefined && Date.now() - idle.usedAt > 2_000;
    });
    expect(runner.count('rm')).toBe(removed);
    expect(runner.counts()).toMatchObject({ idle: 1, total: 1 });
    runner.kill();
  });
});

describe('J: twenty jobs at once', () => {
  test.each([
    ['one', 'IdleCount 1'],
    ['five', 'IdleCount 5'],
    ['owned', 'no idle machines'],
  ])(
    'all get a host of their own, no more hosts than limit stand, and none is left over: %s, %s',
    async (section) => {
      const { world, see } = stage;
      const runner = stage.runner(section, { pace: fasterPace(100) });
      await world.until(
        'its idle machines',
        () => runner.counts().idle >= sections[section as 'one'].idleCount || section === 'owned',
      );
      let most = 0;
      const look = setInterval(() => {
        most = Math.max(most, stage.alive(section).length);
      }, 10);
      runner.queue(orders(ids(20)));
      await runner.settled();
      clearInterval(look);
      expect(runner.jobs().map(({ state }) => state)).toEqual(Array(20).fill('done'));
      expect(new Set(runner.jobs().map(({ machine }) => machine)).size).toBe(20);
      expect(most).toBeLessThanOrEqual(30);
      expect(runner.calls.filter(({ code }) => code !== 0)).toEqual([]);
      await runner.stop({ drain: true });
      await see('no lease', async () => (await stage.leases(section)).length === 0);
      expect(stage.folders(section)).toEqual([]);
      await world.client.drain(section);
      await see('no host', () => stage.alive(section).length === 0);
      expect(instancesOf(section).length).toBeGreaterThanOrEqual(20);
    },
  );
});
