// Real files, a clock moved by hand: what counts as a change, and when it counts as complete.
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { watchConfig } from '../../../../src/adapters/config/watch.ts';
import { type ConfigFolder, createConfigFolder } from '../../../support/config-folder.ts';
import { createHandClock, type HandClock } from '../../../support/hand-clock.ts';

let folder: ConfigFolder;
let clock: HandClock;
let changes: number;
let end: () => void;

function start(...files: string[]): void {
  end = watchConfig({ files, changed: () => (changes += 1), clock });
}

beforeEach(() => {
  folder = createConfigFolder();
  clock = createHandClock(0);
  changes = 0;
});

afterEach(() => {
  end();
  folder.end();
});

describe('a change of a file', () => {
  test('is told once, after a second of standing still', async () => {
    const file = folder.write('a.toml', 'x = 1\n');
    start(file);
    writeFileSync(file, 'x = 22\n');
    await clock.advance(900);
    expect(changes).toBe(0);
    await clock.advance(7_000);
    expect(changes).toBe(1);
    await clock.advance(60_000);
    expect(changes).toBe(1);
  });

  test('is not told while the file is still being written', async () => {
    const file = folder.write('a.toml', 'x = 1\n');
    start(file);
    truncateSync(file, 0);
    for (let part = 1; part <= 10; part += 1) {
      await clock.advance(900);
      writeFileSync(file, '#'.repeat(part * 10));
    }
    expect(changes).toBe(0);
    await clock.advance(7_000);
    expect(changes).toBe(1);
  });

  test('is seen through a rename over it', async () => {
    const file = folder.write('a.toml', 'x = 1\n');
    start(file);
    renameSync(folder.write('a.toml.new', 'x = 2\n'), file);
    await clock.advance(7_000);
    expect(changes).toBe(1);
  });

  test('is seen through a link that moves, as mounted configuration does', async () => {
    for (const version of ['one', 'two']) {
      mkdirSync(join(folder.path, version));
      writeFileSync(join(folder.path, version, 'a.toml'), `v = "${version}"\n`);
    }
    symlinkSync('one', join(folder.path, 'data'));
    symlinkSync('data/a.toml', join(folder.path, 'a.toml'));
    start(join(folder.path, 'a.toml'));
    symlinkSync('two', join(folder.path, 'data.new'));
    renameSync(join(folder.path, 'data.new'), join(folder.path, 'data'));
    await clock.advance(7_000);
    expect(changes).toBe(1);
  });

  test('is told when a file goes, and when it comes back', async () => {
    const file = folder.write('a.toml', 'x = 1\n');
    start(file);
    rmSync(file);
    await clock.advance(7_000);
    expect(changes).toBe(1);
    folder.write('a.toml', 'x = 1\n');
    await clock.advance(7_000);
    expect(changes).toBe(2);
  });

  test('is told for each of several files, and not for others in their folder', async () => {
    const [first, second] = [folder.write('a.toml', '1'), folder.write('b.sh', '2')];
    start(first, second);
    folder.write('c.txt', '3');
    await clock.advance(20_000);
    expect(changes).toBe(0);
    writeFileSync(second, '22');
    await clock.advance(7_000);
    expect(changes).toBe(1);
  });

  test('is noticed without waiting for the next look where the system tells of it', async () => {
    const file = folder.write('a.toml', 'x = 1\n');
    let told: () => void = () => undefined;
    const notified = new Promise<void>((resolve) => {
      told = resolve;
    });
    // A look never comes by time here: only notification ends the long sleep.
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
      ms < 5_000
        ? Promise.resolve()
        : new Promise((resolve) => signal?.addEventListener('abort', () => resolve()));
    end = watchConfig({ files: [file], changed: () => told(), clock: { sleep } });
    writeFileSync(file, 'x = 2\n');
    await notified;
  });

  test('is not told any more after the end', async () => {
    const file = folder.write('a.toml', 'x = 1\n');
    start(file);
    end();
    writeFileSync(file, 'x = 2\n');
    await clock.advance(20_000);
    expect(changes).toBe(0);
  });

  test('is awaited even where the folder is not there yet', async () => {
    start(join(folder.path, 'later/a.toml'));
    mkdirSync(join(folder.path, 'later'));
    writeFileSync(join(folder.path, 'later/a.toml'), 'x = 1\n');
    await clock.advance(7_000);
    expect(changes).toBe(1);
  });
});
