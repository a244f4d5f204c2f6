// The creates that wait for a machine. Oldest first within a pool.
// A create that gave up leaves its place behind for a while: the runner's next try takes it over instead of starting last.
import type { DurationMs, EpochMs } from '../domain/units.ts';

/** How long a place is kept: the runner tries again after 1 to 4 s (facts: create failures); 30 s covers a busy manager. */
export const PLACE_KEPT_MS: DurationMs = 30_000;

export type Waiter = {
  name: string;
  pool: string;
  /** Its place: when it began to wait, or the inherited time. */
  since: EpochMs;
};

export type WaitingLine = {
  add(waiter: Waiter): void;
  remove(name: string): void;
  get(name: string): Waiter | null;
  /** Oldest first; ties by name. */
  of(pool: string): Waiter[];
  first(pool: string): Waiter | null;
  /** 1 = next to be served; 0 = not waiting. */
  place(name: string): number;
  size(): number;
  /** The clock was set: all places move along, so that nobody who comes later comes first. */
  move(by: DurationMs): void;
  /** Leaves a place for the pool's next create; `now` is monotonic. */
  leavePlace(pool: string, since: EpochMs, now: DurationMs): void;
  /** Takes the oldest place left behind, if one is fresh. */
  takePlace(pool: string, now: DurationMs): EpochMs | null;
};

/** An empty line. */
export function createWaitingLine(): WaitingLine {
  const byName = new Map<string, Waiter>();
  const byPool = new Map<string, Waiter[]>();
  let places: { pool: string; since: EpochMs; until: DurationMs }[] = [];
  const isBefore = (a: Waiter, b: Waiter) => a.since < b.since || (a.since === b.since && a.name < b.name);
  const remove = (name: string) => {
    const waiter = byName.get(name);
    if (waiter === undefined) return;
    byName.delete(name);
    const line = byPool.get(waiter.pool) ?? [];
    line.splice(line.indexOf(waiter), 1);
  };
  return {
    remove,
    of: (pool) => [...(byPool.get(pool) ?? [])],
    first: (pool) => byPool.get(pool)?.[0] ?? null,
    add(waiter) {
      remove(waiter.name);
      const line = byPool.get(waiter.pool) ?? [];
      byPool.set(waiter.pool, line);
      byName.set(waiter.name, waiter);
      // Newcomers nearly always belong at the end.
      let at = line.length;
      while (at > 0 && isBefore(waiter, line[at - 1] as Waiter)) at--;
      line.splice(at, 0, waiter);
    },
    get: (name) => byName.get(name) ?? null,
    place(name) {
      const waiter = byName.get(name);
      return waiter === undefined ? 0 : (byPool.get(waiter.pool)?.indexOf(waiter) ?? -1) + 1;
    },
    size: () => byName.size,
    move(by) {
      for (const waiter of byName.values()) waiter.since += by;
      for (const place of places) place.since += by;
    },
    leavePlace(pool, since, now) {
      places.push({ pool, since, until: now + PLACE_KEPT_MS });
    },
    takePlace(pool, now) {
      if (places.length === 0) return null;
      places = places.filter((place) => place.until > now);
      const oldest = places.filter((place) => place.pool === pool).toSorted((a, b) => a.since - b.since)[0];
      if (oldest === undefined) return null;
      places.splice(places.indexOf(oldest), 1);
      return oldest.since;
    },
  };
}
