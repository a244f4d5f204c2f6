// The events: numbered at once, written a few at a time (one sync each would cost more than what they tell of), read from
// disk together with those that are not written yet.
// Trap: while the disk takes nothing they wait here, the newest of them; the rest is in the log.
import type { DatabaseSync } from 'node:sqlite';
import type { Event } from '../../domain/plan.ts';
import type { ReasonCode } from '../../domain/reason.ts';
import type { Store } from '../../ports/store.ts';
import type { Batch } from './disk.ts';

/** Events kept, a few weeks of a busy pool at about 300 bytes each. */
const EVENTS_KEPT = 50_000;
/** Old events are cut every so many new ones: a delete for each would double the writes. */
const EVENTS_CUT_EVERY = 500;
/** Events written together at the latest; the daemon flushes once a second. */
const EVENTS_TOGETHER = 200;
/** Events that wait for a disk at most: hours of a busy pool, some 2 MB. */
const EVENTS_WAITING = 5_000;

type Query = Parameters<Store['events']>[0];

export type History = {
  /** Appends and returns the number; `full` = time to write. */
  add(event: Omit<Event, 'seq'>): { seq: number; full: boolean };
  /** What is not written yet, as one batch; `written` forgets it. */
  pending(): Batch;
  written(): void;
  find(query: Query): Event[];
};

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

const places = ['pool', 'machine', 'lease'] as const;

/** The history in an open database. */
export function createHistory(database: DatabaseSync): History {
  const insert = database.prepare(
    'insert into events (seq, at, code, pool, machine, lease, text, detail) values (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const cut = database.prepare('delete from events where seq <= ?');
  const last = database.prepare('select seq from sqlite_sequence where name = ?').get('events');
  let seq = Number(last?.['seq'] ?? 0);
  let waiting: Event[] = [];

  const writeOne = ({ seq: number, at, code, pool, machine, lease, text, detail }: Event) =>
    void insert.run(number, at, code, pool, machine, lease, text, JSON.stringify(detail));

  /** A row each, so that they are written in one transaction. */
  function pending(): Batch {
    const batch: Batch = new Map();
    for (const event of waiting) batch.set(`events ${event.seq}`, () => writeOne(event));
    if (seq % EVENTS_CUT_EVERY < waiting.length)
      batch.set('events cut', () => void cut.run(seq - EVENTS_KEPT));
    return batch;
  }

  function onDisk(query: Query): Event[] {
    const filters = places.filter((name) => query[name] !== undefined);
    const where = ['seq > ?', ...filters.map((name) => `${name} = ?`)].join(' and ');
    const values = [query.after ?? 0, ...filters.map((name) => String(query[name]))];
    // Following goes forward from `after`; a first look wants the newest.
    const order = query.after === undefined ? 'desc' : 'asc';
    const rows = database
      .prepare(`select * from events where ${where} order by seq ${order} limit ?`)
      .all(...values, query.limit);
    const events = rows.map(eventOf);
    return query.after === undefined ? events.toReversed() : events;
  }

  return {
    add(event) {
      waiting.push({ ...event, seq: ++seq });
      if (waiting.length > EVENTS_WAITING) waiting = waiting.slice(-EVENTS_WAITING);
      return { seq, full: waiting.length >= EVENTS_TOGETHER };
    },
    pending,
    written() {
      waiting = [];
    },
    find(query) {
      const { after = 0, limit } = query;
      const fresh = waiting.filter(
        (event) =>
          event.seq > after &&
          places.every((name) => query[name] === undefined || event[name] === query[name]),
      );
      const all = [...onDisk(query), ...fresh];
      return query.after === undefined ? all.slice(-limit) : all.slice(0, limit);
    },
  };
}
