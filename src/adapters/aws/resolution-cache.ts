// Remembers what launch options resolve to: an hour when it worked, some seconds when it failed, one look-up at a time.
// Trap: an old answer is better than none. When a refresh fails, the last good one goes on, unless EC2 says it is wrong.
import { outcomeOf } from '../../domain/outcome.ts';
import { type DurationMs, HOUR_MS, SECOND_MS } from '../../domain/units.ts';

/** Milliseconds: AMIs behind SSM parameters change some times a month; an hour is soon enough and costs nearly no calls. */
const FRESH_MS: DurationMs = HOUR_MS;

/** Milliseconds before the next try after a refusal that will not go away by itself (options, permissions). */
const REFUSED_MS: DurationMs = 30 * SECOND_MS;

/** Milliseconds before the next try after a lost answer or throttling. */
const LOST_MS: DurationMs = 5 * SECOND_MS;

type Entry<T> = {
  site: string;
  good: { value: T; at: DurationMs } | null;
  failed: { error: unknown; until: DurationMs; asker: object } | null;
  flight: Promise<T> | null;
  /** Counts invalidations: a look-up that began before one must not count as fresh. */
  generation: number;
};

export type ResolutionCache<T> = {
  /**
   * The remembered value, or what `load` gives; callers with the same key share one load. Throws what `load` throws.
   * A remembered failure holds for the asker that met it: the options read anew, after a person's change, are tried.
   */
  get(key: string, by: { site: string; asker: object }, load: () => Promise<T>): Promise<T>;
  /** Forgets what this site's launches resolved to; failures are forgotten too. */
  invalidate(site: string): void;
};

/** `monotonic` in milliseconds. */
export function createResolutionCache<T>(monotonic: () => DurationMs): ResolutionCache<T> {
  const entries = new Map<string, Entry<T>>();

  const fly = async (entry: Entry<T>, asker: object, load: () => Promise<T>): Promise<T> => {
    const { generation } = entry;
    try {
      const value = await load();
      if (entry.generation === generation) entry.good = { value, at: monotonic() };
      entry.failed = null;
      return value;
    } catch (error) {
      const lost = isPassing(error);
      entry.failed = { error, until: monotonic() + (lost ? LOST_MS : REFUSED_MS), asker };
      if (lost && entry.good !== null) return entry.good.value;
      entry.good = null;
      throw error;
    } finally {
      entry.flight = null;
    }
  };

  return {
    get: async (key, { site, asker }, load) => {
      const entry = entries.get(key) ?? { site, good: null, failed: null, flight: null, generation: 0 };
      entries.set(key, entry);
      const now = monotonic();
      if (entry.good !== null && now - entry.good.at < FRESH_MS) return entry.good.value;
      if (entry.failed?.asker === asker && now < entry.failed.until) {
        if (entry.good !== null) return entry.good.value;
        throw entry.failed.error;
      }
      entry.flight ??= fly(entry, asker, load);
      return await entry.flight;
    },
    invalidate: (site) => {
      for (const entry of entries.values()) {
        if (entry.site !== site) continue;
        entry.good = null;
        entry.failed = null;
        entry.generation += 1;
      }
    },
  };
}

/** Says nothing about the options themselves, so that the last good answer still stands. */
function isPassing(error: unknown): boolean {
  const kind = outcomeOf(error)?.kind;
  return kind === 'unknown' || kind === 'throttled' || kind === 'denied';
}
