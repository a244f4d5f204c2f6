// What a person switches: pause (nothing is launched or retired), drain (no new leases, idle machines end), resume.
// Stored, so that a restart keeps it.
import { HostlerError } from '../domain/error.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import { freshMemory } from './pool-memory.ts';

export type Switch = 'pause' | 'resume' | 'drain';

const texts: Record<Switch, string> = {
  pause: 'paused: nothing is launched or retired until it is resumed',
  resume: 'resumed',
  drain: 'draining: no new leases, idle machines end, leased ones when their lease does',
};

/** Switches one pool, or all with `null`. Returns what was done in words. Throws `not-found` for an unknown pool. */
export function switchPools(
  deps: { store: Store; config: CurrentConfig; journal: Journal; nudge(): void },
  what: Switch,
  pool: string | null,
): string {
  const ids = deps.config.get().pools.map((spec) => spec.id);
  if (pool !== null && !ids.includes(pool)) {
    throw new HostlerError('not-found', `no pool is named ${pool}; there are: ${ids.join(', ')}`);
  }
  const changed = pool === null ? ids : [pool];
  for (const id of changed) {
    const old = deps.store.memory(id) ?? freshMemory(id);
    const next = { ...old, paused: what === 'pause', draining: what === 'drain' };
    deps.store.transaction(() => deps.store.putMemory(next));
    deps.journal({ code: what === 'drain' ? 'draining-pool' : 'paused', pool: id, text: texts[what] });
  }
  deps.nudge();
  return `${changed.join(', ')}: ${texts[what]}`;
}
