// How many jobs were pending when the daemon last knew, kept over a restart: a daemon that starts while GitLab is away
// must not end the machines that these jobs called for.
// Trap: what is remembered only holds; it never launches, and it ends with the first whole view or after two hours.
import type { JobGroup } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS } from '../domain/units.ts';
import type { Store } from '../ports/store.ts';

/** The longest that a memory holds machines: outages of GitLab are shorter, forgotten machines cost more. */
const KEPT_MS: DurationMs = 2 * HOUR_MS;
const FACT = 'queue-pending';
/** Jobs of one pool; more machines than that nobody has. */
const MOST_JOBS = 100_000;

/** The same numbers are written again after this: other jobs may be behind them. */
const REWRITTEN_MS: DurationMs = MINUTE_MS;

type Seen = { jobs: number; at: EpochMs };

export type QueueMemory = {
  /** The held group of a pool, until `forget`. */
  group(pool: string, now: EpochMs): JobGroup | null;
  forget(pool: string): void;
  /** Writes what is pending, with the time it was seen, if it is other than before or a while ago. */
  save(seen: ReadonlyMap<string, { jobs: number; at: EpochMs }>, now: EpochMs): void;
};

function isEntry(value: unknown): value is Seen {
  if (typeof value !== 'object' || value === null || !('jobs' in value) || !('at' in value)) return false;
  const { jobs, at } = value;
  return Number.isSafeInteger(jobs) && Number(jobs) > 0 && Number(jobs) <= MOST_JOBS && Number.isFinite(at);
}

function parse(text: string | null): Map<string, Seen> {
  try {
    const read: unknown = JSON.parse(text ?? '{}');
    const entries = typeof read === 'object' && read !== null ? Object.entries(read) : [];
    return new Map(entries.filter((entry): entry is [string, Seen] => isEntry(entry[1])));
  } catch {
    return new Map();
  }
}

/** The memory in the state folder's database. */
export function createQueueMemory(store: Pick<Store, 'fact' | 'putFact'>): QueueMemory {
  const restored = parse(store.fact(FACT));
  let saved = '';
  let savedAt = 0;
  return {
    group(pool, now) {
      const found = restored.get(pool);
      if (found === undefined || now - found.at > KEPT_MS) return null;
      const queuedAt = Array<EpochMs>(found.jobs).fill(found.at);
      return { pools: [pool], observedAt: found.at, held: true, queuedAt };
    },
    forget: (pool) => void restored.delete(pool),
    save(seen, now) {
      const counts = [...seen].filter(([, { jobs }]) => jobs > 0).toSorted(([a], [b]) => (a < b ? -1 : 1));
      const text = JSON.stringify(counts.map(([pool, { jobs }]) => [pool, jobs]));
      if (text === saved && (counts.length === 0 || now - savedAt < REWRITTEN_MS)) return;
      saved = text;
      savedAt = now;
      const kept: Record<string, Seen> = Object.fromEntries(counts);
      for (const [pool, entry] of restored) kept[pool] ??= entry;
      store.putFact(FACT, JSON.stringify(kept));
    },
  };
}
