// The stored history of demand by pool, for the forecast: written once a quarter of an hour, read when it is first asked for.
// Must not decide anything: what is usual is said in src/queue/forecast.ts.
import type { Plan } from '../domain/plan.ts';
import type { ForecastSlot } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';
import type { Store } from '../ports/store.ts';
import {
  type DemandHistory,
  forecastFrom,
  parseHistory,
  QUARTER_MS,
  recordDemand,
} from '../queue/forecast.ts';

export type DemandBook = {
  /** Takes up the jobs at a time that the last plan saw. */
  learn(pool: string, plan: Plan | null, now: EpochMs): void;
  forecast(pool: string, now: EpochMs): ForecastSlot[];
};

type Known = { history: DemandHistory; quarter: number };

const factOf = (pool: string): string => `queue-demand ${pool}`;

/** A book over the facts of a store; some 60 KB a pool. */
export function createDemandBook(store: Pick<Store, 'fact' | 'putFact'>): DemandBook {
  const histories = new Map<string, Known>();

  function historyOf(pool: string): Known {
    const known = histories.get(pool) ?? { history: parseHistory(store.fact(factOf(pool))), quarter: 0 };
    histories.set(pool, known);
    return known;
  }

  return {
    learn(pool, plan, now) {
      const size = plan?.pools.find((one) => one.pool === pool);
      if (size === undefined) return;
      const known = historyOf(pool);
      recordDemand(known.history, now, size.busy + size.demand);
      const quarter = Math.floor(now / QUARTER_MS);
      if (known.quarter === quarter) return;
      if (known.quarter !== 0) store.putFact(factOf(pool), JSON.stringify(known.history));
      known.quarter = quarter;
    },
    forecast: (pool, now) => forecastFrom(historyOf(pool).history, now),
  };
}
