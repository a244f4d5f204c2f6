// How a pool's queue stands: seen, old, lost, or not looked at. The planner holds pools whose queue is not seen.
// Trap: before the first answer nothing is known and nothing is wrong yet; such a queue is `off`, not `failed`.
import type { PoolQueue } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';
import { meanwhile, type SourceChoice } from '../queue/choose-source.ts';
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

/** Why GitLab was not to be asked since the start, of a pool that takes what there is; else null. */
function unreached({ scope, problem, settings }: Member): string | null {
  return scope === null && settings.source === 'auto' ? problem : null;
}

/** What the queue is read from now; null = that is not found out yet. */
export function choiceOf(member: Member, figures: QueueFigures): SourceChoice | null {
  if (unreached(member) === null) return member.scope?.choice ?? null;
  return figures.serves() === true ? meanwhile : null;
}

/** The pool's queue: its source, whether it is seen, and why so. */
export function stateOf(member: Member, figures: QueueFigures, now: EpochMs): PoolQueue {
  const choice = choiceOf(member, figures);
  const source = choice?.source ?? null;
  const pool = { pool: member.spec.id, source };
  if (source === 'metrics') {
    const { at, failing } = figures.state();
    // The figure never says that nothing waits, so there is nothing to hold when it is silent.
    return { ...pool, state: 'off', at, why: failing ?? choice?.why ?? '', exact: false };
  }
  if (source === null && choice !== null)
    return { ...pool, state: 'off', at: null, why: choice.why, exact: false };
  if (unreached(member) !== null && figures.serves() === null)
    return { ...pool, state: 'off', at: null, why: "the runner's own metrics are asked", exact: false };
  const exact = member.looker?.state().isWhole ?? false;
  return { ...pool, ...stateFromLooks(member, now), exact };
}
