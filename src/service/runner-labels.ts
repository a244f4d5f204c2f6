// The runner's metrics name its sections by short token; pools go by the machine names that begin with it.
import type { PoolSpec } from '../domain/config.ts';

/** True when that `runner` label is the pool's section. */
export function isLabelOf(pool: Pick<PoolSpec, 'namePrefixes'>, label: string): boolean {
  return pool.namePrefixes.some((prefix) => prefix.startsWith(`runner-${label.toLowerCase()}-`));
}
