// Which idle machines go: those beyond `limit` at once, those beyond the wants when IdleTime is over.
// Wants look one boot ahead, so nothing goes at 08:59 that is wanted at 09:00 (design §5).
// Trap: only ready machines go; what boots is let come, what a runner holds is the runner's to give back.
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import { compareText, type Draft, type PoolDraft, type Slot, wakeBy } from './draft.ts';
import { endMachine } from './end-machine.ts';
import { beyondRule, mixOf } from './market-choice.ts';
import type { Sizing } from './size.ts';

/**
 * Idle machines are looked at on this grid, so that hosts whose jobs ended within seconds of each other go in one call
 * to EC2 instead of one each.
 */
const TOGETHER_MS: DurationMs = 2 * SECOND_MS;

function isFree({ machine, held }: Slot): boolean {
  return machine.phase === 'ready' && !held && !machine.cleaning && machine.ending === null;
}

/** The most used first, so that fresh ones last; ties by id. */
function byUse(a: Slot, b: Slot): number {
  return b.machine.builds - a.machine.builds || compareText(a.machine.id, b.machine.id);
}

/** The order in which idle machines of a pool go: those that stand in for spot ones first, and why the first one does. */
function victims({ spec, slots }: PoolDraft, free: readonly Slot[]): { sorted: Slot[]; why: string } {
  const sorted = free.toSorted(byUse);
  const [first] = sorted;
  const why = `${first !== undefined && first.machine.builds > 0 ? 'the most used' : 'the first by id'} of ${free.length} idle`;
  if (spec.launch.markets.length < 2) return { sorted, why };
  const mix = mixOf(slots);
  const isStandIn = ({ machine }: Slot) => machine.offering.market === 'on-demand';
  const going = sorted.filter(isStandIn).slice(0, beyondRule(spec.onDemand, mix));
  if (going.length === 0) return { sorted, why };
  return {
    sorted: [...going, ...sorted.filter((slot) => !going.includes(slot))],
    why: 'on demand where spot is wanted',
  };
}

/** Start of the idle clock; a machine that was never idle has none before it is ready. */
function idleSince({ machine }: Slot): EpochMs {
  return machine.idleSince ?? machine.readyAt ?? machine.since;
}

function endBeyondLimit(draft: Draft, { pool, counts }: Sizing): number {
  const { limit } = pool.spec;
  const over = limit > 0 ? counts.alive - limit : 0;
  if (over <= 0) return 0;
  const { sorted, why } = victims(pool, pool.slots.filter(isFree));
  const detail = { alive: counts.alive, limit, why };
  return sorted.slice(0, over).filter((slot) => endMachine(draft, slot, 'over-limit', detail)).length;
}

function endIdle(draft: Draft, { pool, idle, wanted }: Sizing, beyond: number): void {
  const { idleTimeMs } = idle;
  const free = pool.slots.filter(isFree);
  const dueAt = (slot: Slot) => Math.ceil((idleSince(slot) + idleTimeMs) / TOGETHER_MS) * TOGETHER_MS;
  const { sorted: due, why } = victims(
    pool,
    free.filter((slot) => draft.now >= dueAt(slot)),
  );
  for (const slot of due.slice(0, beyond)) {
    endMachine(draft, slot, 'idle-time', {
      idle_s: Math.round((draft.now - idleSince(slot)) / SECOND_MS),
      idle_time_s: idleTimeMs / SECOND_MS,
      wanted,
      why,
    });
  }
  if (due.length >= beyond) return;
  for (const slot of free) wakeBy(draft, dueAt(slot));
}

/** Retires what is beyond the limit or idle for too long. */
export function shrinkPools(draft: Draft, sizings: readonly Sizing[]): void {
  for (const sizing of sizings) {
    const beyond = sizing.beyond - endBeyondLimit(draft, sizing);
    if (beyond > 0) endIdle(draft, sizing, beyond);
  }
}
