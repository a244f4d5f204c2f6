// Row H: `stop` hangs until it is killed, `rm -y` fails once, thrice or always. The machine takes a slot of `limit` all the
// while; release 19 ends with one `rm -f` and forgets, release 15 tries for ever.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fasterPace } from '../../../src/sim/runner/lifecycle-rules.ts';
import { openStage, orders, type SectionText, type Stage } from './stage.ts';

/** Half a minute between removals, and the minute of `stop`, need not be waited for. */
const pace = fasterPace(100);

const sections = {
  stop: { limit: 1 },
  thrice: { limit: 1 },
  always: { limit: 1 },
  old: {},
  twice: {},
} satisfies Record<string, SectionText>;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ sections });
});
afterAll(() => stage.close());

describe('H: removals that are slow or fail', () => {
  test('a stop that is killed after its minute does no harm: the rm behind it gives the host back', async () => {
    const { bent, see } = stage;
    bent('stop').bend('stop', 'hangs');
    const runner = stage.runner('stop', { pace });
    runner.queue(orders([1, 2]));
    await runner.settled();
    const first = runner.job('1').machine;
    expect(runner.calls.filter(({ args }) => args[0] === 'stop' && args.includes(first ?? ''))).toMatchObject(
      [{ code: null }],
    );
    expect(runner.verbsOf(first).slice(-2)).toEqual(['stop', 'rm -y']);
    expect(runner.jobs().map(({ state }) => state)).toEqual(['done', 'done']);
    bent('stop').letGo('stop');
    await see('no lease', async () => (await stage.leases('stop')).length === 0);
  });

  test('a stop needs no daemon and stops nothing', async () => {
    const { world } = stage;
    const name = 'runner-twice0000-box-1790000001-0000000a';
    expect(await world.create(name)).toMatchObject({ code: 0 });
    await world.stop();
    expect(await world.dockerMachine('stop', name)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(stage.alive('twice').map(({ state }) => state)).toEqual(['running']);
    await world.start();
    expect((await stage.leases('twice')).map(({ state }) => state)).toEqual(['held']);
    await world.rm(name);
  });

  test('an rm that fails three times leaves lease and host as they are, and ends them once it comes through', async () => {
    const { bent, world, see } = stage;
    bent('thrice').bend('rm', 'fails', 3);
    const runner = stage.runner('thrice', { pace });
    runner.queue(orders([1, 2]));
    await world.until('the third failure', () => runner.count('rm') === 3);
    const first = runner.job('1').machine;
    expect(await stage.leases('thrice')).toMatchObject([{ name: first }]);
    expect(runner.job('2')).toMatchObject({ state: 'queued' });
    await runner.settled();
    expect(runner.verbsOf(first).filter((verb) => verb === 'rm -y')).toHaveLength(4);
    const ends = (await world.client.events({ lease: first ?? '' })).filter(
      ({ code }) => code === 'lease-ended',
    );
    expect(ends).toHaveLength(1);
    await see('no lease', async () => (await stage.leases('thrice')).length === 0);
    await see('no host', () => stage.alive('thrice').length === 0);
  });

  test('an rm that always fails ends in one rm -f; what the runner forgot keeps its host until somebody removes it', async () => {
    const { bent, world, see } = stage;
    bent('always').bend('rm', 'fails', 4);
    const runner = stage.runner('always', { pace, removalAttempts: 3 });
    runner.queue(orders([1]));
    await world.until('the rm -f', () => runner.calls.some(({ args }) => args[1] === '-f'));
    const name = runner.job('1').machine;
    expect(runner.verbsOf(name).filter((verb) => verb.startsWith('rm'))).toEqual([
      'rm -y',
      'rm -y',
      'rm -y',
      'rm -f',
    ]);
    // Its folder is listed again, as a machine that was used once.
    await world.until('the next removal', () => runner.verbsOf(name).at(-1) === 'rm -y');
    await see('no lease', async () => (await stage.leases('always')).length === 0);
    expect(stage.folders('always')).toEqual([]);
    await see('no host', () => stage.alive('always').length === 0);
  });

  test('release 15 goes on with rm -y and is served the same', async () => {
    const { bent, world, see } = stage;
    bent('old').bend('rm', 'fails', 5);
    const runner = stage.runner('old', { pace, release: 15, removalAttempts: 3 });
    runner.queue(orders([1]));
    await world.until('its removal', () => runner.count('rm') === 6);
    const name = runner.job('1').machine;
    expect(runner.verbsOf(name).filter((verb) => verb.startsWith('rm'))).toEqual(Array(6).fill('rm -y'));
    await see('no lease', async () => (await stage.leases('old')).length === 0);
  });

  test('rm -y, rm -f and both again exit 0 at once, with and without a daemon, and end the lease once', async () => {
    const { world, see } = stage;
    const names = ['b', 'c'].map((end) => `runner-twice0000-box-1790000001-0000000${end}`);
    for (const name of names) expect(await world.create(name)).toMatchObject({ code: 0 });
    const remove = async (name: string) => [
      await world.dockerMachine('rm', '-y', name),
      await world.dockerMachine('rm', '-f', name),
      await world.dockerMachine('rm', '-f', name),
    ];
    expect((await remove(names[0] ?? '')).map(({ code }) => code)).toEqual([0, 0, 0]);
    await world.stop();
    expect((await remove(names[1] ?? '')).map(({ code }) => code)).toEqual([0, 0, 0]);
    await world.start();
    await see('no lease', async () => (await stage.leases('twice')).length === 0);
    for (const name of names) {
      const ends = (await world.client.events({ lease: name })).filter(({ code }) => code === 'lease-ended');
      expect(ends).toHaveLength(1);
    }
  });
});
