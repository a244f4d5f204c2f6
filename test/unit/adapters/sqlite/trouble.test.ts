// The store on a disk that takes nothing: full, read-only, locked. What must be durable is refused and undone, all else is
// kept and written by itself when there is room again. Real SQLite, real files; a small real file system where mounts work.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../../src/adapters/sqlite/store.ts';
import type { Store } from '../../../../src/ports/store.ts';
import { launch as aLaunch, lease as aLease, machine as aMachine } from '../../../support/builders.ts';

/** Not named in a call: they are not this package's. */
const [MOUNT, UMOUNT] = ['mount', 'umount'];

let folder = '';
let database: DatabaseSync;
let store: Store;
const path = () => join(folder, 'state.db');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-trouble-'));
  database = openDatabase(path());
  store = createStore(database);
});
afterEach(() => {
  if (database.isOpen) store.close();
  rmSync(folder, { recursive: true, force: true });
});

const event = (text: string) =>
  ({ at: 1, code: 'launched', pool: 'build', machine: null, lease: null, text, detail: {} }) as const;

/** Ways in which a disk says no, and the way back. */
const ways: Record<string, { begin: () => void; end: () => void; words: string }> = {
  full: {
    begin: () => {
      const { page_count: pages } = database.prepare('pragma page_count').get() as { page_count: number };
      database.exec(`pragma max_page_count = ${pages}`);
    },
    end: () => database.exec('pragma max_page_count = 1073741823'),
    words: 'no space is left',
  },
  'read-only': {
    begin: () => database.exec('pragma query_only = on'),
    end: () => database.exec('pragma query_only = off'),
    words: 'read-only',
  },
};

/** Fills what room a database page may still have. */
function fill(): void {
  for (let row = 0; store.trouble() === null && row < 500; row++)
    store.putMachine(aMachine({ id: `m-fill-${row}`, failure: 'x'.repeat(4_000) }));
}

describe.each(Object.entries(ways))('a disk that is %s', (_name, { begin, end, words }) => {
  test('refuses an intent with its words and undoes it, in memory too', () => {
    store.putMachine(aMachine({ id: 'm-1', builds: 1 }));
    begin();
    fill();
    expect(() =>
      store.transaction(() => {
        store.putLaunch(aLaunch({ token: 't-1' }));
        store.putMachine(aMachine({ id: 'm-1', builds: 2 }));
        store.putMachine(aMachine({ id: 'm-2' }));
        store.deleteLease('none');
      }),
    ).toThrow(expect.objectContaining({ code: 'state-unwritable', message: expect.stringContaining(words) }));
    expect(store.launch('t-1')).toBeNull();
    expect(store.machine('m-1')?.builds).toBe(1);
    expect(store.machine('m-2')).toBeNull();
    expect(store.trouble()).toContain(path());
  });

  test('takes what need not be durable into memory and loses nothing of it when there is room again', () => {
    begin();
    fill();
    store.putMachine(aMachine({ id: 'm-1', failedPings: 2 }));
    store.putLease(aLease({ name: 'gone' }));
    store.deleteLease('gone');
    store.transaction(() => store.putLease(aLease({ name: 'waits' })), 'crash');
    store.putMachineTls('m-1', { cert: 'C', key: 'K', ca: 'A' });
    store.addBoot('build', 1_000);
    store.addStore('/somewhere');
    store.putFact('name', 'value');
    store.addEvent(event('told in trouble'));
    expect(store.machineTls('m-1')).toEqual({ cert: 'C', key: 'K', ca: 'A' });
    expect(store.boots('build')).toEqual([1_000]);
    expect(store.events({ limit: 5 }).map(({ text }) => text)).toContain('told in trouble');
    store.flush();
    expect(store.trouble()).not.toBeNull();
    end();
    store.flush();
    expect(store.trouble()).toBeNull();
    const filled = store.machines().length;
    store.close();
    const after = createStore(openDatabase(path()));
    expect(after.machines()).toHaveLength(filled);
    expect(after.machine('m-1')?.failedPings).toBe(2);
    expect(after.leases().map(({ name }) => name)).toEqual(['waits']);
    expect(after.machineTls('m-1')).toEqual({ cert: 'C', key: 'K', ca: 'A' });
    expect(after.boots('build')).toEqual([1_000]);
    expect(after.stores()).toEqual(['/somewhere']);
    expect(after.fact('name')).toBe('value');
    expect(after.fact('probe')).toBeNull();
    expect(after.events({ limit: 5 }).map(({ text }) => text)).toContain('told in trouble');
    after.close();
  });

  test('answers a question of what must be durable as long as nothing has to be written', () => {
    begin();
    fill();
    expect(store.transaction(() => store.machine('none'))).toBeNull();
  });

  test('goes on with intents at once when there is room again', () => {
    begin();
    fill();
    end();
    store.flush();
    store.transaction(() => store.putLaunch(aLaunch({ token: 't-1' })));
    expect(store.launch('t-1')).not.toBeNull();
  });

  test('keeps the newest of a row that changed several times meanwhile', () => {
    begin();
    fill();
    for (const builds of [1, 2, 3]) store.putMachine(aMachine({ id: 'm-1', builds }));
    end();
    store.flush();
    store.close();
    const after = createStore(openDatabase(path()));
    expect(after.machine('m-1')?.builds).toBe(3);
    after.close();
  });
});

describe('what is no trouble of the disk', () => {
  test('a bug in a write is thrown as it is and undone', () => {
    const bad = aMachine({ id: 'm-1' });
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(() => store.putMachine({ ...bad, failure: circle as unknown as string })).toThrow(TypeError);
    expect(store.machine('m-1')).toBeNull();
    expect(store.trouble()).toBeNull();
  });

  test('a backup that reads the database for a while', () => {
    const reader = new DatabaseSync(path(), { readOnly: true });
    reader.exec('begin; select count(*) from machines');
    store.transaction(() => store.putMachine(aMachine({ id: 'm-1' })));
    reader.close();
    expect(store.trouble()).toBeNull();
  });
});

describe('a database that another process keeps locked', () => {
  test('counts as trouble after two seconds, is not waited for again, and goes on after', () => {
    const other = new DatabaseSync(path(), { timeout: 0 });
    other.exec('begin immediate');
    store.putMachine(aMachine({ id: 'm-1' }));
    expect(store.trouble()).toContain('another process keeps the database locked');
    // Each waiting two seconds would take longer than a test may.
    for (let look = 0; look < 20; look++) store.flush();
    other.exec('rollback');
    other.close();
    store.flush();
    expect(store.trouble()).toBeNull();
    expect(store.machine('m-1')).not.toBeNull();
  });
});

describe('events', () => {
  test('of a long trouble are kept up to the newest five thousand, in order', () => {
    database.exec('pragma query_only = on');
    for (let n = 1; n <= 6_000; n++) store.addEvent(event(`e${n}`));
    store.putFact('a', 'b');
    expect(store.events({ limit: 2 }).map(({ text }) => text)).toEqual(['e5999', 'e6000']);
    database.exec('pragma query_only = off');
    store.flush();
    const all = store.events({ after: 0, limit: 10_000 });
    expect(all).toHaveLength(5_000);
    expect(all.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => seq).toSorted((a, b) => a - b));
    expect(store.events({ after: 5_998, limit: 10 }).map(({ text }) => text)).toEqual(['e5999', 'e6000']);
  });
});

/** A real file system of 2 MB below the test's folder; false where this user may not mount one. */
function mountSmall(at: string): boolean {
  mkdirSync(at);
  try {
    execFileSync(MOUNT, ['-t', 'tmpfs', '-o', 'size=2m', 'hostler-test', at], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a real file system', () => {
  test('that is full keeps nothing from going on once a file was removed', ({ skip }) => {
    const small = join(folder, 'small');
    if (!mountSmall(small)) skip('this user may not mount a small file system');
    try {
      const own = createStore(openDatabase(join(small, 'state.db')));
      writeFileSync(join(small, 'ballast'), Buffer.alloc(1024 * 1024));
      for (let row = 0; own.trouble() === null && row < 1_000; row++)
        own.putMachine(aMachine({ id: `m-${row}`, failure: 'x'.repeat(8_000) }));
      expect(own.trouble()).toContain('no space is left');
      expect(() => own.transaction(() => own.putLaunch(aLaunch()))).toThrow(
        expect.objectContaining({ code: 'state-unwritable' }),
      );
      const known = own.machines().length;
      own.flush();
      expect(own.trouble()).not.toBeNull();
      rmSync(join(small, 'ballast'));
      own.flush();
      expect(own.trouble()).toBeNull();
      own.transaction(() => own.putLaunch(aLaunch()));
      own.close();
      const after = createStore(openDatabase(join(small, 'state.db')));
      expect(after.machines()).toHaveLength(known);
      expect(after.launches()).toHaveLength(1);
      after.close();
    } finally {
      execFileSync(UMOUNT, ['-l', small]);
    }
  });
});
