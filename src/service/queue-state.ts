// How a pool's queue stands: seen, old, lost, or not looked at. The planner holds pools whose queue is not seen.
// Trap: before the first answer nothing is known and nothing is wrong yet; such a queue is `off`, not `failed`.
import type { PoolQueue } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';
import type { QueueFigures } from './queue-figures.ts';
import { STALE_AFTER_MS } from './queue-looker.ts';
import type { Member } from './queue-members.ts';

function stateFromLooks(member: Member, now: EpochMs): Pick<PoolQueue, 'state' | 'at' | 'why'> {
  const { looker, scope, problem } = member;
  const why = scope?.choice.why ?? '';
  if (looker === null) return { state: problem === null ? 'off' : 'failed', at: null, why: problem ?? why };
  const { goodAt, failing, projects } = looker.state();
  // A runner without any project has no queue to look at; its refresh is the look.
  const isEmpty = looker.source !== 'instance' && projects === 0;
  const at = goodAt ?? (isEmpty ? member.refreshedAt : null);
  if (failing === null) return { state: at === null ? 'off' : 'fresh', at, why };
  if (at === null) return { state: 'failed', at, why: failing };
  return now - at > STALE_AFTER_MS ? { state: 'stale', at, why: failing } : { state: 'fresh', at, why };
}

/** The pool's queue: its source, whether it is seen, and why so. */
export function stateOf(member: Member, figures: QueueFigures, now: EpochMs): PoolQueue {
  const { spec, scope } = member;
  const source = scope?.choice.source ?? null;
  const pool = { pool: spec.id, source };
  if (source === 'metrics') {
    const { at, failing } = figures.state();
    // The figure never says that nothing waits, so there is nothing to hold when it is silent.
    return { ...pool, state: 'off', at, why: failing ?? scope?.choice.why ?? '', exact: false };
  }
  if (source === null && scope !== null)
    return { ...pool, state: 'off', at: null, why: scope.choice.why, exact: false };
  const exact = member.looker?.state().isWhole ?? false;
  return { ...pool, ...stateFromLooks(member, now), exact };
}
