// The one way in which the planner ends a machine: retire when nobody holds it, drain when a runner does, or hold back
// and say why. Every rule that protects a machine stands here and nowhere else.
// Trap: a machine with a lease is never retired, not even for a person; it drains (promise 1).
import type { Reason, ReasonCode } from '../domain/reason.ts';
import { type Draft, moveSlot, note, type Slot, wakeBy } from './draft.ts';

/** Endings by policy: they wait while retirements are frozen after a clock jump. Faults and people do not wait. */
export const policyEndings: ReadonlySet<ReasonCode> = new Set([
  'idle-time',
  'max-builds',
  'max-age',
  'max-life',
  'over-limit',
  'drift',
  'boot-timeout',
]);

/** Endings that a person asked for: they work in a paused pool too. */
export const personEndings: ReadonlySet<ReasonCode> = new Set(['by-person', 'cleanup']);

/** What keeps this machine from ending now, as a reason of its pool; null = nothing does. */
function heldBack(draft: Draft, slot: Slot, code: ReasonCode): ReasonCode | null {
  const pool = draft.poolById.get(slot.machine.pool);
  if (pool?.memory.paused === true && !personEndings.has(code)) return 'paused';
  if (policyEndings.has(code) && draft.seen.frozenUntil > draft.now) return 'retire-frozen';
  if (!slot.held && !draft.listings.has(slot.machine.site)) return 'stale-instances';
  return null;
}

/** True when an end may be thought of at all: not ended or marked yet, not being cleaned, its launch answered. */
function canEnd({ machine, held }: Slot): boolean {
  if (machine.phase === 'terminating' || machine.phase === 'gone') return false;
  if (held) return machine.phase === 'leased' && machine.ending === null;
  return !machine.cleaning && machine.phase !== 'requested';
}

/** Retires or drains the machine if it may; true when it did. */
export function endMachine(
  draft: Draft,
  slot: Slot,
  code: ReasonCode,
  detail: Reason['detail'] = {},
): boolean {
  if (!canEnd(slot)) return false;
  const pool = draft.poolById.get(slot.machine.pool);
  const back = heldBack(draft, slot, code);
  if (back !== null) {
    note(pool, back, { held_back: 1 });
    if (back === 'retire-frozen') wakeBy(draft, draft.seen.frozenUntil);
    return false;
  }
  const { id: machine, pool: poolId } = slot.machine;
  const reason: Reason = { code, pool: poolId, machine, detail };
  draft.actions.push({ kind: slot.held ? 'drain' : 'retire', machine, reason });
  if (!slot.held) moveSlot(draft, slot, 'terminating');
  slot.machine = { ...slot.machine, ending: slot.machine.ending ?? code };
  note(pool, code, { machines: 1 });
  return true;
}
