// A quick guess at what an idle policy comes to with given jobs: one pool, one queue, machines that take a fixed time to come. It
// serves searches, which ask it a thousand times; what it finds is proven by the simulator.
// Must not be taken for the simulator: no EC2, no failures of machines, no runner, no look-ahead at stages. Trap: times are milliseconds after the begin.
import type { IdlePolicy, Schedule } from '../../domain/config.ts';
import { type DurationMs, type EpochMs, HOUR_MS } from '../../domain/units.ts';
import { idleWanted } from '../../planner/idle-policy.ts';
import { nextChangeAt, policyAt } from '../../planner/schedule.ts';
import type { Arrival } from '../../sim/workload.ts';
import { type WaitFigures, waitFigures } from './figures.ts';
import { createMoments } from './moments.ts';
import { createStageBook, type QueuedJob } from './stage-book.ts';

export type EstimateOrder = {
  arrivals: readonly Arrival[];
  schedule: Schedule;
  startAt: EpochMs;
  endMs: DurationMs;
  /** From the wish for a machine to one that serves. */
  comesAfterMs: DurationMs;
  /** From queueing to a job's script on a machine that stands ready. */
  handOverMs: DurationMs;
  /** 0 = none. */
  limit: number;
  /** Of the schedule, where they are known already (`spansOf`): the calendar is the dearest part. */
  spans?: readonly InForceFrom[];
  /** The estimate is given up beyond these idle hours: no wait is known then. */
  mostIdleHours?: number;
};

export type Estimate = { wait: WaitFigures; idleHours: number; busyHours: number; machines: number };

/** Which section is in force from that moment on, milliseconds after the begin; null = the base values. */
export type InForceFrom = { from: number; period: number | null };

/** Every change of the schedule until the end. The sections must differ in their values, or a change between two is not seen. */
export function spansOf(schedule: Schedule, startAt: EpochMs, lengthMs: DurationMs): InForceFrom[] {
  const spans: InForceFrom[] = [];
  for (
    let at: EpochMs | null = startAt;
    at !== null && at < startAt + lengthMs;
    at = nextChangeAt(schedule, at)
  )
    spans.push({ from: at - startAt, period: policyAt(schedule, at).period });
  return spans;
}

/** The policies that count from each moment on. */
function createCalendar({ schedule, startAt, comesAfterMs, endMs, spans }: EstimateOrder) {
  const known = spans ?? spansOf(schedule, startAt, endMs + comesAfterMs);
  const policyOf = ({ period }: InForceFrom): IdlePolicy =>
    (period === null ? undefined : schedule.periods[period]) ?? schedule.base;
  let here = 0;
  let found: { policies: readonly IdlePolicy[]; until: number } = { policies: [], until: -Infinity };
  const fromOf = (index: number) => known[index]?.from ?? Infinity;
  return (now: number): { policies: readonly IdlePolicy[]; until: number } => {
    if (now < found.until) return found;
    while (fromOf(here + 1) <= now) here += 1;
    let last = here;
    while (fromOf(last + 1) <= now + comesAfterMs) last += 1;
    const policies = known.slice(here, last + 1).map(policyOf);
    found = { policies, until: Math.min(fromOf(here + 1), fromOf(last + 1) - comesAfterMs) };
    return found;
  };
}

const UNKNOWN: WaitFigures = { p50: Infinity, p95: Infinity, p99: Infinity, max: Infinity };

/** Plays the jobs through. Deterministic. */
export function estimate(order: EstimateOrder): Estimate {
  const { comesAfterMs, handOverMs, endMs, limit } = order;
  const stages = createStageBook(order.arrivals);
  const arrivals = stages.firsts;
  const mostIdleMs = (order.mostIdleHours ?? Infinity) * HOUR_MS;
  const calendar = createCalendar(order);
  const busy = createMoments();
  const coming = createMoments();
  /** Since when each idle machine idles, the longest first. */
  const idle: number[] = [];
  const waiting: QueuedJob[] = [];
  const waits: number[] = [];
  let [now, next, busyMs, machineMs, machines] = [0, 0, 0, 0, 0];

  function begin({ job, queuedMs }: QueuedJob): void {
    const endsAt = now + handOverMs + job.durationMs;
    waits.push(now - queuedMs + handOverMs);
    busyMs += Math.min(job.durationMs, Math.max(0, endMs - now));
    busy.add(endsAt);
    stages.begins(job, endsAt);
  }

  function queue(job: QueuedJob): void {
    waiting.push(job);
    // The newest idle machine serves first, as the oldest is the next to go.
    if (idle.length > 0) {
      idle.pop();
      free();
    }
  }

  function free(): void {
    const job = waiting.shift();
    if (job === undefined) idle.push(now);
    else begin(job);
  }

  /** When the policy has to be looked at again though nothing happens. */
  function settle(): number {
    const { policies, until } = calendar(now);
    const want = policies.reduce((most, policy) => Math.max(most, idleWanted(policy, busy.size())), 0);
    const all = busy.size() + waiting.length + want;
    const wanted = limit > 0 ? Math.min(all, limit) : all;
    const have = () => busy.size() + coming.size() + idle.length;
    for (let missing = wanted - have(); missing > 0; missing -= 1) {
      coming.add(now + comesAfterMs);
      machines += 1;
    }
    const idleTimeMs = policies[0]?.idleTimeMs ?? 0;
    while (have() > wanted && (idle[0] ?? Infinity) + idleTimeMs <= now) idle.shift();
    return Math.min(until, have() > wanted ? (idle[0] ?? Infinity) + idleTimeMs : Infinity);
  }

  for (let again = settle(); now < endMs && machineMs - busyMs <= mostIdleMs; again = settle()) {
    const arrival = arrivals[next];
    const then = Math.min(
      busy.first(),
      coming.first(),
      arrival?.atMs ?? Infinity,
      stages.nextAt(),
      Math.max(again, now + 1),
      endMs,
    );
    machineMs += (busy.size() + coming.size() + idle.length) * (then - now);
    now = then;
    while (busy.first() <= now) {
      busy.take();
      free();
    }
    while (coming.first() <= now) {
      coming.take();
      free();
    }
    for (let job = arrivals[next]; job !== undefined && job.atMs <= now; job = arrivals[++next])
      queue({ job, queuedMs: job.atMs });
    for (const job of stages.due(now)) queue(job);
  }
  const isWhole = now >= endMs;
  for (const { queuedMs } of waiting) waits.push(endMs - queuedMs);
  return {
    wait: isWhole ? waitFigures(waits) : UNKNOWN,
    idleHours: Math.max(0, machineMs - busyMs) / HOUR_MS,
    busyHours: busyMs / HOUR_MS,
    machines,
  };
}
