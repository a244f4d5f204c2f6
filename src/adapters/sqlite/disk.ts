// Writes batches of rows to the database and knows when that does not work: a full disk, a read-only one, a failing one.
// What cannot be written then stays here, the newest version of each row, until a later flush finds the disk well again.
// Must not lose a row that was kept, and must not take a bug (a broken statement) for a broken disk.
// Trap: while there is trouble nothing but `retry` touches the disk: a failing one can hold up the whole event loop.
import type { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../domain/error.ts';

/** One row's write, by `table key`: a later write of the same row replaces an earlier one. */
export type Batch = Map<string, () => void>;

/** How long another process may hold the database before a write counts as failed, milliseconds: a backup reads it. */
export const BUSY_TIMEOUT_MS = 2_000;

/** SQLite's primary result codes by which the disk and not the statement is at fault, in words. */
const causes: Readonly<Record<number, string>> = {
  3: 'permission is denied',
  5: 'another process keeps the database locked',
  6: 'the database is locked',
  8: 'it is read-only',
  10: 'its disk fails, or a limit on file sizes is reached',
  11: 'the database is damaged; a restart sets it aside and goes on without it',
  13: 'no space is left on its disk',
  14: 'its files cannot be opened',
  15: 'another process is in the way',
  26: 'it is no database any more; a restart sets it aside and goes on without it',
};

/** Characters of the row that tries whether there is room again: above what a usual burst writes. */
const PROBE_CHARACTERS = 128 * 1024;

function primaryCode(error: unknown): number {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : 0;
}

/** What is wrong with the disk, or null when this error is no disk's fault. */
export function diskTrouble(error: unknown): string | null {
  const cause = causes[primaryCode(error)];
  return cause === undefined ? null : `${cause} (${messageOf(error)})`;
}

export type Disk = {
  /** Why nothing can be written now; null = it can. */
  trouble(): string | null;
  /** Writes the rows together. False when the disk does not take them; nothing of them is written then. Throws for bugs. */
  write(batch: Batch, waitsForDisk: boolean): boolean;
  /** Keeps rows that could not be written, for `retry`. */
  keep(batch: Batch): void;
  /** Tries the disk: all that is kept and `more` go out together. True when there is no trouble any more. */
  retry(more: Batch): boolean;
};

/** The disk behind an open database. */
export function createDisk(database: DatabaseSync): Disk {
  let trouble: string | null = null;
  const kept: Batch = new Map();
  const setProbe = database.prepare("insert or replace into facts (name, value) values ('probe', ?)");
  const dropProbe = database.prepare("delete from facts where name = 'probe'");
  const place = database.location() ?? 'the database';

  function undo(): void {
    try {
      if (database.isTransaction) database.exec('rollback');
    } catch {
      // SQLite has ended it by itself.
    }
  }

  function fail(error: unknown): false {
    undo();
    const cause = diskTrouble(error);
    if (cause === null) throw error;
    if (trouble === null) database.exec('pragma busy_timeout = 0');
    trouble = `${place} cannot be written: ${cause}`;
    return false;
  }

  function together(batches: readonly Batch[], waitsForDisk: boolean): boolean {
    try {
      database.exec(waitsForDisk ? 'pragma synchronous = full; begin immediate' : 'begin immediate');
      for (const batch of batches) for (const run of batch.values()) run();
      database.exec('commit');
      return true;
    } catch (error) {
      return fail(error);
    } finally {
      if (waitsForDisk) database.exec('pragma synchronous = normal');
    }
  }

  function alone(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      return fail(error);
    }
  }

  return {
    trouble: () => trouble,
    write(batch, waitsForDisk) {
      if (trouble !== null) return false;
      const [only, ...others] = batch.values();
      if (only === undefined) return true;
      return others.length === 0 && !waitsForDisk ? alone(only) : together([batch], waitsForDisk);
    },
    keep(batch) {
      for (const [row, run] of batch) kept.set(row, run);
    },
    retry(more) {
      if (trouble === null) return true;
      const probe: Batch = new Map([['probe', () => void setProbe.run('x'.repeat(PROBE_CHARACTERS))]]);
      if (!together([probe, kept, more], true)) return false;
      kept.clear();
      trouble = null;
      database.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
      return alone(() => void dropProbe.run());
    },
  };
}
