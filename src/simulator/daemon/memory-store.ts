// The store port in memory, with the contract of the one on disk: transactions that roll back, single writes at once, events
// a few at a time, a full disk that refuses only what must be durable. Hooks stand before and after every write that reaches
// the disk: there a run kills the process.
// Trap: nothing may change between `before` and the commit, or a crash there would leave half a write behind.
import { HostlerError } from '../../domain/error.ts';
import type { Event } from '../../domain/plan.ts';
import type { Store } from '../../ports/store.ts';
import type { MemoryDisk, Undo } from './memory-disk.ts';

/** As in the store on SQLite: events kept, and written together at the latest. */
const EVENTS_KEPT = 50_000;
const EVENTS_TOGETHER = 200;
const BOOTS_KEPT = 50;
const FULL = 'the disk cannot be written: no space is left on it';

export type StoreHooks = {
  /** A write is about to reach the disk. */
  before(what: string): void;
  /** It has. */
  after(what: string): void;
  /** Any use at all; throws when the process is dead. */
  check(): void;
};

const noHooks: StoreHooks = { before: () => undefined, after: () => undefined, check: () => undefined };

type Survives = Parameters<Store['transaction']>[1];

/** The writer over one disk: collects what a transaction changes, so that it can be taken back. */
function createWriter(disk: MemoryDisk, hooks: StoreHooks) {
  let open: Undo[] | null = null;
  let trouble: string | null = null;

  function change<K, V>(table: Map<K, V>, key: K, value: V | undefined): void {
    const before = table.get(key);
    if (value === undefined) table.delete(key);
    else table.set(key, value);
    open?.push(() => {
      if (before === undefined) table.delete(key);
      else table.set(key, before);
    });
  }

  /** Writes what a transaction changed. False: the disk does not take it. */
  function write(undo: readonly Undo[], isDurable: boolean, what: string): boolean {
    if (disk.isFull && trouble === null) trouble = FULL;
    if (trouble !== null) return false;
    hooks.before(what);
    disk.commit(undo, isDurable);
    return true;
  }

  function transaction<T>(work: () => T, survives: Survives = 'power-loss', what = 'transaction'): T {
    hooks.check();
    if (open !== null) return work();
    const undo: Undo[] = [];
    const isDurable = survives === 'power-loss';
    let result: T;
    let isWritten = true;
    open = undo;
    try {
      result = work();
      open = null;
      if (undo.length > 0) {
        isWritten = write(undo, isDurable, what);
        if (!isWritten && isDurable) throw new HostlerError('state-unwritable', FULL);
      }
    } catch (error) {
      open = null;
      for (const takeBack of undo.toReversed()) takeBack();
      throw error;
    }
    if (!isWritten) disk.keep(undo);
    else if (undo.length > 0) hooks.after(what);
    return result;
  }

  return {
    transaction,
    trouble: () => trouble,
    /** One write: of the transaction under way, or one of its own. */
    put<K, V>(what: string, table: Map<K, V>, key: K, value: V | undefined): void {
      if (open !== null) change(table, key, value);
      else transaction(() => change(table, key, value), 'crash', what);
    },
    /** Tries a disk that took nothing. True when all is well. */
    retry(): boolean {
      if (trouble === null) return true;
      if (disk.isFull) return false;
      trouble = null;
      disk.settle();
      return true;
    },
  };
}

/** Events as the store on disk keeps them: what was not flushed is lost with the process. */
function createHistory(
  disk: MemoryDisk,
  hooks: StoreHooks,
  canWrite: () => boolean,
): Pick<Store, 'addEvent' | 'events' | 'flush'> {
  let pending: Event[] = [];
  let seq = disk.events.at(-1)?.seq ?? 0;
  function flush(): void {
    hooks.check();
    if (!canWrite() || disk.isFull || pending.length === 0) return;
    const events = pending;
    pending = [];
    hooks.before('events');
    disk.events.push(...events);
    if (disk.events.length > EVENTS_KEPT + 500) disk.events.splice(0, disk.events.length - EVENTS_KEPT);
    hooks.after('events');
  }
  return {
    flush,
    addEvent(event) {
      hooks.check();
      pending.push({ ...event, seq: ++seq });
      if (pending.length % EVENTS_TOGETHER === 0) flush();
      return seq;
    },
    events({ after, limit, pool, machine, lease }) {
      flush();
      const fits = [...disk.events, ...pending].filter(
        (event) =>
          event.seq > (after ?? 0) &&
          (pool === undefined || event.pool === pool) &&
          (machine === undefined || event.machine === machine) &&
          (lease === undefined || event.lease === lease),
      );
      return after === undefined ? fits.slice(Math.max(0, fits.length - limit)) : fits.slice(0, limit);
    },
  };
}

/** The store over what a disk holds; a new one over the same disk is the store after a restart. */
export function openMemoryStore(disk: MemoryDisk, hooks: StoreHooks = noHooks): Store {
  const { tables } = disk;
  const { put, transaction, trouble, retry } = createWriter(disk, hooks);
  const history = createHistory(disk, hooks, retry);
  const list = <T>(table: Map<string, T>): T[] => {
    hooks.check();
    return [...table.values()];
  };
  const find = <T>(table: Map<string, T>, key: string): T | null => {
    hooks.check();
    return table.get(key) ?? null;
  };
  return {
    ...history,
    trouble,
    transaction: (work, survives) => transaction(work, survives),
    machines: () => list(tables.machines),
    machine: (id) => find(tables.machines, id),
    putMachine: (machine) => put('machine', tables.machines, machine.id, machine),
    dropGone(before) {
      const isOld = (at: number) => at < before;
      const machines = list(tables.machines).filter(({ phase, since }) => phase === 'gone' && isOld(since));
      const launches = list(tables.launches).filter(({ state, at }) => state !== 'intended' && isOld(at));
      if (machines.length + launches.length === 0) return;
      const drop = () => {
        for (const { id } of machines) {
          put('machine', tables.machines, id, undefined);
          put('machine', tables.machineTls, id, undefined);
        }
        for (const { token } of launches) put('launch', tables.launches, token, undefined);
      };
      transaction(drop, 'crash', 'drop gone');
    },
    machineTls: (id) => find(tables.machineTls, id),
    putMachineTls: (id, { cert, key, ca = null }) =>
      put('certificate', tables.machineTls, id, { cert, key, ca }),
    leases: () => list(tables.leases),
    lease: (name) => find(tables.leases, name),
    putLease: (lease) => put('lease', tables.leases, lease.name, lease),
    deleteLease: (name) => put('lease', tables.leases, name, undefined),
    launches: () => list(tables.launches),
    launch: (token) => find(tables.launches, token),
    putLaunch: (launch) => put('launch', tables.launches, launch.token, launch),
    rests: () => list(tables.rests),
    putRest: (rest) => put('rest', tables.rests, rest.key, rest),
    deleteRest: (key) => put('rest', tables.rests, key, undefined),
    memory: (pool) => find(tables.memories, pool),
    putMemory: (memory) => put('memory', tables.memories, memory.pool, memory),
    boots: (pool) => [...(find(tables.boots, pool) ?? [])],
    addBoot(pool, ms) {
      const boots = [...(find(tables.boots, pool) ?? []), Math.round(ms)];
      put('boot', tables.boots, pool, boots.slice(-BOOTS_KEPT));
    },
    stores: () => [...tables.stores.keys()].toSorted(),
    addStore(path) {
      if (!tables.stores.has(path)) put('store', tables.stores, path, true as const);
    },
    // A run asks for no bill.
    addCost: () => undefined,
    costs: () => [],
    fact: (name) => find(tables.facts, name),
    putFact: (name, value) => put('fact', tables.facts, name, value),
    close: () => history.flush(),
  };
}
