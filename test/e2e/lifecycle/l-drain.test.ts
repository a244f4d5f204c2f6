// Row L: a runner that drains (`[machine.shutdown_drain]` of release 19): at QUIT or TERM it waits for its creates and
// removals, then ends every machine that it knows with `inspect` and `rm -f`, tried again where that fails.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gate, openStage, orders, type SectionText, type Stage } from './stage.ts';

const sections = {
  drained: { idleCount: 3, maxBuilds: 10 },
  late: { maxBuilds: 10 },
  terminated: { maxBuilds: 10 },
} satisfies Record<string, SectionText>;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ sections });
});
afterAll(() => stage.close());

describe('L: a runner that drains', () => {
  test('gives all its machines back by rm -f, tried again where it fails, and the hosts are ready for the next', async () => {
    const { world, see } = stage;
    const runner = stage.runner('drained', { drains: true });
    await world.until('three idle machines', () => runner.counts().idle === 3);
    const names = stage.folders('drained');
    const hosts = new Set(stage.alive('drained').map(({ id }) => id));
    stage.bent('drained').bend('rm', 'fails', 2);
    expect(await runner.shutdown('QUIT')).toBe(0);
    expect(runner.calls.filter(({ args, code }) => args[0] === 'rm' && code !== 0)).toHaveLength(2);
    for (const name of names)
      expect(new Set(runner.verbsOf(name).filter((verb) => !['create', 'config'].includes(verb)))).toEqual(
        new Set(['inspect', 'rm -f']),
      );
    expect(stage.folders('drained')).toEqual([]);
    await see('three ready hosts', async () => {
      const machines = await stage.machines('drained');
      return machines.length === 3 && machines.every(({ phase }) => phase === 'ready');
    });
    expect(new Set(stage.alive('drained').map(({ id }) => id))).toEqual(hosts);
  });

  test('waits for its running create and ends what that brought', async () => {
    const { world, see } = stage;
    stage.bent('late').bend('create', 'hangs');
    const runner = stage.runner('late', { drains: true, policy: { idleCount: 1 } });
    await world.until('its create', () => runner.counts().creating === 1);
    const left = runner.shutdown('QUIT');
    stage.bent('late').letGo('create');
    expect(await left).toBe(0);
    expect(runner.calls.map(({ args: [verb, flag] }) => (verb === 'rm' ? `rm ${flag}` : verb))).toEqual([
      'create',
      'inspect',
      'rm -f',
    ]);
    await see('no lease', async () => (await stage.leases('late')).length === 0);
    expect(stage.folders('late')).toEqual([]);
  });

  test('by TERM aborts its job, whose container goes, and gives the machine back', async () => {
    const { see } = stage;
    const runner = stage.runner('terminated', { drains: true });
    runner.queue(orders([1], gate().opened));
    const [lease] = await see('the job', async () => {
      const leases = await stage.leases('terminated');
      return leases[0]?.jobs.length === 1 && leases;
    });
    expect(await runner.shutdown('TERM')).toBe(0);
    expect(runner.job('1')).toMatchObject({ state: 'failed', failure: 'aborted: terminated' });
    expect(runner.verbsOf(lease?.name).slice(-2)).toEqual(['inspect', 'rm -f']);
    await see('a ready host', async () => {
      const machines = await stage.machines('terminated');
      return machines.some(({ phase, builds }) => phase === 'ready' && builds === 1);
    });
  });
});
