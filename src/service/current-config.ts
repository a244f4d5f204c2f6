// The configuration in force. Everyone asks here at the moment of use, so that a reload reaches all parts at once and
// a bad file leaves everything as it was.
import type { Config, PoolSpec } from '../domain/config.ts';
import type { EpochMs } from '../domain/units.ts';

export type CurrentConfig = {
  get(): Config;
  pool(id: string): PoolSpec | null;
  replace(config: Config, at: EpochMs): void;
  /** Remembers that the newest file was refused, and why. */
  refuse(message: string): void;
  state(): { loadedAt: EpochMs; error: string | null };
};

/** Starts with a configuration that was read without errors. */
export function createCurrentConfig(first: Config, at: EpochMs): CurrentConfig {
  let config = first;
  let loadedAt = at;
  let error: string | null = null;
  return {
    get: () => config,
    pool: (id) => config.pools.find((pool) => pool.id === id) ?? null,
    replace(next, now) {
      config = next;
      loadedAt = now;
      error = null;
    },
    refuse(message) {
      error = message;
    },
    state: () => ({ loadedAt, error }),
  };
}
