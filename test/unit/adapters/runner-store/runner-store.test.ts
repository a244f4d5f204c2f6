// The store folder as the daemon sees it, on real files.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROTATE_MS } from '../../../../src/adapters/runner-store/calls-reader.ts';
import { createRunnerStore } from '../../../../src/adapters/runner-store/runner-store.ts';
import type { Log } from '../../../../src/ports/log.ts';
import type { RunnerStore } from '../../../../src/ports/runner-store.ts';
import { createHandClock, type HandClock } from '../../../support/hand-clock.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

let store: string;
let machines: string;
let mailbox: string;
let clock: HandClock;
let runnerStore: RunnerStore;

beforeEach(() => {
  store = mkdtempSync(join(tmpdir(), 'hostler-store-'));
  machines = join(store, 'machines');
  mailbox = join(machines, '.hostler');
  mkdirSync(join(mailbox, 'released'), { recursive: true });
  clock = createHandClock(Date.now() + 60_000);
  runnerStore = createRunnerStore({ clock, log: quiet });
});
afterEach(() => rmSync(store, { recursive: true, force: true }));

function folder(
  path: string,
  files: Record<string, string> = { hostler: 'tcp://x:1\nm-a\n', 'config.json': '{}' },
) {
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
}

const call = (line: string) => appendFileSync(join(mailbox, 'calls'), `${line}\n`);
const heard = async () => (await runnerStore.notes(store)).map((note) => `${note.verb} ${note.name}`);

describe('names', () => {
  test("are hostler's folders only, without half-made ones and files", async () => {
    folder(join(machines, 'box-1'));
    folder(join(machines, '.box-2.tmp'));
    folder(join(machines, 'other'), { 'config.json': '{}' });
    writeFileSync(join(machines, 'file'), '');
    expect(await runnerStore.names(store)).toEqual(['box-1']);
  });

  test('of a store that is not there are an error, never none', async () => {
    await expect(runnerStore.names(join(store, 'elsewhere'))).rejects.toThrow(/ENOENT/);
  });

  test('stand only with a whole config.json', async () => {
    folder(join(machines, 'box-1'));
    folder(join(machines, 'box-2'), { hostler: 'x\n' });
    folder(join(machines, 'box-3'), { 'config.json': '' });
    const stand = await Promise.all(
      ['box-1', 'box-2', 'box-3', 'nope'].map((name) => runnerStore.stands(store, name)),
    );
    expect(stand).toEqual([true, false, false, false]);
  });
});

describe('releases', () => {
  test('say who asked and who made the folder', async () => {
    const released = join(mailbox, 'released');
    folder(join(released, 'box-1'));
    folder(join(released, 'box-2'), { hostler: 'x\n', 'hostler-by-person': '' });
    folder(join(released, 'other'), { 'config.json': '{}' });
    expect(
      (await runnerStore.releases(store)).toSorted((one, two) => (one.name < two.name ? -1 : 1)),
    ).toEqual([
      { name: 'box-1', byPerson: false, foreign: false },
      { name: 'box-2', byPerson: true, foreign: false },
      { name: 'other', byPerson: false, foreign: true },
    ]);
  });

  test('of one name are taken one at a time', async () => {
    const released = join(mailbox, 'released');
    for (const name of ['box-1', 'box-1~2', 'box-1~10']) folder(join(released, name));
    expect((await runnerStore.releases(store)).map(({ name }) => name)).toEqual(['box-1', 'box-1', 'box-1']);
    await runnerStore.takeRelease(store, 'box-1');
    await runnerStore.takeRelease(store, 'box-1');
    expect(readdirSync(released)).toEqual(['box-1~10']);
  });

  test('never look like those of another docker-machine while they are taken', async () => {
    const released = join(mailbox, 'released');
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`file-${index}`, '']));
    folder(join(released, 'box-1'), { hostler: 'x\n', 'config.json': '{}', ...many });
    const progress = { isOver: false };
    const taking = runnerStore.takeRelease(store, 'box-1').finally(() => {
      progress.isOver = true;
    });
    while (!progress.isOver)
      expect((await runnerStore.releases(store)).filter(({ foreign }) => foreign)).toEqual([]);
    await taking;
    expect(readdirSync(released)).toEqual([]);
  });

  test('that a killed daemon was taking are none, and go with the next tidying', async () => {
    const released = join(mailbox, 'released');
    folder(join(released, '.box-1.gone'), { 'config.json': '{}' });
    expect(await runnerStore.releases(store)).toEqual([]);
    await runnerStore.tidy(store, () => false);
    expect(readdirSync(released)).toEqual([]);
  });

  test('of a store without a mailbox are none', async () => {
    rmSync(mailbox, { recursive: true });
    expect(await runnerStore.releases(store)).toEqual([]);
    expect(await heard()).toEqual([]);
  });
});

describe('calls', () => {
  test('are read once each, in order', async () => {
    call('url box-1');
    call('config box-2');
    expect(await heard()).toEqual(['url box-1', 'config box-2']);
    expect(await heard()).toEqual([]);
    call('release box-1');
    expect(await heard()).toEqual(['release box-1']);
  });

  test('in one look have times in their order, none later than now', async () => {
    call('url box-1');
    call('config box-1');
    const [first, second] = await runnerStore.notes(store);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBe(1);
    expect(second?.at).toBeLessThanOrEqual(clock.now());
  });

  test('that no call can be are skipped', async () => {
    for (const line of ['', 'url', 'url ../x', 'frob box', 'url box 1', 'config box-1']) call(line);
    expect(await heard()).toEqual(['config box-1']);
  });

  test('written by a shell that had the file open before it was put aside are not lost', async () => {
    expect(await heard()).toEqual([]);
    call('url box-1');
    const late = openSync(join(mailbox, 'calls'), 'a');
    await clock.advance(ROTATE_MS);
    expect(await heard()).toEqual(['url box-1']);
    expect(existsSync(join(mailbox, 'calls'))).toBe(false);
    writeSync(late, 'url box-2\n');
    call('url box-3');
    expect(await heard()).toEqual(['url box-2', 'url box-3']);
    await clock.advance(ROTATE_MS);
    expect(await heard()).toEqual([]);
    expect(await heard()).toEqual([]);
    expect(readdirSync(mailbox).filter((file) => file.startsWith('calls.'))).toHaveLength(1);
  });

  test('half written are read when they are whole', async () => {
    appendFileSync(join(mailbox, 'calls'), 'url bo');
    expect(await heard()).toEqual([]);
    appendFileSync(join(mailbox, 'calls'), 'x-1\n');
    expect(await heard()).toEqual(['url box-1']);
  });

  test('left by a day without a daemon all come, in steps', async () => {
    const lines = Array.from({ length: 40_000 }, (_, index) => `config box-${index}`);
    appendFileSync(join(mailbox, 'calls'), `${lines.join('\n')}\n`);
    const all: string[] = [];
    for (let look = 0; look < 10; look++) all.push(...(await heard()));
    expect(all).toEqual(lines);
  });

  test('put aside before a restart come after it', async () => {
    writeFileSync(join(mailbox, 'calls.aside-1'), 'url box-1\n');
    expect(await heard()).toEqual(['url box-1']);
    await clock.advance(ROTATE_MS);
    expect(await heard()).toEqual([]);
    expect(readdirSync(mailbox)).toEqual(['released']);
  });

  test('under constant traffic lose and repeat nothing', async () => {
    const got: string[] = [];
    for (let number = 0; number < 400; number++) {
      call(`url box-${number}`);
      if (number % 7 === 0) await clock.advance(ROTATE_MS / 5);
      if (number % 3 === 0) got.push(...(await heard()));
    }
    got.push(...(await heard()));
    expect(got).toEqual(Array.from({ length: 400 }, (_, number) => `url box-${number}`));
  });

  test.skipIf(process.getuid?.() === 0)('in a mailbox that cannot be read are an error', async () => {
    chmodSync(mailbox, 0);
    await expect(runnerStore.notes(store)).rejects.toThrow(/EACCES/);
    chmodSync(mailbox, 0o755);
  });
});

describe('health notes', () => {
  test('replace the old one and leave nothing beside', async () => {
    folder(join(machines, 'box-1'));
    await runnerStore.putHealth(store, 'box-1', { kind: 'ok', until: 1_795_000_000_500 });
    expect(readFileSync(join(machines, 'box-1/hostler-health'), 'utf8')).toBe('ok 1795000000\n');
    await runnerStore.putHealth(store, 'box-1', { kind: 'gone', why: 'it was terminated' });
    expect(readFileSync(join(machines, 'box-1/hostler-health'), 'utf8')).toBe('gone it was terminated\n');
    expect(readdirSync(join(machines, 'box-1')).toSorted()).toEqual([
      'config.json',
      'hostler',
      'hostler-health',
    ]);
  });

  test('for a folder that has just been released are dropped', async () => {
    await runnerStore.putHealth(store, 'box-1', { kind: 'ok', until: 0 });
    expect(existsSync(join(machines, 'box-1'))).toBe(false);
  });
});

test('remove takes the folder and its half-made twin, and no path', async () => {
  folder(join(machines, 'box-1'));
  folder(join(machines, '.box-1.tmp'));
  folder(join(machines, 'box-2'));
  await runnerStore.remove(store, 'box-1');
  await runnerStore.remove(store, '../machines/box-2');
  expect(readdirSync(machines).toSorted()).toEqual(['.hostler', 'box-2']);
});

describe('watching', () => {
  const next = (start: (changed: () => void) => () => void) => {
    let tell = () => {};
    const stop = start(() => tell());
    const change = () =>
      new Promise<void>((resolve) => {
        tell = resolve;
      });
    return { stop, change };
  };

  test('tells of calls and releases, also in a store that was not there', async () => {
    const fresh = join(store, 'fresh');
    const { stop, change } = next((changed) => runnerStore.watch(fresh, changed));
    await change();
    const called = change();
    appendFileSync(join(fresh, 'machines/.hostler/calls'), 'url box-1\n');
    await called;
    const released = change();
    mkdirSync(join(fresh, 'machines/.hostler/released/box-1'));
    await released;
    stop();
  });
});

describe('what killed processes left', () => {
  test('goes: removals in their middle at once, half-made folders when they are stale', async () => {
    folder(join(machines, 'box-1'));
    folder(join(machines, '.box-2.gone'));
    folder(join(machines, '.box-3.tmp'));
    folder(join(machines, '.box-4.tmp'));
    await runnerStore.tidy(store, (name, at) => name === 'box-3' && at <= Date.now());
    expect(readdirSync(machines).toSorted()).toEqual(['.box-4.tmp', '.hostler', 'box-1']);
  });

  test('of a store that is not there is nothing', async () => {
    await runnerStore.tidy(join(store, 'elsewhere'), () => true);
    await runnerStore.removeHalfMade(join(store, 'elsewhere'), 'box-1');
  });
});
