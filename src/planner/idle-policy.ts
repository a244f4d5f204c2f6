// The runner's rule for idle machines, applied to the period in force and to those that begin within one boot.
// Trap: R (what the runner will ask for) and I (what we hold) may come from different values; never mix them.
import type { IdlePolicy } from '../domain/config.ts';
import type { EpochMs } from '../domain/units.ts';
import { type Draft, type PoolDraft, wakeBy } from './draft.ts';
import { nextChangeAt, policiesWithin, policyAt } from './schedule.ts';

/** Machines the policy wants idle while `inUse` jobs run (facts/runner-seam.md: the policy it applies). */
export function idleWanted(policy: IdlePolicy, inUse: number): number {
  const { idleCount, idleCountMin, idleScaleFactor } = policy;
  if (idleScaleFactor <= 0) return Math.max(0, idleCount);
  const scaled = Math.max(idleCountMin, 1, Math.trunc(inUse * idleScaleFactor));
  return Math.max(0, Math.min(idleCount, scaled));
}

export type IdleView = {
  /** I: the largest wanted idle from now to one boot ahead. */
  own: number;
  /** I at this moment alone. */
  ownNow: number;
  /** R at this moment. */
  runner: number;
  /** IdleTime in force. */
  idleTimeMs: number;
  period: number | null;
  nextChangeAt: EpochMs | null;
};

/** What the schedules of a pool say, with `inUse` jobs running. */
export function idleView(draft: Draft, pool: PoolDraft, inUse: number): IdleView {
  const { ownSchedule, runnerSchedule } = pool.spec;
  const inForce = policyAt(ownSchedule, draft.now);
  const ahead = policiesWithin(ownSchedule, draft.now, draft.now + pool.bootP90Ms);
  const change = nextChangeAt(ownSchedule, draft.now);
  const runnerChange = nextChangeAt(runnerSchedule, draft.now);
  if (change !== null) {
    wakeBy(draft, change - pool.bootP90Ms);
    wakeBy(draft, change);
  }
  if (runnerChange !== null) wakeBy(draft, runnerChange);
  const ownNow = idleWanted(inForce.policy, inUse);
  return {
    own: ahead.reduce((most, policy) => Math.max(most, idleWanted(policy, inUse)), ownNow),
    ownNow,
    runner: idleWanted(policyAt(runnerSchedule, draft.now).policy, inUse),
    idleTimeMs: inForce.policy.idleTimeMs,
    period: inForce.period,
    nextChangeAt: change,
  };
}
