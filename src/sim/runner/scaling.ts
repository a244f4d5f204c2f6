// The runner's arithmetic for one section: how many idle machines it wants, how many it has made now, when it may claim
// without a machine in hand, which machines go. Pure; it repeats the runner, oddities included.
import type { MachineState, RunnerMachine } from './machine.ts';
import type { IdleNow, SectionSettings } from './runner-settings.ts';

export type Counts = Record<MachineState, number> & { total: number };

/** Machines by state; creating, used and removing ones all count for `limit`. */
export function countMachines(machines: Iterable<RunnerMachine>): Counts {
  const counts: Counts = { creating: 0, idle: 0, acquired: 0, used: 0, removing: 0, total: 0 };
  for (const machine of machines) {
    counts[machine.state] += 1;
    counts.total += 1;
  }
  return counts;
}

/** IdleCount, or what IdleScaleFactor makes of the machines in use; those that are being prepared do not count. */
export function wantedIdle(idle: IdleNow, inUse: number): number {
  if (idle.idleScaleFactor <= 0) return idle.idleCount;
  return Math.min(idle.idleCount, Math.max(idle.idleCountMin, 1, Math.floor(inUse * idle.idleScaleFactor)));
}

/** How many idle machines it begins to make now. */
export function idleCreates(section: SectionSettings, idle: IdleNow, counts: Counts): number {
  const missing = wantedIdle(idle, counts.used) - (counts.acquired + counts.creating + counts.idle);
  const growth = section.maxGrowthRate > 0 ? section.maxGrowthRate - counts.creating : missing;
  const room = section.limit > 0 ? section.limit - counts.total : missing;
  return Math.max(0, Math.min(missing, growth, room));
}

/** Whether it asks for a job with no idle machine in hand. */
export function mayClaimWithout(section: SectionSettings, idle: IdleNow, counts: Counts): boolean {
  if (idle.idleCount > 0) return false;
  if (section.limit > 0 && counts.total >= section.limit) return false;
  return section.maxGrowthRate === 0 || counts.creating < section.maxGrowthRate;
}

/** Whether a machine has had all the jobs that MaxBuilds allows. */
export const isUsedUp = (section: SectionSettings, machine: RunnerMachine): boolean =>
  section.maxBuilds > 0 && machine.builds >= section.maxBuilds;

/**
 * Idle machines that go now. They are judged in the order of the store's listing, each against those before it: with
 * too many idle ones the oldest stay.
 */
export function removals(
  section: SectionSettings,
  idle: IdleNow,
  listed: readonly RunnerMachine[],
  now: number,
): readonly RunnerMachine[] {
  const wanted = wantedIdle(idle, listed.filter((machine) => machine.state === 'used').length);
  const gone: RunnerMachine[] = [];
  let idleBefore = 0;
  for (const [before, machine] of listed.entries()) {
    if (machine.state !== 'idle') continue;
    const beyond = section.limit > 0 && before >= section.limit;
    const tired = now - machine.usedAt > idle.idleTimeMs && idleBefore >= wanted;
    if (isUsedUp(section, machine) || beyond || tired) gone.push(machine);
    else idleBefore += 1;
  }
  return gone;
}

/**
 * When time alone would let a machine go for the first time since `since`, at which nothing went; null: not at all. The
 * runner removes what was idle longer than IdleTime: at the moment itself it does not yet.
 */
export function nextRemovalAt(idle: IdleNow, listed: readonly RunnerMachine[], since: number): number | null {
  let next: number | null = null;
  for (const machine of listed) {
    const at = machine.usedAt + idle.idleTimeMs;
    if (machine.state === 'idle' && at >= since && (next === null || at < next)) next = at;
  }
  return next;
}
