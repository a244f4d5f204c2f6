// Which idle machines go: those beyond `limit` at once, those beyond the wants when IdleTime is over.
// Wants look one boot ahead, so nothing goes at 08:59 that is wanted at 09:00 (design §5).
// Trap: only ready machines go; what boots is let come, what a runner holds is the runner's to give back.
import { type EpochMs, SECOND_MS } from '../domain/units.ts';
import { compareText, type Draft, type Slot, wakeBy } from './draft.ts';
import { endMachine } from './end-machine.ts';
import type { Sizing } from './size.ts';

function isFree({ machine, held }: Slot): boolean {
  return machine.phase === 'ready' && !held && !machine.cleaning && machine.ending === null;
}

/** The most used first, so that fresh ones last; ties by id. */
function byUse(a: Slot, b: Slot): number {
  return b.machine.builds - a.machine.builds || compareText(a.machine.id, b.machine.id);
}

/** Start of the idle clock; a machine that was never idle has none before it is ready. */
function idleSince({ machine }: Slot): EpochMs {
  return machine.idleSince ?? machine.readyAt ?? machine.since;
}

function endBeyondLimit(draft: Draft, { pool, counts }: Sizing): number {
  const { limit } = pool.spec;
  const over = limit > 0 ? counts.alive - limit : 0;
  if (over <= 0) return 0;
  const going = pool.slots.filter(isFree).toSorted(byUse).slice(0, over);
  return going.filter((slot) => endMachine(draft, slot, 'over-limit', { alive: counts.alive, limit })).length;
}

function endIdle(draft: Draft, { pool, idle, wanted }: Sizing, beyond: number): void {
  const { idleTimeMs } = idle;
  const free = pool.slots.filter(isFree);
  const due = free.filter((slot) => draft.now - idleSince(slot) >= idleTimeMs).toSorted(byUse);
  for (const slot of due.slice(0, beyond)) {
    endMachine(draft, slot, 'idle-time', {
      idle_s: Math.round((draft.now - idleSince(slot)) / SECOND_MS),
      idle_time_s: idleTimeMs / SECOND_MS,
      wanted,
    });
  }
  if (due.length >= beyond) return;
  for (const slot of free) wakeBy(draft, idleSince(slot) + idleTimeMs);
}

/** Retires what is beyond the limit or idle for too long. */
export function shrinkPools(draft: Draft, sizings: readonly Sizing[]): void {
  for (const sizing of sizings) {
    const beyond = sizing.beyond - endBeyondLimit(draft, sizing);
    if (beyond > 0) endIdle(draft, sizing, beyond);
  }
}
