// hostler's memory on disk: machines, leases, intents, rests, events. Calls are synchronous, so that nothing can come
// between reading and writing inside `transaction`.
// Trap: a write that must survive power loss (intents, handed-over leases) is one durable `transaction`. When the disk
// takes nothing, only those fail; everything else is kept in memory and written later.
import type { CostEntry } from '../domain/cost.ts';
import type { Launch } from '../domain/launch.ts';
import type { Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import type { PoolMemory } from '../domain/observation.ts';
import type { Rest } from '../domain/outcome.ts';
import type { Event } from '../domain/plan.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';

/** Client certificate and key of a machine, and the authority its server certificate comes from (null: the present one). */
export type MachineTls = { cert: string; key: string; ca?: string | null };

export interface Store {
  /**
   * Runs `work` in one write transaction; throws what it throws, with nothing written. Inside another transaction it
   * joins that one. `power-loss` (the default) returns after the disk has it and all before it; `crash` is some ten
   * times cheaper and survives everything but a power loss: for what a later, durable step confirms.
   * Throws `state-unwritable`, with nothing changed, when a `power-loss` one cannot be written.
   */
  transaction<T>(work: () => T, survives?: 'power-loss' | 'crash'): T;

  machines(): Machine[];
  machine(id: string): Machine | null;
  putMachine(machine: Machine): void;
  /** Forgets machines that have been gone since before `before`. */
  dropGone(before: EpochMs): void;
  /** What a machine is reached with, made at provisioning. */
  machineTls(id: string): MachineTls | null;
  putMachineTls(id: string, tls: MachineTls): void;

  leases(): Lease[];
  lease(name: string): Lease | null;
  putLease(lease: Lease): void;
  deleteLease(name: string): void;

  launches(): Launch[];
  launch(token: string): Launch | null;
  putLaunch(launch: Launch): void;

  rests(): Rest[];
  putRest(rest: Rest): void;
  deleteRest(key: string): void;

  memory(pool: string): PoolMemory | null;
  putMemory(memory: PoolMemory): void;

  /** Boots seen, launch to ready, newest last, at most 50 a pool. */
  boots(pool: string): DurationMs[];
  addBoot(pool: string, ms: DurationMs): void;

  /**
   * Appends to the history and returns the number it got. The newest 50,000 are kept. Written with the next flush, so
   * a crash may lose the last second of history, never of state.
   */
  addEvent(event: Omit<Event, 'seq'>): number;
  events(query: { after?: number; limit: number; pool?: string; machine?: string; lease?: string }): Event[];

  /** Appends to the ledger of costs; the newest 200,000 entries are kept. */
  addCost(entry: CostEntry): void;
  /** Entries that end after `since`, oldest first. */
  costs(since: EpochMs): CostEntry[];

  /** Writes events that are still in memory; in trouble it tries the disk again. Never throws for the disk. Once a second. */
  flush(): void;

  /** Why nothing can be written now, in words, or null. Ends with the first `flush` that works. */
  trouble(): string | null;

  /** Machine stores (MACHINE_STORAGE_PATH folders) that doors have named. */
  stores(): string[];
  addStore(path: string): void;

  /** Small facts: manager uuid, last tick, schema's own. */
  fact(name: string): string | null;
  putFact(name: string, value: string): void;

  close(): void;
}
