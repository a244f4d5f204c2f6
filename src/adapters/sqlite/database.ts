// Opens the state database and holds the folder's lock: one daemon per state folder.
// Traps: the lock file must never be opened by anything else in this process (closing it would drop the lock);
// a busy database blocks the whole event loop for its timeout, so that is short.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HostlerError, messageOf } from '../../domain/error.ts';
import { BUSY_TIMEOUT_MS } from './disk.ts';
import { migrations } from './schema.ts';

function explain(folder: string, error: unknown): HostlerError {
  return new HostlerError('state-unusable', `the state folder cannot be used: ${messageOf(error)}`, {
    where: folder,
    cause: error,
  });
}

/**
 * Takes the folder's lock, or throws `already-running` with the pid of the holder. The lock ends with the process,
 * however it ends, or with the returned function.
 */
export function lockFolder(folder: string): () => void {
  const pidFile = join(folder, 'hostler.pid');
  let lock: DatabaseSync;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    lock = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 });
  } catch (error) {
    throw explain(folder, error);
  }
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive;');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== 5) throw explain(folder, error);
    const pid = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').trim() : 'unknown';
    throw new HostlerError('already-running', `another hostler (pid ${pid}) uses this state folder`, {
      where: folder,
    });
  }
  try {
    writeFileSync(pidFile, `${process.pid}\n`);
  } catch {
    // It only serves the message above.
  }
  return () => lock.close();
}

/** Opens (`:memory:` or a file) and migrates. Throws `state-unusable`, SQLite's error as its cause. */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    if (path !== ':memory:') chmodSync(path, 0o600);
    database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on;');
    migrate(database);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof HostlerError) throw error;
    throw explain(path, error);
  }
}

/** Versions only add, so a state one version newer still holds all this one knows; more is refused, untouched. */
function migrate(database: DatabaseSync): void {
  const row = database.prepare('pragma user_version').get() as { user_version: number };
  if (row.user_version > migrations.length + 1) {
    const message = `the state was written by a newer hostler (version ${row.user_version}, this one knows ${migrations.length}); start that one, or put a backup back`;
    throw new HostlerError('state-unusable', message);
  }
  for (let version = row.user_version; version < migrations.length; version++) {
    database.exec(`begin immediate; ${migrations[version]} pragma user_version = ${version + 1}; commit;`);
  }
}
