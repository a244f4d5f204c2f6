// What a pool's memory is before anything was remembered.
import type { PoolMemory } from '../domain/observation.ts';

/** A pool that nobody has touched yet. */
export function freshMemory(pool: string): PoolMemory {
  return { pool, reserve: 0, reserveAt: 0, paused: false, draining: false };
}
