// The store on real SQLite files: what is written survives, what fails leaves nothing, one daemon a folder.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder, openDatabase } from '../../../../src/adapters/sqlite/database.ts';
import { migrations } from '../../../../src/adapters/sqlite/schema.ts';
import { createStore } from '../../../../src/adapters/sqlite/store.ts';
import { HostlerError } from '../../../../src/domain/error.ts';
import { launch as aLaunch, lease as aLease, machine as aMachine } from '../../../support/builders.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-store-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () => createStore(openDatabase(join(folder, 'state.db')));

/** Frames of a page each in the write-ahead log: 4,096 bytes and a head of 24. */
const pagesWritten = () => Math.floor(statSync(join(folder, 'state.db-wal')).size / 4_120);

describe('what is written', () => {
  test('stands after the process opened the file again', () => {
    const first = open();
    const machine = aMachine({ id: 'm-1' });
    first.transaction(() => {
      first.putMachine(machine);
      first.putLease(aLease({ name: 'runner-a-1' }));
      first.putLaunch(aLaunch({ token: 'token-1' }));
      first.putFact('manager', 'uuid');
      first.addStore('/home/runner/.docker/machine');
    });
    first.putMachineTls('m-1', { cert: 'C', key: 'K' });
    first.addBoot('build', 1234.6);
    first.close();
    const second = open();
    expect(second.machine('m-1')).toEqual(machine);
    expect(second.lease('runner-a-1')?.name).toBe('runner-a-1');
    expect(second.launch('token-1')?.token).toBe('token-1');
    expect(second.fact('manager')).toBe('uuid');
    expect(second.stores()).toEqual(['/home/runner/.docker/machine']);
    expect(second.machineTls('m-1')).toEqual({ cert: 'C', key: 'K', ca: null });
    expect(second.boots('build')).toEqual([1235]);
    second.close();
  });

  test('keeps its order through changes and a restart', () => {
    const first = open();
    for (const id of ['m-1', 'm-2', 'm-3']) first.putMachine(aMachine({ id }));
    first.putMachine(aMachine({ id: 'm-1', builds: 1 }));
    const order = first.machines().map(({ id, builds }) => [id, builds]);
    first.close();
    const second = open();
    expect(second.machines().map(({ id, builds }) => [id, builds])).toEqual(order);
    second.close();
  });

  test('of many events is one write, not one an event', () => {
    const store = open();
    for (let number = 0; number < 100; number += 1)
      store.addEvent({
        at: number,
        code: 'granted',
        pool: 'build',
        machine: null,
        lease: null,
        text: 'x',
        detail: {},
      });
    const pagesBefore = pagesWritten();
    store.flush();
    expect(pagesWritten() - pagesBefore).toBeLessThan(20);
    expect(store.events({ limit: 200 })).toHaveLength(100);
    store.close();
  });

  test('is undone, in memory too, when its transaction throws', () => {
    const store = open();
    store.putMachine(aMachine({ id: 'm-1', builds: 1 }));
    expect(() =>
      store.transaction(() => {
        store.putMachine(aMachine({ id: 'm-1', builds: 2 }));
        store.putMachine(aMachine({ id: 'm-2' }));
        throw new Error('in between');
      }),
    ).toThrow('in between');
    expect(store.machine('m-1')?.builds).toBe(1);
    expect(store.machine('m-2')).toBeNull();
    store.transaction(() => store.putMachine(aMachine({ id: 'm-3' })));
    expect(store.machine('m-3')).not.toBeNull();
    store.close();
  });

  test('an inner transaction joins the outer one', () => {
    const store = open();
    expect(() =>
      store.transaction(() => {
        store.transaction(() => store.putMachine(aMachine({ id: 'm-1' })));
        throw new Error('outer');
      }),
    ).toThrow('outer');
    expect(store.machines()).toEqual([]);
    store.close();
  });

  test('is readable by its owner only', () => {
    open().close();
    expect(statSync(join(folder, 'state.db')).mode & 0o077).toBe(0);
  });
});

describe('what ended', () => {
  test('machines, their keys and settled launches are forgotten after their time, open intents never', () => {
    const store = open();
    store.putMachine(aMachine({ id: 'm-old', phase: 'gone', since: 1_000 }));
    store.putMachineTls('m-old', { cert: 'C', key: 'K' });
    store.putMachine(aMachine({ id: 'm-new', phase: 'gone', since: 9_000 }));
    store.putMachine(aMachine({ id: 'm-here', phase: 'ready', since: 1_000 }));
    store.putLaunch(aLaunch({ token: 'settled', state: 'launched', at: 1_000 }));
    store.putLaunch(aLaunch({ token: 'open', state: 'intended', at: 1_000 }));
    store.dropGone(5_000);
    expect(store.machines().map(({ id }) => id)).toEqual(['m-new', 'm-here']);
    expect(store.machineTls('m-old')).toBeNull();
    expect(store.launches().map(({ token }) => token)).toEqual(['open']);
    store.close();
  });

  test('only the last 50 boots of a pool are kept', () => {
    const store = open();
    for (let ms = 1; ms <= 60; ms++) store.addBoot('build', ms);
    store.addBoot('other', 7);
    expect(store.boots('build')).toEqual(Array.from({ length: 50 }, (_, index) => index + 11));
    expect(store.boots('other')).toEqual([7]);
    store.close();
  });
});

describe('events', () => {
  const event = (text: string, machine: string | null = null) =>
    ({ at: 1, code: 'launched', pool: 'build', machine, lease: null, text, detail: { n: 1 } }) as const;

  test('a first look gives the newest, following gives what came after', () => {
    const store = open();
    for (let n = 1; n <= 5; n++) store.addEvent(event(`e${n}`));
    expect(store.events({ limit: 2 }).map(({ text }) => text)).toEqual(['e4', 'e5']);
    expect(store.events({ after: 2, limit: 2 }).map(({ text }) => text)).toEqual(['e3', 'e4']);
    store.close();
  });

  test('are found by machine', () => {
    const store = open();
    store.addEvent(event('mine', 'm-1'));
    store.addEvent(event('other', 'm-2'));
    expect(store.events({ limit: 10, machine: 'm-1' }).map(({ text }) => text)).toEqual(['mine']);
    store.close();
  });
});

describe('a state written by a newer version', () => {
  const writtenBy = (version: number) => {
    open().close();
    const database = new DatabaseSync(join(folder, 'state.db'));
    database.exec(`create table more (a text) strict; pragma user_version = ${version}`);
    database.close();
  };

  test('is used when it is one version newer, since versions only add', () => {
    writtenBy(migrations.length + 1);
    const store = open();
    store.putMachine(aMachine({ id: 'm-1' }));
    store.close();
  });

  test('is refused untouched when it is two versions newer', () => {
    writtenBy(migrations.length + 2);
    expect(open).toThrow(/written by a newer hostler/);
  });
});

describe('one daemon a state folder', () => {
  test('a second lock is refused with the pid of the first, and free again after it ended', () => {
    const unlock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(HostlerError);
    expect(() => lockFolder(folder)).toThrow(`pid ${process.pid}`);
    unlock();
    lockFolder(folder)();
  });

  test('a folder that is a file is refused in one line', () => {
    expect(() => lockFolder('/proc/version')).toThrow(/state folder cannot be used/);
  });
});
