// The arithmetic of gitlab-runner's docker+machine executor for one [[runners]] section: how many idle machines it wants,
// when it makes one, claims a job or removes a machine. Pure; times and machines come in.
// It repeats the runner's rules as measured, oddities included; it must not be made smarter than the runner is.
import type { DurationMs, EpochMs } from '../domain/units.ts';

/** Keys of `[runners.machine]` and of the section, with the runner's meaning. 0 = no bound for the last four. */
export type RunnerPolicy = {
  idleCount: number;
  idleCountMin: number;
  /** 0 = off. */
  idleScaleFactor: number;
  idleTimeMs: DurationMs;
  maxBuilds: number;
  limit: number;
  maxGrowthRate: number;
  concurrent: number;
};

/** What the runner thinks a machine is doing. */
export type RunnerMachineState = 'creating' | 'idle' | 'acquired' | 'used' | 'removing';

/** One machine in the runner's memory. */
export type RunnerMachine = {
  readonly name: string;
  state: RunnerMachineState;
  /** Jobs it was used for; one found in the store counts as used once. */
  builds: number;
  /** When it came or when its last job ended: what IdleTime counts from. */
  usedAt: EpochMs;
};

/** The runner's own counts. */
export type RunnerCounts = {
  creating: number;
  idle: number;
  acquired: number;
  used: number;
  removing: number;
  total: number;
};

/** Counts machines by state. */
export function countMachines(machines: Iterable<RunnerMachine>): RunnerCounts {
  const counts: RunnerCounts = { creating: 0, idle: 0, acquired: 0, used: 0, removing: 0, total: 0 };
  for (const machine of machines) {
    counts[machine.state] += 1;
    counts.total += 1;
  }
  return counts;
}

/** Idle machines wanted: IdleCount, or what IdleScaleFactor makes of the machines in use. */
export function wantedIdle(policy: RunnerPolicy, inUse: number): number {
  if (policy.idleScaleFactor <= 0) return policy.idleCount;
  const scaled = Math.max(policy.idleCountMin, 1, Math.floor(inUse * policy.idleScaleFactor));
  return Math.min(policy.idleCount, scaled);
}

/** How many idle machines the runner starts to create now. */
export function idleCreates(policy: RunnerPolicy, counts: RunnerCounts): number {
  const available = counts.acquired + counts.creating + counts.idle;
  const missing = wantedIdle(policy, counts.used) - available;
  const growth = policy.maxGrowthRate > 0 ? policy.maxGrowthRate - counts.creating : missing;
  const room = policy.limit > 0 ? policy.limit - counts.total : missing;
  return Math.max(0, Math.min(missing, growth, room));
}

/** Whether a job may be claimed with no idle machine in hand: only on demand, within limit and growth. */
export function mayClaimWithout(policy: RunnerPolicy, counts: RunnerCounts): boolean {
  if (policy.idleCount > 0) return false;
  if (policy.limit > 0 && counts.total >= policy.limit) return false;
  return policy.maxGrowthRate === 0 || counts.creating < policy.maxGrowthRate;
}

export type Removal = { machine: RunnerMachine; reason: 'max-builds' | 'beyond-limit' | 'idle-time' };

/** True when a machine has had all the jobs that MaxBuilds allows. */
export function isUsedUp(policy: RunnerPolicy, machine: RunnerMachine): boolean {
  return policy.maxBuilds > 0 && machine.builds >= policy.maxBuilds;
}

/** Idle machines that go now: used up, beyond `limit`, or idle longer than IdleTime and not wanted. Oldest names stay. */
export function removals(
  policy: RunnerPolicy,
  machines: readonly RunnerMachine[],
  now: EpochMs,
): readonly Removal[] {
  const counts = countMachines(machines);
  const wanted = wantedIdle(policy, counts.used);
  const gone: Removal[] = [];
  let total = counts.total - counts.idle;
  let kept = 0;
  for (const machine of machines.filter((each) => each.state === 'idle').toSorted(byName)) {
    if (isUsedUp(policy, machine)) gone.push({ machine, reason: 'max-builds' });
    else if (policy.limit > 0 && total >= policy.limit) gone.push({ machine, reason: 'beyond-limit' });
    else if (kept >= wanted && now - machine.usedAt > policy.idleTimeMs)
      gone.push({ machine, reason: 'idle-time' });
    else {
      kept += 1;
      total += 1;
    }
  }
  return gone;
}

/** Names carry their birth second: this is the order of the runner's own listing, and oldest first. */
export function byName(a: { name: string }, b: { name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
