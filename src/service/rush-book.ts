// The stored history of rushes by pool, for the forecast: written once a quarter of an hour, read when it is first asked for.
// Must not decide anything: what is usual is said in src/queue/forecast.ts.
import type { PoolSize } from '../domain/plan.ts';
import type { ForecastSlot } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';
import type { Store } from '../ports/store.ts';
import { forecastFrom, parseHistory, QUARTER_MS, type RushHistory, recordRush } from '../queue/forecast.ts';
import { createRushWatch, type RushWatch, type SeenJobs } from '../queue/rush.ts';

export type RushBook = {
  /** Takes up the jobs that the last plan saw; `announced`: machines that look-ahead asked for then. */
  learn(size: PoolSize, seen: Pick<SeenJobs, 'announced' | 'reuses'>, now: EpochMs): void;
  /** What is usual from now on; `share`: of the quarters whose rush is to be met. */
  forecast(pool: string, share: number, now: EpochMs): ForecastSlot[];
};

type Known = { history: RushHistory; watch: RushWatch; quarter: number };

/** Name of the stored history of a pool. */
export const rushFact = (pool: string): string => `queue-rush ${pool}`;

/** A book over the facts of a store; some 60 KB a pool. */
export function createRushBook(store: Pick<Store, 'fact' | 'putFact'>): RushBook {
  const books = new Map<string, Known>();

  function bookOf(pool: string): Known {
    const known = books.get(pool) ?? {
      history: parseHistory(store.fact(rushFact(pool))),
      watch: createRushWatch(),
      quarter: 0,
    };
    books.set(pool, known);
    return known;
  }

  return {
    learn({ pool, busy, demand, bootMs }, seen, now) {
      const known = bookOf(pool);
      recordRush(known.history, now, known.watch.see(now, { ...seen, jobs: busy + demand, bootMs }));
      const quarter = Math.floor(now / QUARTER_MS);
      if (known.quarter === quarter) return;
      if (known.quarter !== 0) store.putFact(rushFact(pool), JSON.stringify(known.history));
      known.quarter = quarter;
    },
    forecast: (pool, share, now) => forecastFrom(bookOf(pool).history, now, share),
  };
}
