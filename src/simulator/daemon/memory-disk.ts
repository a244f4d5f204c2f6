// The disk behind the simulated store: what was committed, with the way back over what a power loss may take. A crash of the
// process loses nothing that was committed; a power loss loses some of the newest commits that no durable one followed. While
// the disk is full, changes stay in the process's memory and go with it.
// Trap: commits are lost from the newest backwards only, as a write-ahead log is cut.
import type { Launch } from '../../domain/launch.ts';
import type { Lease } from '../../domain/lease.ts';
import type { Machine } from '../../domain/machine.ts';
import type { PoolMemory } from '../../domain/observation.ts';
import type { Rest } from '../../domain/outcome.ts';
import type { Event } from '../../domain/plan.ts';
import type { DurationMs } from '../../domain/units.ts';
import type { MachineTls } from '../../ports/store.ts';

/** One change and how to take it back. */
export type Undo = () => void;

export type Tables = {
  machines: Map<string, Machine>;
  machineTls: Map<string, MachineTls>;
  leases: Map<string, Lease>;
  launches: Map<string, Launch>;
  rests: Map<string, Rest>;
  memories: Map<string, PoolMemory>;
  boots: Map<string, readonly DurationMs[]>;
  stores: Map<string, true>;
  facts: Map<string, string>;
};

export type MemoryDisk = {
  tables: Tables;
  /** Newest last; the newest 50,000 are kept. */
  events: Event[];
  /** True while the disk takes nothing. */
  isFull: boolean;
  /** One commit that the disk has; a durable one makes all before it safe too. */
  commit(undo: readonly Undo[], isDurable: boolean): void;
  /** A change that is in the process's memory only, until `settle`. */
  keep(undo: readonly Undo[]): void;
  /** The disk has taken what was kept. */
  settle(): void;
  /** The process is gone: what was only in its memory is too. Returns how many changes that were. */
  crash(): number;
  /** After a crash: up to all commits since the last durable one are lost, the newest `share` (0 to 1) of them. */
  losePower(share: number): number;
  /** Everything is gone, as after the file was deleted. */
  erase(): void;
};

function emptyTables(): Tables {
  return {
    machines: new Map(),
    machineTls: new Map(),
    leases: new Map(),
    launches: new Map(),
    rests: new Map(),
    memories: new Map(),
    boots: new Map(),
    stores: new Map(),
    facts: new Map(),
  };
}

function takeBack(commits: readonly (readonly Undo[])[]): void {
  for (const commit of commits.toReversed()) for (const undo of commit.toReversed()) undo();
}

/** An empty disk. */
export function createMemoryDisk(): MemoryDisk {
  const tables = emptyTables();
  let unsafe: (readonly Undo[])[] = [];
  let unwritten: (readonly Undo[])[] = [];
  const events: Event[] = [];
  const settle = () => {
    unsafe.push(...unwritten);
    unwritten = [];
  };
  return {
    tables,
    events,
    isFull: false,
    commit(undo, isDurable) {
      settle();
      if (isDurable) unsafe = [];
      else unsafe.push(undo);
    },
    keep: (undo) => void unwritten.push(undo),
    settle,
    crash() {
      const lost = unwritten;
      unwritten = [];
      takeBack(lost);
      return lost.length;
    },
    losePower(share) {
      const lost = unsafe.splice(unsafe.length - Math.round(unsafe.length * share));
      unsafe = [];
      takeBack(lost);
      return lost.length;
    },
    erase() {
      for (const table of Object.values(tables)) table.clear();
      events.length = 0;
      unsafe = [];
      unwritten = [];
    },
  };
}
