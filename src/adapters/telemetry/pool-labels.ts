// Which series a pool has, so that they all go with it when it leaves the configuration. Must not define a series.
import type { Counter, Gauge, Histogram } from 'prom-client';

type Labels = Readonly<Record<string, string>>;
type Labelled = Counter | Gauge | Histogram;

/** Remembers which series a pool has, since prom-client removes only what is named exactly. */
export function createPoolLabels() {
  const seen = new Map<string, Map<string, () => void>>();
  return {
    of: <T extends Labels & { pool: string }>(metric: Labelled, labels: T): T => {
      const key = `${(metric as unknown as { name: string }).name} ${Object.values(labels).join(' ')}`;
      const mine = seen.get(labels.pool) ?? new Map<string, () => void>();
      seen.set(labels.pool, mine);
      if (!mine.has(key)) mine.set(key, () => (metric as Gauge).remove(labels));
      return labels;
    },
    drop: (pool: string) => {
      for (const remove of seen.get(pool)?.values() ?? []) remove();
      seen.delete(pool);
    },
  };
}

export type PoolLabels = ReturnType<typeof createPoolLabels>;
