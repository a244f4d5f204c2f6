// A table of JSON bodies by key with its image in memory: reads never touch the disk, writes go to a recorder that knows
// how to undo them. Must not write by itself.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

/** Takes one row's change: how to write it, and how the image looked before. */
export type Record = (row: string, write: () => void, undo: () => void) => void;

export type TableImage<T> = {
  all: ReadonlyMap<string, T>;
  put(key: string, value: T, ...more: SQLInputValue[]): void;
  drop(key: string): void;
};

/** Sets or removes a key and gives the way back. */
export function change<T>(image: Map<string, T>, key: string, value: T | undefined): () => void {
  const before = image.get(key);
  const set = (to: T | undefined) => void (to === undefined ? image.delete(key) : image.set(key, to));
  set(value);
  return () => set(before);
}

/** The image of `table`, whose column `key` names a row; `extra`: one more column, for queries by hand. */
export function createTableImage<T>(
  database: DatabaseSync,
  at: { table: string; key: string; extra?: string },
  record: Record,
): TableImage<T> {
  const { table, key, extra } = at;
  const columns = [key, 'body', ...(extra === undefined ? [] : [extra])];
  // `insert or replace` would give a known row a new place: three pages written for one.
  const set = columns.slice(1).map((column) => `${column} = excluded.${column}`);
  const put = database.prepare(
    `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})
    on conflict (${key}) do update set ${set.join(', ')}`,
  );
  const remove = database.prepare(`delete from ${table} where ${key} = ?`);
  const all = new Map<string, T>();
  for (const row of database.prepare(`select ${key} as k, body from ${table} order by rowid`).all())
    all.set(String(row['k']), JSON.parse(String(row['body'])) as T);
  return {
    all,
    put(id, value, ...more) {
      const body = JSON.stringify(value);
      record(`${table} ${id}`, () => void put.run(id, body, ...more), change(all, id, value));
    },
    drop(id) {
      record(`${table} ${id}`, () => void remove.run(id), change<T>(all, id, undefined));
    },
  };
}
