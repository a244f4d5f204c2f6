// Whether look-ahead and forecast pay: the advice that knows no queue, and the same with fewer machines held and GitLab's queue
// seen, each simulated for the busiest day of the record. The figures of a forecast are those of a daemon that has learned from
// the days before.
// Must stay bounded: one day, a handful of settings. Trap: with a queue IdleCount is a bound and IdleCountMin what is held, so
// both move.
import type { Config, IdlePolicy, PoolSpec, Schedule } from '../../domain/config.ts';
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import type { Arrival } from '../../sim/workload.ts';
import { usualQueue } from '../run/queue-way.ts';
import type { PolicyRun } from './figures.ts';
import { type Frame, runPolicy } from './run-policy.ts';
import { keepsWait } from './sweep.ts';

/** A way to use the queue; `share`: of the idle machines advised without it, what is still held. */
export type AheadWish = { lookahead: boolean; forecast: boolean; forecastShare: number; share: number };
/** null: without the queue, as advised. */
export type AheadTried = { wish: AheadWish | null; pool: PoolSpec; run: PolicyRun };

export type Ahead = {
  /** The day that was simulated, and its jobs. */
  startAt: EpochMs;
  jobs: number;
  tried: readonly AheadTried[];
  /** The cheapest that keeps the wait, where it is one with the queue; null = it does not pay. */
  best: AheadTried | null;
  /** Why look-ahead or forecast was not tried. */
  untried: readonly string[];
};

const DAY_MS = 24 * HOUR_MS;
/** A forecast foretells nothing before it has seen each hour of the week twice. */
const LEARNED_MS = 14 * DAY_MS;
/** Machines that an announced stage may ask for, where the advice holds fewer. */
const BOUND = 60;
/** So small that what jobs use adds nothing: IdleCountMin is what is held. */
const FACTOR = 0.01;
const IDLE_MS = 2 * MINUTE_MS;
/** Saves at least this share of the idle hours, or it is not worth a token. */
const WORTH = 0.95;

const aheads: readonly AheadWish[] = [
  { lookahead: true, forecast: false, forecastShare: 0.8, share: 0.5 },
  { lookahead: true, forecast: false, forecastShare: 0.8, share: 0.25 },
  { lookahead: true, forecast: true, forecastShare: 0.8, share: 0.25 },
  { lookahead: true, forecast: true, forecastShare: 0.5, share: 0 },
];
const forecasts: readonly AheadWish[] = [
  { lookahead: false, forecast: true, forecastShare: 0.8, share: 0.5 },
  { lookahead: false, forecast: true, forecastShare: 0.5, share: 0.25 },
];

/** The days with their jobs, by the calendar's days in UTC. */
function busiestDay(frame: Frame): { fromMs: number; jobs: readonly Arrival[] } {
  const firstMs = -(frame.startAt % DAY_MS);
  const days = Map.groupBy(frame.workload, ({ atMs }) => Math.floor((atMs - firstMs) / DAY_MS));
  const [day, jobs] = [...days].reduce((most, one) => (one[1].length > most[1].length ? one : most));
  return { fromMs: Math.max(0, firstMs + day * DAY_MS), jobs };
}

/** That day alone; what came before it has been learned. */
function dayOf(frame: Frame): Frame {
  const { learned = { lengthMs: 0, arrivals: [] }, startAt } = frame;
  const { fromMs, jobs } = busiestDay(frame);
  const lengthMs = learned.lengthMs + fromMs;
  const before = frame.workload.filter(({ atMs }) => atMs < fromMs);
  const arrivals = [
    ...learned.arrivals,
    ...before.map((job) => ({ ...job, atMs: job.atMs + learned.lengthMs })),
  ];
  const { learned: _none, ...rest } = frame;
  return {
    ...rest,
    workload: jobs.map((job) => ({ ...job, atMs: job.atMs - fromMs })),
    startAt: startAt + fromMs,
    days: Math.min(1, frame.days - fromMs / DAY_MS),
    ...(lengthMs >= LEARNED_MS && { learned: { lengthMs, arrivals } }),
  };
}

/** The policy with a part of what it holds, and room for what is announced. */
function withRoom(policy: IdlePolicy, wish: AheadWish, limit: number): IdlePolicy {
  const bound = Math.max(policy.idleCount, limit > 0 ? Math.min(BOUND, limit) : BOUND);
  const held = policy.idleCount > 0 ? Math.max(1, Math.round(policy.idleCount * wish.share)) : 0;
  return {
    idleCount: bound,
    idleCountMin: held,
    idleScaleFactor: FACTOR,
    idleTimeMs: Math.min(policy.idleTimeMs, IDLE_MS),
  };
}

function poolFor(pool: PoolSpec, schedule: Schedule, wish: AheadWish | null): PoolSpec {
  const { queue: asked, ...rest } = pool;
  if (wish === null) return { ...rest, runnerSchedule: schedule, ownSchedule: schedule };
  const { lookahead, forecast, forecastShare } = wish;
  const ownSchedule = {
    base: withRoom(schedule.base, wish, pool.limit),
    periods: schedule.periods.map((period) => ({ ...period, ...withRoom(period, wish, pool.limit) })),
  };
  const queue = { ...(asked ?? usualQueue), lookahead, forecast, forecastShare };
  return { ...rest, runnerSchedule: ownSchedule, ownSchedule, queue };
}

/** What is tried, and what there is nothing to learn about. */
function wishesFor(day: Frame): { wishes: (AheadWish | null)[]; untried: string[] } {
  const hasStages = day.workload.some(({ place }) => (place?.stage ?? 0) > 0);
  const hasPast = day.learned !== undefined;
  const untried = [
    ...(hasStages ? [] : ['look-ahead: the jobs have no pipelines with stages']),
    ...(hasPast ? [] : ['forecast: it needs two weeks of jobs before that day']),
  ];
  const ways = hasStages ? aheads : forecasts;
  return { wishes: [null, ...ways.filter(({ forecast }) => hasPast || !forecast)], untried };
}

/**
 * The cheapest with the queue that waits no longer than asked, or than the advice itself does on that day, and is worth it; null:
 * none does. The advice comes first.
 */
export function bestOf([plain, ...others]: readonly AheadTried[], waitP95S: number): AheadTried | null {
  if (plain === undefined) return null;
  const idle = ({ run }: AheadTried) => run.figures.machine_hours.idle;
  const wait = Math.max(waitP95S, plain.run.figures.wait_s.p95);
  const paying = others.filter((one) => keepsWait(one.run.figures, wait) && idle(one) <= idle(plain) * WORTH);
  return paying.toSorted((a, b) => idle(a) - idle(b))[0] ?? null;
}

export type AheadOrder = {
  config: Config;
  pool: PoolSpec;
  schedule: Schedule;
  frame: Frame;
  waitP95S: number;
  progress?: (share: number) => void;
};

/** Simulates them. What is chosen waits no longer than asked, or than the advice itself does on that day. */
export async function adviseAhead(order: AheadOrder): Promise<Ahead> {
  const { config, pool, schedule, frame, waitP95S, progress } = order;
  const day = dayOf(frame);
  const { wishes, untried } = wishesFor(day);
  const seen = frame.queue === 'webhook' ? 'webhook' : 'on';
  const tried: AheadTried[] = [];
  for (const [index, wish] of wishes.entries()) {
    const asked = poolFor(pool, schedule, wish);
    const queue = wish === null ? 'off' : seen;
    const share = (of: number) => progress?.((index + of) / wishes.length);
    const run = await runPolicy('hostler', { ...config, pools: [asked] }, { ...day, queue }, share);
    tried.push({ wish, pool: asked, run });
  }
  const best = bestOf(tried, waitP95S);
  return { startAt: day.startAt, jobs: day.workload.length, tried, best, untried };
}
