// Which TerminateInstances calls go out: one a site for all machines that end, again while EC2 does not show the end.
// Trap: nothing is terminated on a stale listing; a machine that is terminating already only waits longer then.
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { compareText, type Draft, type Slot, wakeBy } from './draft.ts';

/** Before this EC2's list may simply lag behind an accepted termination. */
const AGAIN_FIRST_MS: DurationMs = 30 * SECOND_MS;

/** A termination that keeps failing (protection, permissions) needs a person; asking more often only costs calls. */
const AGAIN_LONGEST_MS: DurationMs = 5 * MINUTE_MS;

/** A listing that began before the call answered says nothing about it. */
const LISTING_LAG_MS: DurationMs = 10 * SECOND_MS;

/** The wait grows with the age of the ending, so that no count of tries has to be kept. */
function againAt(machine: Machine, askedAt: EpochMs): EpochMs {
  const age = askedAt - machine.since;
  return askedAt + Math.min(AGAIN_LONGEST_MS, Math.max(AGAIN_FIRST_MS, age / 2));
}

function isDue(draft: Draft, { machine, instance }: Slot, listedAt: EpochMs): boolean {
  if (machine.endAskedAt === null) return true;
  // Shutting down, or not listed any more: EC2 is at it, and `buryDead` closes the record.
  if (instance === null || instance.state === 'shutting-down') return false;
  const due = againAt(machine, machine.endAskedAt);
  wakeBy(draft, due);
  return due <= draft.now && listedAt - machine.endAskedAt >= LISTING_LAG_MS;
}

/** Asks EC2 to end the instances of terminating machines, those retired by this plan too. */
export function terminateEnded(draft: Draft): void {
  const bySite = new Map<string, { machines: string[]; again: number }>();
  for (const slot of draft.slots) {
    const { machine } = slot;
    const listing = draft.listings.get(machine.site);
    if (machine.phase !== 'terminating' || machine.instance === null || listing === undefined) continue;
    if (!isDue(draft, slot, listing.at)) continue;
    const group = bySite.get(machine.site) ?? { machines: [], again: 0 };
    group.machines.push(machine.id);
    if (machine.endAskedAt !== null) group.again += 1;
    bySite.set(machine.site, group);
  }
  for (const [site, { machines, again }] of bySite) {
    draft.actions.push({
      kind: 'terminate',
      site,
      machines: machines.toSorted(compareText),
      reason: {
        code: again > 0 ? 'terminate-failed' : 'terminating',
        detail: { machines: machines.length, again },
      },
    });
  }
}
