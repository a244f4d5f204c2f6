// The store port on SQLite. One process writes, so every table but the events is also held in memory: a tick over
// 10,000 machines reads no disk. Writes go through at once, in WAL mode: transactions (intents, leases) wait for the disk,
// single rows (how far a boot is) survive a crash of the process and are learned again after a power loss.
// Trap: after a failed transaction the memory is read again from disk; nothing may keep a map across `transaction`.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Launch } from '../../domain/launch.ts';
import type { Lease } from '../../domain/lease.ts';
import type { Machine } from '../../domain/machine.ts';
import type { PoolMemory } from '../../domain/observation.ts';
import type { Rest } from '../../domain/outcome.ts';
import type { Event } from '../../domain/plan.ts';
import type { ReasonCode } from '../../domain/reason.ts';
import type { EpochMs } from '../../domain/units.ts';
import type { Store } from '../../ports/store.ts';

/** Events kept, a few weeks of a busy pool at about 300 bytes each. */
const EVENTS_KEPT = 50_000;
/** Old events are cut every so many new ones: a delete for each would double the writes. */
const EVENTS_CUT_EVERY = 500;
/** Events written together at the latest; the daemon flushes once a second. */
const EVENTS_TOGETHER = 200;
/** Boots kept a pool: enough for a steady 90th percentile, few enough to follow a change of AMI. */
const BOOTS_KEPT = 50;

type Keyed<T> = {
  all: Map<string, T>;
  put(key: string, value: T, ...more: SQLInputValue[]): void;
  drop(key: string): void;
  load(): void;
};

/** A table of JSON bodies by key with its image in memory. */
function keyed<T>(database: DatabaseSync, table: string, key: string, extra = ''): Keyed<T> {
  const columns = [key, 'body', ...(extra === '' ? [] : [extra])];
  const insert = database.prepare(
    `insert or replace into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
  );
  const remove = database.prepare(`delete from ${table} where ${key} = ?`);
  const all = new Map<string, T>();
  const load = () => {
    all.clear();
    for (const row of database.prepare(`select ${key} as k, body from ${table} order by rowid`).all()) {
      all.set(String(row['k']), JSON.parse(String(row['body'])) as T);
    }
  };
  load();
  return {
    all,
    load,
    put(id, value, ...more) {
      insert.run(id, JSON.stringify(value), ...more);
      all.set(id, value);
    },
    drop(id) {
      remove.run(id);
      all.delete(id);
    },
  };
}

function eventOf(row: Record<string, unknown>): Event {
  return {
    seq: Number(row['seq']),
    at: Number(row['at']),
    code: row['code'] as ReasonCode,
    pool: (row['pool'] as string | null) ?? null,
    machine: (row['machine'] as string | null) ?? null,
    lease: (row['lease'] as string | null) ?? null,
    text: String(row['text']),
    detail: JSON.parse(String(row['detail'])) as Event['detail'],
  };
}

/** The history and the boots: append-only, read from disk. Events are written a few at a time: one sync each would cost more than what they tell of. */
function history(database: DatabaseSync): Pick<Store, 'flush' | 'addEvent' | 'events' | 'boots' | 'addBoot'> {
  const insert = database.prepare(
    'insert into events (seq, at, code, pool, machine, lease, text, detail) values (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const last = database.prepare('select seq from sqlite_sequence where name = ?').get('events');
  let seq = Number(last?.['seq'] ?? 0);
  let pending: Event[] = [];
  const cut = database.prepare('delete from events where seq <= ?');
  const addBoot = database.prepare('insert into boots (pool, ms) values (?, ?)');
  const cutBoots = database.prepare(
    'delete from boots where pool = ? and seq not in (select seq from boots where pool = ? order by seq desc limit ?)',
  );
  function flush(): void {
    if (pending.length === 0) return;
    const events = pending;
    pending = [];
    const own = !database.isTransaction;
    if (own) database.exec('begin immediate');
    for (const { seq: number, at, code, pool, machine, lease, text, detail } of events)
      insert.run(number, at, code, pool, machine, lease, text, JSON.stringify(detail));
    if (seq % EVENTS_CUT_EVERY < events.length) cut.run(seq - EVENTS_KEPT);
    if (own) database.exec('commit');
  }

  return {
    flush,
    addEvent(event) {
      pending.push({ ...event, seq: ++seq });
      if (pending.length >= EVENTS_TOGETHER) flush();
      return seq;
    },
    events({ after, limit, pool, machine, lease }) {
      flush();
      const filters = (
        [
          ['pool', pool],
          ['machine', machine],
          ['lease', lease],
        ] as const
      ).filter(([, value]) => value !== undefined);
      const where = ['seq > ?', ...filters.map(([name]) => `${name} = ?`)].join(' and ');
      const values = [after ?? 0, ...filters.map(([, value]) => String(value))];
      // Following goes forward from `after`; a first look wants the newest.
      const order = after === undefined ? 'desc' : 'asc';
      const rows = database
        .prepare(`select * from events where ${where} order by seq ${order} limit ?`)
        .all(...values, limit);
      const events = rows.map(eventOf);
      return after === undefined ? events.toReversed() : events;
    },
    boots(pool) {
      return database
        .prepare('select ms from boots where pool = ? order by seq')
        .all(pool)
        .map((row) => Number(row['ms']));
    },
    addBoot(pool, ms) {
      addBoot.run(pool, Math.round(ms));
      cutBoots.run(pool, pool, BOOTS_KEPT);
    },
  };
}

function prepare(database: DatabaseSync) {
  return {
    tls: database.prepare('select cert, key from machine_tls where machine = ?'),
    putTls: database.prepare('insert or replace into machine_tls (machine, cert, key) values (?, ?, ?)'),
    dropTls: database.prepare('delete from machine_tls where machine = ?'),
    oldMachines: database.prepare('select id from machines where gone_at < ?'),
    oldLaunches: database.prepare('select token from launches where settled_at < ?'),
    stores: database.prepare('select path from stores order by path'),
    addStore: database.prepare('insert or ignore into stores (path) values (?)'),
    fact: database.prepare('select value from facts where name = ?'),
    putFact: database.prepare('insert or replace into facts (name, value) values (?, ?)'),
  };
}

/** The store on an open database (see database.ts). */
export function createStore(database: DatabaseSync): Store {
  const machines = keyed<Machine>(database, 'machines', 'id', 'gone_at');
  const leases = keyed<Lease>(database, 'leases', 'name');
  const launches = keyed<Launch>(database, 'launches', 'token', 'settled_at');
  const rests = keyed<Rest>(database, 'rests', 'key');
  const memories = keyed<PoolMemory>(database, 'memories', 'pool');
  const tables = [machines, leases, launches, rests, memories];
  const statement = prepare(database);
  const past = history(database);
  let depth = 0;

  function transaction<T>(work: () => T, survives: 'power-loss' | 'crash' = 'power-loss'): T {
    if (depth > 0) return work();
    const waitsForDisk = survives === 'power-loss';
    database.exec(waitsForDisk ? 'pragma synchronous = full; begin immediate' : 'begin immediate');
    depth = 1;
    try {
      const result = work();
      database.exec('commit');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('rollback');
      for (const table of tables) table.load();
      throw error;
    } finally {
      depth = 0;
      if (waitsForDisk) database.exec('pragma synchronous = normal');
    }
  }

  return {
    ...past,
    transaction,
    machines: () => [...machines.all.values()],
    machine: (id) => machines.all.get(id) ?? null,
    putMachine: (machine) =>
      machines.put(machine.id, machine, machine.phase === 'gone' ? machine.since : null),
    dropGone(before: EpochMs) {
      for (const row of statement.oldMachines.all(before)) {
        machines.drop(String(row['id']));
        statement.dropTls.run(String(row['id']));
      }
      for (const row of statement.oldLaunches.all(before)) launches.drop(String(row['token']));
    },
    machineTls(id) {
      const row = statement.tls.get(id);
      return row === undefined ? null : { cert: String(row['cert']), key: String(row['key']) };
    },
    putMachineTls: (id, tls) => void statement.putTls.run(id, tls.cert, tls.key),
    leases: () => [...leases.all.values()],
    lease: (name) => leases.all.get(name) ?? null,
    putLease: (lease) => leases.put(lease.name, lease),
    deleteLease: (name) => leases.drop(name),
    launches: () => [...launches.all.values()],
    launch: (token) => launches.all.get(token) ?? null,
    putLaunch: (launch) => launches.put(launch.token, launch, launch.state === 'intended' ? null : launch.at),
    rests: () => [...rests.all.values()],
    putRest: (rest) => rests.put(rest.key, rest),
    deleteRest: (key) => rests.drop(key),
    memory: (pool) => memories.all.get(pool) ?? null,
    putMemory: (memory) => memories.put(memory.pool, memory),
    stores: () => statement.stores.all().map((row) => String(row['path'])),
    addStore: (path) => void statement.addStore.run(path),
    fact(name) {
      const row = statement.fact.get(name);
      return row === undefined ? null : String(row['value']);
    },
    putFact: (name, value) => void statement.putFact.run(name, value),
    close() {
      past.flush();
      database.close();
    },
  };
}
