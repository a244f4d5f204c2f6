// Machines that have done their part: MaxBuilds, age, older options or AMI, a pool that leaves. Some go at once; what is
// merely old is replaced at a pace, so that a new AMI never empties a pool.
// Trap: at a pace means that the next one waits until the replacements of the last ones are ready.
import type { Machine } from '../domain/machine.ts';
import type { Reason } from '../domain/reason.ts';
import { MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { compareText, type Draft, note, type PoolDraft, type Slot, wakeBy } from './draft.ts';
import { endMachine } from './end-machine.ts';
import { isShut } from './lanes.ts';
import type { Sizing } from './size.ts';

/** Share of a pool's idle machines that is replaced at a time: ten rounds renew a pool. At least one machine. */
export const REPLACED_SHARE = 0.1;

type Wear = Pick<Reason, 'code' | 'detail'>;

/** Reasons that end a machine whatever the pool wants. */
function wornOut(draft: Draft, machine: Machine, pool: PoolDraft | undefined): Wear | null {
  if (pool === undefined) return { code: 'pool-removed' };
  if (pool.memory.draining) return { code: 'draining-pool' };
  const { maxBuilds, maxMachineLifeMs: life } = pool.spec;
  if (maxBuilds > 0 && machine.builds >= maxBuilds)
    return { code: 'max-builds', detail: { builds: machine.builds, max_builds: maxBuilds } };
  if (life <= 0) return null;
  wakeBy(draft, machine.createdAt + life);
  const age = draft.now - machine.createdAt;
  return age >= life
    ? { code: 'max-life', detail: { age_s: Math.round(age / SECOND_MS), max_life_s: life / SECOND_MS } }
    : null;
}

/** Reasons to replace a machine that still works. */
function outdated(draft: Draft, machine: Machine, pool: PoolDraft): Wear | null {
  const current = draft.seen.currentSpecs.get(pool.spec.id) ?? null;
  if (current !== null && machine.spec !== current)
    return { code: 'drift', detail: { spec: machine.spec, current } };
  const age = draft.now - machine.createdAt;
  const most = pool.spec.maxAgeMs;
  if (most > 0) wakeBy(draft, machine.createdAt + most);
  return most > 0 && age >= most
    ? { code: 'max-age', detail: { age_s: Math.round(age / SECOND_MS), max_age_s: most / SECOND_MS } }
    : null;
}

function isServing({ machine }: Slot): boolean {
  return (machine.phase === 'ready' || machine.phase === 'leased') && machine.ending === null;
}

/** Ends what is worn out; marks busy machines that are outdated, so that they end with their lease. */
export function endWornOut(draft: Draft): void {
  for (const slot of draft.slots) {
    const { phase } = slot.machine;
    if (phase === 'terminating' || phase === 'gone') continue;
    const pool = draft.poolById.get(slot.machine.pool);
    const wear = wornOut(draft, slot.machine, pool);
    if (wear !== null) endMachine(draft, slot, wear.code, wear.detail);
    else if (slot.busy && pool !== undefined && isServing(slot)) {
      const old = outdated(draft, slot.machine, pool);
      if (old !== null) endMachine(draft, slot, old.code, old.detail);
    }
  }
}

/** Free machines first, then those the runner merely holds; the most used first; ties by id. */
function byUse(a: Slot, b: Slot): number {
  return (
    Number(a.held) - Number(b.held) ||
    b.machine.builds - a.machine.builds ||
    compareText(a.machine.id, b.machine.id)
  );
}

/** How many may be replaced now. */
function paceOf(draft: Draft, { pool, counts, missing }: Sizing): number {
  // Without a way to launch a replacement an old machine is better than none.
  if (missing > 0 || isShut(draft, pool)) return 0;
  const share = Math.max(1, Math.floor((counts.ready + counts.held) * REPLACED_SHARE));
  return share - counts.coming - counts.leaving;
}

/** Replaces idle machines that are outdated, a share at a time. True when any was ended: sizes must be taken again. */
export function replaceOutdated(draft: Draft, sizings: readonly Sizing[]): boolean {
  let ended = false;
  for (const sizing of sizings) {
    const { pool } = sizing;
    const old = pool.slots
      .filter((slot) => isServing(slot) && !slot.busy && !slot.machine.cleaning)
      .flatMap((slot) => {
        const wear = outdated(draft, slot.machine, pool);
        return wear === null ? [] : [{ slot, wear }];
      });
    if (old.length === 0) continue;
    const pace = paceOf(draft, sizing);
    if (pace < old.length) {
      note(pool, 'drift', { waiting: old.length - Math.max(0, pace) });
      wakeBy(draft, draft.now + MINUTE_MS);
    }
    old.sort((a, b) => byUse(a.slot, b.slot));
    for (const { slot, wear } of old.slice(0, Math.max(0, pace))) {
      if (endMachine(draft, slot, wear.code, wear.detail)) ended = true;
    }
  }
  return ended;
}
