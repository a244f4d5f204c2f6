// Which pool a `docker-machine create` belongs to. A job never fails over this: at worst the first pool serves it.
// Trap: with an instance-wide token prefix several sections give their machines the same name prefix.
import { comparableOptions, type PoolSpec } from '../domain/config.ts';

/** What the door was asked for: options as given, without the leading dashes. */
export type Asked = { name: string; driver: string; options: readonly string[] };

export type PoolChoice = { pool: PoolSpec; how: 'name' | 'options' | 'first' };

/** Options as a set, without those that hold the name: MachineOptionsWithName cannot be known ahead. */
function comparable(options: readonly string[], name: string): string {
  return JSON.stringify(comparableOptions(options.filter((option) => name === '' || !option.includes(name))));
}

function sameOptions(pool: PoolSpec, asked: Asked): boolean {
  return (
    pool.machineDriver === asked.driver &&
    comparable(pool.options, asked.name) === comparable(asked.options, asked.name)
  );
}

/** The pools whose prefix fits the name best; several when sections share it. */
function byName(pools: readonly PoolSpec[], name: string): PoolSpec[] {
  let longest = 0;
  let best: PoolSpec[] = [];
  for (const pool of pools) {
    const fits = pool.namePrefixes.filter((prefix) => prefix !== '' && name.startsWith(prefix));
    const length = Math.max(0, ...fits.map((prefix) => prefix.length));
    if (length === 0 || length < longest) continue;
    best = length > longest ? [pool] : [...best, pool];
    longest = length;
  }
  return best;
}

/**
 * The longest name prefix decides; where none fits, or several equally well, equal MachineOptions; else the first in
 * the file (`first`: to be warned about). null = there are no pools.
 */
export function choosePool(pools: readonly PoolSpec[], asked: Asked): PoolChoice | null {
  const named = byName(pools, asked.name);
  const [only] = named;
  if (only !== undefined && named.length === 1) return { pool: only, how: 'name' };
  const candidates = named.length > 0 ? named : pools;
  const equal = candidates.find((pool) => sameOptions(pool, asked));
  if (equal !== undefined) return { pool: equal, how: 'options' };
  const [first] = candidates;
  return first === undefined ? null : { pool: first, how: 'first' };
}
