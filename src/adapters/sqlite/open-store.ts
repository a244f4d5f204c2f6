// Opens the store of a state folder. A database that is damaged is set aside, not removed, and a new one begun: machines
// are then taken back by their tags and leases learned again, as after a lost database.
// Must not set a database aside for any other reason: no permission, no space, a lock or a newer version may pass.
import { existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HostlerError, messageOf } from '../../domain/error.ts';
import type { Store } from '../../ports/store.ts';
import { openDatabase } from './database.ts';
import { createStore } from './store.ts';

/** File name below the state folder. */
export const DATABASE_FILE = 'state.db';

/** SQLite's result codes for a file that is no sound database: SQLITE_CORRUPT, SQLITE_NOTADB. */
const damagedCodes: ReadonlySet<number> = new Set([11, 26]);

/** What an opened store went through: a damaged database lies at `aside` now; `isNew`: nothing was known before. */
export type OpenedStore = { store: Store; aside: { file: string; why: string } | null; isNew: boolean };

/** Thrown when the pages are sound but do not hold together, or a row is no JSON. */
class Damaged extends Error {}

function isDamage(error: unknown): boolean {
  if (error instanceof Damaged || error instanceof SyntaxError) return true;
  const cause = error instanceof HostlerError ? error.cause : error;
  const code = (cause as { errcode?: unknown } | null | undefined)?.errcode;
  return typeof code === 'number' && damagedCodes.has(code & 0xff);
}

function open(path: string): Store {
  const database = openDatabase(path);
  try {
    const [found] = database.prepare('pragma quick_check(1)').all();
    const verdict = String(found?.['quick_check'] ?? 'ok');
    if (verdict !== 'ok') throw new Damaged(verdict);
    return createStore(database);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Moves the database and what belongs to it; the stamp keeps several apart. */
function setAside(path: string, now: number): string {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const file = `${path}.broken-${stamp}`;
  for (const end of ['', '-wal', '-shm'])
    if (existsSync(`${path}${end}`)) renameSync(`${path}${end}`, `${file}${end}`);
  return file;
}

/** Opens `folder`'s store, `now` in epoch ms. Throws `state-unusable` for all but damage. */
export function openStore(folder: string, now: number): OpenedStore {
  const path = join(folder, DATABASE_FILE);
  const isNew = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0 && !existsSync(`${path}-wal`);
  try {
    return { store: open(path), aside: null, isNew };
  } catch (error) {
    if (!isDamage(error)) throw error;
    const why = messageOf(error instanceof HostlerError ? error.cause : error);
    try {
      const file = setAside(path, now);
      return { store: open(path), aside: { file, why }, isNew: true };
    } catch (failure) {
      throw new HostlerError(
        'state-unusable',
        `${path} is damaged (${why}) and cannot be set aside: ${messageOf(failure)}`,
        { where: path, cause: failure },
      );
    }
  }
}
