// Row K: the runner's file changes under it. IdleCount is followed at the next poll; after a new token, another MachineName or
// with its section removed nothing is called for the old machines ever again, and a running job ends normally.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gate, openStage, orders, type PlayedRunner, type SectionText, type Stage } from './stage.ts';

const sections = {
  fewer: { idleCount: 2, idleTime: 40, maxBuilds: 10 },
  more: { idleCount: 2, maxBuilds: 10 },
  token: { maxBuilds: 10 },
  removed: { maxBuilds: 10 },
  renamed: { maxBuilds: 10 },
} satisfies Record<string, SectionText>;

const newToken = 'glrt-rotated0000000000';
const MINUTE = 60_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ sections });
});
afterAll(() => stage.close());

type AtWork = { runner: PlayedRunner; over: { open(): void }; idle: string; busy: string };

/** A runner with one idle machine and one at work; the job ends with the gate. */
async function atWork(section: keyof typeof sections): Promise<AtWork> {
  const { world, see } = stage;
  const runner = stage.runner(section);
  const [first, second] = [gate(), gate()];
  runner.queue([...orders([1], first.opened), ...orders([2], second.opened)]);
  await see('both jobs', async () => {
    const leases = await stage.leases(section);
    return leases.length === 2 && leases.every(({ jobs }) => jobs.length === 1);
  });
  first.open();
  await world.until('an idle machine', () => runner.counts().idle === 1);
  return { runner, over: second, idle: runner.job('1').machine ?? '', busy: runner.job('2').machine ?? '' };
}

/** Lets minutes pass one by one, so that what the daemon looks at every half minute is seen in each. */
async function minutes(count: number): Promise<void> {
  for (let minute = 0; minute < count; minute++) await stage.world.pass(MINUTE);
}

/** Lets minutes pass until it is so. Under load a look may come after the minutes that it is for. */
const passUntil = (what: string, look: () => Promise<boolean>) =>
  stage.world.until(what, async () => {
    await stage.world.pass(MINUTE);
    return look();
  });

const codes = async (lease: string) => (await stage.world.client.events({ lease })).map(({ code }) => code);

describe('K: the runner’s file changes', () => {
  test('IdleCount 2 to 0: idle machines come back after IdleTime, and hostler keeps none on its own', async () => {
    const { world, see } = stage;
    const runner = stage.runner('fewer');
    await world.until('two idle machines', () => runner.counts().idle === 2);
    await stage.rewrite({ fewer: { ...sections.fewer, idleCount: 0 } });
    runner.reload({ policy: { idleCount: 0 } });
    await see('both back', async () => (await stage.leases('fewer')).length === 0);
    expect(runner.count('rm')).toBe(2);
    await see('no host', () => stage.alive('fewer').length === 0);
    expect(runner.count('create')).toBe(2);
  });

  test('IdleCount 2 to 4: two more creates, served by two more hosts', async () => {
    const { world, see } = stage;
    const runner = stage.runner('more');
    await world.until('two idle machines', () => runner.counts().idle === 2);
    await stage.rewrite({ more: { ...sections.more, idleCount: 4 } });
    runner.reload({ policy: { idleCount: 4 } });
    await see('four idle machines', () => runner.counts().idle === 4);
    expect(runner.count('create')).toBe(4);
    await see('four hosts', () => stage.alive('more').length === 4);
    runner.kill();
  });
});

describe('K: sections that the runner does not call for any more', () => {
  let token: AtWork;
  let removed: AtWork;
  let renamed: AtWork;
  /** Calls of the runner when its file changed. */
  let before = 0;

  beforeAll(async () => {
    [token, removed, renamed] = [await atWork('token'), await atWork('removed'), await atWork('renamed')];
    before = token.runner.calls.length;
    await stage.rewrite({
      token: { ...sections.token, token: newToken },
      removed: null,
      renamed: null,
      'another-name': { ...sections.renamed, token: stage.optionsFor('renamed').token },
    });
    token.runner.reload({ token: newToken });
    removed.runner.reload({ removed: true });
    renamed.over.open();
    await renamed.runner.settled();
  });

  test('keep their leases for less than ten minutes: no restart and no rewrite of the file costs one', async () => {
    await minutes(7);
    for (const { idle } of [token, removed, renamed])
      expect(await codes(idle)).not.toContain('lease-abandoned');
  });

  test('lose the lease of an idle host after ten minutes, never that of a host with a job', async () => {
    for (const { idle } of [token, removed])
      await passUntil('its end', async () => (await codes(idle)).includes('lease-abandoned'));
    expect((await stage.leases('token')).map(({ name }) => name)).toEqual([token.busy]);
    expect((await stage.leases('removed')).map(({ name }) => name)).toEqual([removed.busy]);
    expect(token.runner.jobs().at(-1)).toMatchObject({ state: 'running' });
  });

  test('keep all leases when only the name changed, since the runner goes on to call for its machines', async () => {
    const names = (await stage.world.client.leases()).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([renamed.idle, renamed.busy]));
    renamed.runner.queue(orders([3]));
    await renamed.runner.settled();
    expect(renamed.runner.job('3')).toMatchObject({ state: 'done' });
    await renamed.runner.stop({ drain: true });
    await stage.see('no host of the old name', () => stage.alive('renamed').length === 0);
    expect(stage.folders('renamed')).toEqual([]);
  });

  test('let their jobs run to success, and nothing of them is left ten minutes after', async () => {
    for (const { over } of [token, removed]) over.open();
    await Promise.all([token.runner.settled(), removed.runner.settled()]);
    for (const { runner, busy } of [token, removed])
      expect(runner.job('2')).toMatchObject({ state: 'done', machine: busy });
    await passUntil('the end of all leases', async () => {
      const left = [...(await stage.leases('token')), ...(await stage.leases('removed'))];
      return left.length === 0;
    });
    await stage.world.until(
      'no folder',
      () => [...stage.folders('token'), ...stage.folders('removed')].length === 0,
    );
    await stage.see('no host of the section that is gone', () => stage.alive('removed').length === 0);
    const called = token.runner.calls.slice(before).flatMap(({ args }) => args);
    for (const name of [token.idle, token.busy]) expect(called).not.toContain(name);
  });

  test('with a new token get hosts for their new names, those of the old ones first', async () => {
    const hosts = stage.alive('token').map(({ id }) => id);
    token.runner.queue(orders([3]));
    await token.runner.settled();
    expect(token.runner.job('3').machine).toMatch(/^runner-rotated00-box-/);
    expect(stage.alive('token').map(({ id }) => id)).toEqual(hosts.length > 0 ? hosts : [expect.any(String)]);
  });
});
