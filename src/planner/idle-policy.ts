// The runner's rule for idle machines, applied to the period in force and to those that begin within one boot.
// Trap: R (what the runner will ask for) and I (what we hold) may come from different values; never mix them.
import type { IdlePolicy } from '../domain/config.ts';
import type { EpochMs } from '../domain/units.ts';
import { type Draft, type PoolDraft, wakeBy } from './draft.ts';
import { type InForce, nextChangeAt, policiesWithin, policyAt } from './schedule.ts';

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
  /** IdleCount and IdleCountMin from now to one boot ahead: what is foretold moves between them. */
  most: number;
  least: number;
  /** IdleTime in force. */
  idleTimeMs: number;
  period: number | null;
  nextChangeAt: EpochMs | null;
};

/** What the calendar says of a pool at one moment; asking it is the dearest part of a small tick. */
type Calendar = {
  inForce: InForce;
  ahead: readonly IdlePolicy[];
  runner: IdlePolicy;
  change: EpochMs | null;
};

const calendars = new WeakMap<PoolDraft, Calendar>();

function readCalendar(draft: Draft, pool: PoolDraft): Calendar {
  const { ownSchedule, runnerSchedule } = pool.spec;
  const { now } = draft;
  const inForce = policyAt(ownSchedule, now);
  const change = nextChangeAt(ownSchedule, now);
  const until = now + pool.bootP90Ms;
  const ahead =
    change !== null && change <= until ? policiesWithin(ownSchedule, now, until) : [inForce.policy];
  const isSame = runnerSchedule === ownSchedule;
  const runner = isSame ? inForce.policy : policyAt(runnerSchedule, now).policy;
  const runnerChange = isSame ? change : nextChangeAt(runnerSchedule, now);
  if (change !== null) {
    wakeBy(draft, change - pool.bootP90Ms);
    wakeBy(draft, change);
  }
  if (runnerChange !== null) wakeBy(draft, runnerChange);
  return { inForce, ahead, runner, change };
}

/** What the schedules of a pool say, with `inUse` jobs running. The calendar is asked once a tick. */
export function idleView(draft: Draft, pool: PoolDraft, inUse: number): IdleView {
  const calendar = calendars.get(pool) ?? readCalendar(draft, pool);
  calendars.set(pool, calendar);
  const ownNow = idleWanted(calendar.inForce.policy, inUse);
  return {
    own: calendar.ahead.reduce((most, policy) => Math.max(most, idleWanted(policy, inUse)), ownNow),
    ownNow,
    most: Math.max(0, ...calendar.ahead.map(({ idleCount }) => idleCount)),
    least: Math.max(0, ...calendar.ahead.map(({ idleCountMin }) => idleCountMin)),
    runner: idleWanted(calendar.runner, inUse),
    idleTimeMs: calendar.inForce.policy.idleTimeMs,
    period: calendar.inForce.period,
    nextChangeAt: calendar.change,
  };
}
