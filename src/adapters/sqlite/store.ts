// The store port on SQLite. One process writes, so all but the events and the certificates is also held in memory: a tick
// over 10,000 machines reads no disk. Writes go out when their transaction ends, in WAL mode: what must survive a power
// loss (intents, hand-overs) waits for the disk, the rest survives a crash and is learned again after a power loss.
// Trap: a disk that takes nothing refuses what must be durable and only that; all else is kept in memory and written
// later, so that a full disk never ends a job or the daemon.
import type { DatabaseSync } from 'node:sqlite';
import { HostlerError } from '../../domain/error.ts';
import type { Launch } from '../../domain/launch.ts';
import type { Lease } from '../../domain/lease.ts';
import type { Machine } from '../../domain/machine.ts';
import type { PoolMemory } from '../../domain/observation.ts';
import type { Rest } from '../../domain/outcome.ts';
import type { DurationMs } from '../../domain/units.ts';
import type { MachineTls, Store } from '../../ports/store.ts';
import { createCostTable } from './cost-table.ts';
import { type Batch, createDisk } from './disk.ts';
import { createHistory } from './history.ts';
import { change, createTableImage, type Record } from './table-image.ts';

/** Boots kept a pool: enough for a steady 90th percentile, few enough to follow a change of AMI. */
const BOOTS_KEPT = 50;

type Survives = Parameters<Store['transaction']>[1];

/** Collects what a transaction changes, writes it at its end, or undoes it. `settled`: all that came before is written. */
function createChanges(database: DatabaseSync, settled: () => void) {
  const disk = createDisk(database);
  let open: { batch: Batch; undo: (() => void)[] } | null = null;

  function undoAll(steps: readonly (() => void)[]): void {
    for (const undo of steps.toReversed()) undo();
  }

  function end({ batch, undo }: NonNullable<typeof open>, survives: Survives): void {
    const isDurable = survives === 'power-loss';
    let written = false;
    try {
      written = disk.write(batch, isDurable);
    } catch (error) {
      undoAll(undo);
      throw error;
    }
    if (written) return settled();
    if (batch.size === 0) return;
    if (!isDurable) return disk.keep(batch);
    undoAll(undo);
    throw new HostlerError('state-unwritable', disk.trouble() ?? 'the state cannot be written');
  }

  function transaction<T>(work: () => T, survives: Survives = 'power-loss'): T {
    if (open !== null) return work();
    const mine = { batch: new Map() as Batch, undo: [] as (() => void)[] };
    open = mine;
    let result: T;
    try {
      result = work();
    } catch (error) {
      undoAll(mine.undo);
      throw error;
    } finally {
      open = null;
    }
    end(mine, survives);
    return result;
  }

  const record: Record = (row, write, undo) => {
    if (open === null) return end({ batch: new Map([[row, write]]), undo: [undo] }, 'crash');
    open.batch.set(row, write);
    open.undo.push(undo);
  };
  return { disk, transaction, record };
}

/** Boots by pool, newest last. */
function createBoots(database: DatabaseSync, record: Record): Pick<Store, 'boots' | 'addBoot'> {
  const insert = database.prepare('insert into boots (pool, ms) values (?, ?)');
  const cut = database.prepare(
    'delete from boots where pool = ? and seq not in (select seq from boots where pool = ? order by seq desc limit ?)',
  );
  const seen = new Map<string, readonly DurationMs[]>();
  for (const row of database.prepare('select pool, ms from boots order by seq').all()) {
    const pool = String(row['pool']);
    seen.set(pool, [...(seen.get(pool) ?? []), Number(row['ms'])].slice(-BOOTS_KEPT));
  }
  let written = 0;
  return {
    boots: (pool) => [...(seen.get(pool) ?? [])],
    addBoot(pool, ms) {
      const whole = Math.round(ms);
      const undo = change(seen, pool, [...(seen.get(pool) ?? []), whole].slice(-BOOTS_KEPT));
      const write = () => {
        insert.run(pool, whole);
        cut.run(pool, pool, BOOTS_KEPT);
      };
      record(`boots ${++written}`, write, undo);
    },
  };
}

/** Store folders and small facts. */
function createFacts(
  database: DatabaseSync,
  record: Record,
): Pick<Store, 'stores' | 'addStore' | 'fact' | 'putFact'> {
  const addStore = database.prepare('insert or ignore into stores (path) values (?)');
  const putFact = database.prepare('insert or replace into facts (name, value) values (?, ?)');
  const paths = new Map<string, true>();
  const facts = new Map<string, string>();
  for (const row of database.prepare('select path from stores').all()) paths.set(String(row['path']), true);
  for (const row of database.prepare("select name, value from facts where name <> 'probe'").all())
    facts.set(String(row['name']), String(row['value']));
  return {
    stores: () => [...paths.keys()].toSorted(),
    addStore(path) {
      if (!paths.has(path))
        record(`stores ${path}`, () => void addStore.run(path), change(paths, path, true));
    },
    fact: (name) => facts.get(name) ?? null,
    putFact: (name, value) =>
      record(`facts ${name}`, () => void putFact.run(name, value), change(facts, name, value)),
  };
}

/** Certificates stay on disk, some 2 KB a machine; only those that are not written yet are held. */
function createCertificates(database: DatabaseSync, record: Record, waiting: Map<string, MachineTls>) {
  const find = database.prepare('select cert, key, ca from machine_tls where machine = ?');
  const insert = database.prepare(
    'insert or replace into machine_tls (machine, cert, key, ca) values (?, ?, ?, ?)',
  );
  const remove = database.prepare('delete from machine_tls where machine = ?');
  return {
    get(id: string): MachineTls | null {
      const held = waiting.get(id);
      if (held !== undefined) return held;
      const row = find.get(id);
      if (row === undefined) return null;
      return { cert: String(row['cert']), key: String(row['key']), ca: (row['ca'] as string | null) ?? null };
    },
    put(id: string, tls: MachineTls): void {
      const write = () => void insert.run(id, tls.cert, tls.key, tls.ca ?? null);
      record(`machine_tls ${id}`, write, change(waiting, id, tls));
    },
    drop(id: string): void {
      record(`machine_tls ${id}`, () => void remove.run(id), change<MachineTls>(waiting, id, undefined));
    },
  };
}

/** The store on an open database (see database.ts). */
export function createStore(database: DatabaseSync): Store {
  const waitingTls = new Map<string, MachineTls>();
  const { disk, transaction, record } = createChanges(database, () => waitingTls.clear());
  const image = <T>(table: string, key: string, extra?: string) =>
    createTableImage<T>(database, extra === undefined ? { table, key } : { table, key, extra }, record);
  const machines = image<Machine>('machines', 'id', 'gone_at');
  const leases = image<Lease>('leases', 'name');
  const launches = image<Launch>('launches', 'token', 'settled_at');
  const rests = image<Rest>('rests', 'key');
  const memories = image<PoolMemory>('memories', 'pool');
  const tls = createCertificates(database, record, waitingTls);
  const history = createHistory(database);

  function flush(): void {
    const pending = history.pending();
    const isWell = disk.trouble() === null ? disk.write(pending, false) : disk.retry(pending);
    if (!isWell) return;
    history.written();
    waitingTls.clear();
  }

  return {
    transaction,
    flush,
    trouble: () => disk.trouble(),
    machines: () => [...machines.all.values()],
    machine: (id) => machines.all.get(id) ?? null,
    putMachine: (machine) =>
      machines.put(machine.id, machine, machine.phase === 'gone' ? machine.since : null),
    dropGone: (before) =>
      transaction(() => {
        for (const { id, phase, since } of machines.all.values()) {
          if (phase !== 'gone' || since >= before) continue;
          machines.drop(id);
          tls.drop(id);
        }
        for (const { token, state, at } of launches.all.values())
          if (state !== 'intended' && at < before) launches.drop(token);
      }, 'crash'),
    machineTls: (id) => tls.get(id),
    putMachineTls: (id, { cert, key, ca = null }) => tls.put(id, { cert, key, ca }),
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
    ...createBoots(database, record),
    ...createFacts(database, record),
    ...createCostTable(database, record),
    addEvent(event) {
      const { seq, full } = history.add(event);
      if (full && disk.trouble() === null) flush();
      return seq;
    },
    events(query) {
      if (disk.trouble() === null) flush();
      return history.find(query);
    },
    close() {
      flush();
      database.close();
    },
  };
}
