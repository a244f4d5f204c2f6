// How many machines of a pool do what: the letters of design §5. Every machine counts once.
import { isComing } from '../domain/machine.ts';
import type { PoolDraft, Slot } from './draft.ts';
import { DEAD_AFTER_PINGS } from './liveness.ts';

export type Counts = {
  /** B: leased, a job on it. */
  busy: number;
  /** H: leased, no job, and it may get one. */
  held: number;
  /** Ours to hand out, being cleaned included. */
  ready: number;
  coming: number;
  /** On the way out: no job will run there any more. */
  leaving: number;
  /** What the pool has for its wants: busy, held, ready, coming, less those that EC2 takes back or advises to replace. */
  supply: number;
  /** Stands against `limit` and max_machines: everything but terminations that EC2 accepted, instances without a record too. */
  counted: number;
  /** Not ended by us: what `limit` is compared with when machines stand beyond it. */
  alive: number;
};

type Part = 'busy' | 'held' | 'ready' | 'coming' | 'leaving';

function partOf({ machine, held, busy }: Slot): Part {
  if (busy) return 'busy';
  if (machine.phase === 'draining' || machine.phase === 'terminating') return 'leaving';
  // Marked or dead, but not ended yet (held, paused, stale listing): nobody is given such a machine any more.
  if (machine.ending !== null) return 'leaving';
  if (held) return 'held';
  if (isComing(machine)) return 'coming';
  return machine.failedPings >= DEAD_AFTER_PINGS ? 'leaving' : 'ready';
}

/** Whether the machine stands against limits: terminating ones until EC2 accepted it, or refuses to (design §5). */
export function isCounted({ machine }: Slot): boolean {
  const { phase, endAccepted, endRefused = false } = machine;
  return phase !== 'gone' && !(phase === 'terminating' && (endAccepted || endRefused));
}

/** EC2 advised to leave its instance, and the pool replaces such machines before they end. */
export function isAdvised({ spec }: PoolDraft, { machine }: Slot): boolean {
  return machine.advisedAt !== undefined && machine.ending === null && spec.rebalance === 'replace';
}

/** Under notice: its job may be lost and come again, so its replacement starts at once. */
function isDoomed({ spec }: PoolDraft, { machine, busy }: Slot): boolean {
  if (!busy) return false;
  if (machine.ending === 'interrupted') return true;
  return machine.ending === 'rebalance' && spec.rebalance === 'replace';
}

/** Counts the pool as it stands after the steps so far. */
export function countPool(pool: PoolDraft): Counts {
  const counts: Counts = {
    busy: 0,
    held: 0,
    ready: 0,
    coming: 0,
    leaving: 0,
    supply: 0,
    counted: pool.unrecorded,
    alive: 0,
  };
  let doomed = 0;
  for (const slot of pool.slots) {
    const { phase } = slot.machine;
    if (phase === 'gone') continue;
    const part = partOf(slot);
    // What still boots is as good as its replacement would be.
    if (isDoomed(pool, slot) || (part !== 'coming' && part !== 'leaving' && isAdvised(pool, slot)))
      doomed += 1;
    counts[part] += 1;
    if (isCounted(slot)) counts.counted += 1;
    if (phase !== 'terminating') counts.alive += 1;
  }
  counts.supply = counts.busy + counts.held + counts.ready + counts.coming - doomed;
  return counts;
}
