// Machines that EC2 advises to leave, in pools with `rebalance = "replace"`: they do not count as supply, so that replacements
// are launched, and they end as those get ready. Until then they stand and are handed out last.
// Trap: where nothing can be launched (limit, drought) an advised machine is better than none: it stays until EC2 takes it.
import { isAdvised } from './count-pool.ts';
import { compareText, type Draft, note, type Slot } from './draft.ts';
import { endMachine } from './end-machine.ts';
import type { Sizing } from './size.ts';

/** Machines that nobody holds first, those without a job next; ties by id. */
function byUse(a: Slot, b: Slot): number {
  return Number(a.held) - Number(b.held) || compareText(a.machine.id, b.machine.id);
}

function replaceIn(draft: Draft, { pool, counts, wanted }: Sizing): boolean {
  const advised = pool.slots.filter(
    (slot) =>
      (slot.machine.phase === 'ready' || slot.machine.phase === 'leased') &&
      slot.machine.advisedAt !== undefined,
  );
  const marked = advised.filter((slot) => isAdvised(pool, slot));
  // The rule has changed since: what is only drained ends now.
  const going =
    pool.spec.rebalance === 'drain' ? advised.filter(({ machine }) => machine.ending === null) : [];
  // A job is left to finish; no other one follows it there.
  going.push(...marked.filter(({ busy }) => busy));
  const free = marked.filter(({ busy }) => !busy).toSorted(byUse);
  const standing = counts.supply - counts.coming;
  const spare = Math.min(free.length, Math.max(0, standing + free.length - wanted));
  going.push(...free.slice(0, spare));
  if (free.length > spare) note(pool, 'rebalance', { stay_until_replaced: free.length - spare });
  return going.filter((slot) => endMachine(draft, slot, 'rebalance')).length > 0;
}

/** Ends advised machines whose replacements are ready. True when any was ended: sizes must be taken again. */
export function replaceAdvised(draft: Draft, sizings: readonly Sizing[]): boolean {
  return sizings.filter((sizing) => replaceIn(draft, sizing)).length > 0;
}
