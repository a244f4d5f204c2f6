// A database that is damaged when the daemon starts is set aside whole and a new one begun; anything else that keeps it
// from opening is refused in words and left as it is. Real files.
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../../src/adapters/sqlite/database.ts';
import { openStore } from '../../../../src/adapters/sqlite/open-store.ts';
import { migrations } from '../../../../src/adapters/sqlite/schema.ts';
import { createStore } from '../../../../src/adapters/sqlite/store.ts';
import { machine as aMachine } from '../../../support/builders.ts';

const NOW = Date.UTC(2026, 10, 22, 10, 30, 15);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-damaged-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const path = () => join(folder, 'state.db');

/** A database of a few hundred pages, cleanly closed. */
function fillDatabase(): void {
  const { store } = openStore(folder, NOW);
  store.transaction(() => {
    for (let row = 0; row < 500; row++)
      store.putMachine(aMachine({ id: `m-${row}`, failure: 'x'.repeat(2_000) }));
  });
  store.close();
}

const setAside = () => readdirSync(folder).filter((name) => name.startsWith('state.db.broken-'));

describe('a damaged database', () => {
  test.each<[string, () => void]>([
    ['is garbage', () => writeFileSync(path(), Buffer.alloc(64 * 1024, 'garbage '))],
    ['has a broken head', () => writeFileSync(path(), Buffer.concat([Buffer.alloc(100, 7), rest(100)]))],
    [
      'was cut in the middle',
      () => truncateSync(path(), Math.floor(statSync(path()).size / 2 / 4096) * 4096),
    ],
    ['was cut inside a page', () => truncateSync(path(), 10_000)],
    ['has pages of zeros', () => writeFileSync(path(), zeroed())],
    [
      'holds a row that is no JSON',
      () => {
        const database = new DatabaseSync(path());
        database.exec("update machines set body = '{\"id' where id = 'm-7'");
        database.close();
      },
    ],
  ])('that %s is set aside whole, and a new one is begun', (_what, damage) => {
    fillDatabase();
    damage();
    const before = readFileSync(path());
    const { store, aside, isNew } = openStore(folder, NOW);
    expect(store.machines()).toEqual([]);
    store.transaction(() => store.putMachine(aMachine({ id: 'm-new' })));
    store.close();
    expect(isNew).toBe(true);
    expect(setAside()[0]).toMatch(/^state\.db\.broken-20261122T103015Z$/);
    expect(aside?.file).toBe(join(folder, setAside()[0] ?? ''));
    expect(readFileSync(aside?.file ?? '').subarray(0, 4_096)).toEqual(before.subarray(0, 4_096));
    const again = openStore(folder, NOW);
    expect(again).toMatchObject({ aside: null, isNew: false });
    expect(again.store.machine('m-new')).not.toBeNull();
    again.store.close();
  });

  function rest(from: number): Buffer {
    return readFileSync(path()).subarray(from);
  }

  function zeroed(): Buffer {
    const bytes = readFileSync(path());
    bytes.fill(0, 4_096 * 3, 4_096 * 40);
    return bytes;
  }
});

describe('an incomplete database', () => {
  test('of zero bytes begins anew and says that nothing is known', () => {
    writeFileSync(path(), '');
    const { store, aside, isNew } = openStore(folder, NOW);
    expect({ aside, isNew, machines: store.machines() }).toEqual({ aside: null, isNew: true, machines: [] });
    store.close();
  });

  test('whose log is missing opens as it was when the log began', () => {
    fillDatabase();
    const crashed = createStore(openDatabase(path()));
    crashed.transaction(() => crashed.putMachine(aMachine({ id: 'm-late' })));
    const old = readFileSync(path());
    crashed.close();
    writeFileSync(path(), old);
    const { store, aside } = openStore(folder, NOW);
    expect(aside).toBeNull();
    expect(store.machines().length).toBeGreaterThanOrEqual(500);
    store.close();
  });

  test('with half a log keeps what is whole in it', () => {
    const crashed = createStore(openDatabase(path()));
    crashed.transaction(() => crashed.putMachine(aMachine({ id: 'm-early' })));
    const whole = statSync(`${path()}-wal`).size;
    crashed.transaction(() => crashed.putMachine(aMachine({ id: 'm-late', failure: 'x'.repeat(20_000) })));
    const [head, log] = [readFileSync(path()), readFileSync(`${path()}-wal`)];
    crashed.close();
    writeFileSync(path(), head);
    writeFileSync(`${path()}-wal`, log.subarray(0, whole + 5_000));
    const { store, aside } = openStore(folder, NOW);
    expect(aside).toBeNull();
    expect(store.machines().map(({ id }) => id)).toEqual(['m-early']);
    store.close();
  });
});

describe('what is no damage', () => {
  test('a newer version is refused and left where it is', () => {
    fillDatabase();
    const database = new DatabaseSync(path());
    database.exec(`pragma user_version = ${migrations.length + 2}`);
    database.close();
    expect(() => openStore(folder, NOW)).toThrow(/written by a newer hostler/);
    expect(setAside()).toEqual([]);
    expect(existsSync(path())).toBe(true);
  });

  test('a folder in its place is refused in words', () => {
    expect(() => openStore('/proc/version', NOW)).toThrow(
      expect.objectContaining({ code: 'state-unusable' }),
    );
  });
});

describe('the version before', () => {
  /** The statements by which version 1 wrote and read certificates. */
  const before = {
    put: 'insert or replace into machine_tls (machine, cert, key) values (?, ?, ?)',
    get: 'select cert, key from machine_tls where machine = ?',
  };

  test('finds in this state what it knows, and leaves what this one can read', () => {
    const { store } = openStore(folder, NOW);
    store.putMachineTls('m-1', { cert: 'C', key: 'K', ca: 'A' });
    store.close();
    const old = new DatabaseSync(path());
    expect({ ...old.prepare(before.get).get('m-1') }).toEqual({ cert: 'C', key: 'K' });
    old.prepare(before.put).run('m-2', 'C2', 'K2');
    old.close();
    const again = openStore(folder, NOW).store;
    expect(again.machineTls('m-1')).toEqual({ cert: 'C', key: 'K', ca: 'A' });
    expect(again.machineTls('m-2')).toEqual({ cert: 'C2', key: 'K2', ca: null });
    again.close();
  });

  test('leaves a state that is brought forward with all it holds', () => {
    const old = new DatabaseSync(path());
    old.exec(`${migrations[0]} pragma user_version = 1; pragma journal_mode = wal`);
    old
      .prepare('insert into machines (id, gone_at, body) values (?, null, ?)')
      .run('m-1', JSON.stringify(aMachine({ id: 'm-1' })));
    old.prepare(before.put).run('m-1', 'C', 'K');
    old.close();
    const { store, isNew } = openStore(folder, NOW);
    expect(isNew).toBe(false);
    expect(store.machine('m-1')).toEqual(aMachine({ id: 'm-1' }));
    expect(store.machineTls('m-1')).toEqual({ cert: 'C', key: 'K', ca: null });
    store.close();
  });
});
