// "What would this configuration do with these jobs?": hostler's real parts in a simulated world, for a time, with the waits,
// machine-hours, calls and a course over time that came of it. No faults but those that are asked for by rate of EC2's ways.
// The same input and seed give the same result, to the last digit.
import type { Config } from '../domain/config.ts';
import type { MachinePhase } from '../domain/machine.ts';
import { type DurationMs, type EpochMs, HOUR_MS, SECOND_MS } from '../domain/units.ts';
import { rushFact } from '../service/rush-book.ts';
import { entriesOf } from '../sim/gitlab/enter-jobs.ts';
import { isEnded, type Job } from '../sim/gitlab/job.ts';
import { usualSettings } from '../sim/runner/runner-settings.ts';
import type { SpotPrices } from '../sim/spot-prices.ts';
import type { Arrival } from '../sim/workload.ts';
import { prepareSimKeys } from './daemon/sim-keys.ts';
import { createCostBook, LOOK_EVERY_MS } from './run/cost-book.ts';
import { learnedRushes } from './run/learned-rushes.ts';
import { type QueueWay, withQueue } from './run/queue-way.ts';
import { driven, type RunnerWay } from './run/runner-file.ts';
import { createStage, type Stage } from './run/stage.ts';
import { drive } from './time/drive.ts';

export type SimulateOptions = {
  config: Config;
  /** Jobs to come, from `startAt` on. Tags of a job name its pool where the configuration has several. */
  workload: readonly Arrival[];
  /** Jobs before `startAt` that a forecast has learned from: how long that was, and the jobs from its begin on. */
  learned?: { lengthMs: DurationMs; arrivals: readonly Arrival[] };
  /** Launch to a host that answers. */
  bootMs: DurationMs;
  runner: RunnerWay;
  /** Whether hostler sees GitLab's queue; default: as the configuration says. */
  queue?: QueueWay;
  startAt: EpochMs;
  days: number;
  seed: number;
  /** Before `startAt`, so that idle machines stand: default a quarter of an hour. */
  warmUpMs?: DurationMs;
  /** After the last day, so that its jobs end: default an hour. They count in the waits, the time does not. */
  coolDownMs?: DurationMs;
  /** Share of spot machines that EC2 takes back in an hour: 0 (default) to 1. */
  reclaimsPerHour?: number;
  /** Prices of the world, USD an hour, by type and zone; else the world's model. */
  prices?: readonly { type: string; zone: string; usd: number }[];
  /** One point of the course each so many ms: default 1/500 of the time. */
  everyMs?: DurationMs;
  /** Called at each point, with the share of time that is over. */
  progress?: (share: number) => void;
  /** Called for each call that reached EC2, with what became of it. */
  onCall?: (answer: 'ok' | 'throttled' | 'refused') => void;
};

/** One job's way, ms after its queueing; null = it did not come so far. */
export type JobCourse = {
  queuedAt: EpochMs;
  claimedMs: DurationMs | null;
  /** Until it was handed a host. */
  waitMs: DurationMs | null;
  ranMs: DurationMs | null;
  status: Job['status'];
};

export type CoursePoint = {
  at: EpochMs;
  /** Jobs without a host: pending, and claimed ones that wait. */
  waiting: number;
  running: number;
  machines: Readonly<Partial<Record<MachinePhase, number>>>;
  wanted: number;
  costPerHour: number;
};

export type SimulationResult = {
  /** Seconds from queued to host, over the jobs that got one. */
  waitS: { p50: number; p95: number; p99: number; max: number };
  jobs: { total: number; served: number; failed: number; unserved: number };
  machineHours: { busy: number; idle: number };
  costUsd: number;
  ec2Calls: { total: number; byAction: Readonly<Record<string, number>> };
  machines: number;
  interruptions: number;
  /** Part of the jobs foretold by look-ahead that came; null where nobody looked ahead. */
  lookaheadHits: number | null;
  course: readonly CoursePoint[];
  courses: readonly JobCourse[];
};

/** EC2's answer and provisioning beside the boot, in the mean. */
const PROVISIONING_MS: DurationMs = 3.5 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
const POINTS = 500;
const QUARTER_MS = HOUR_MS / 4;

/** The value that `share` of the sorted numbers do not exceed; 0 for none. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function courseOf(job: Job): JobCourse {
  const queuedAt = job.queuedAt ?? job.createdAt;
  const since = (at: number | null) => (at === null ? null : at - queuedAt);
  const ranMs = job.hostAt === null || job.endedAt === null ? null : job.endedAt - job.hostAt;
  return { queuedAt, claimedMs: since(job.startedAt), waitMs: since(job.hostAt), ranMs, status: job.status };
}

/** What the stage shows at one moment. */
function pointOf(stage: Stage, costPerHour: number): CoursePoint {
  const { daemon, gitlab, timeline, jobHosts } = stage;
  const machines: Partial<Record<MachinePhase, number>> = {};
  for (const { phase } of daemon.disk.tables.machines.values())
    if (phase !== 'gone') machines[phase] = (machines[phase] ?? 0) + 1;
  const claimed = stage.runner.jobsRunning().length;
  const running = jobHosts.count();
  return {
    at: timeline.now(),
    waiting: gitlab.pending().length + Math.max(0, claimed - running),
    running,
    machines,
    wanted: daemon.wanted(),
    costPerHour,
  };
}

/** Puts the workload into GitLab, each job at its time. */
function schedule(stage: Stage, options: SimulateOptions): void {
  const { timeline, gitlab } = stage;
  const isOnePool = options.config.pools.length === 1;
  const jobs = isOnePool ? options.workload.map((job) => ({ ...job, tags: [] })) : options.workload;
  for (const { atMs, enter } of entriesOf(gitlab, jobs))
    timeline.after(options.startAt + atMs - timeline.now(), () => void enter());
}

/** What the daemon has in its store from the weeks before. */
function remember(stage: Stage, { learned, startAt, bootMs }: SimulateOptions): void {
  if (learned === undefined) return;
  const { pools } = stage.config();
  for (const { id, queue, maxBuilds } of pools) {
    if (queue?.forecast !== true) continue;
    const arrivals = learned.arrivals.filter(({ tags }) => pools.length === 1 || tags.includes(id));
    const history = learnedRushes({
      arrivals,
      lengthMs: learned.lengthMs,
      startAt: startAt - learned.lengthMs,
      bootMs: bootMs + PROVISIONING_MS,
      lookahead: queue.lookahead,
      reuses: maxBuilds !== 1,
    });
    stage.daemon.disk.tables.facts.set(rushFact(id), JSON.stringify(history));
  }
}

function priced(prices: SpotPrices, options: SimulateOptions): void {
  for (const { type, zone, usd } of options.prices ?? []) prices.set({ type, zone }, usd);
}

/** EC2 takes spot machines back at that rate, looked at each minute. */
function reclaim(stage: Stage, perHour: number): void {
  if (perHour <= 0) return;
  const { world, timeline, random } = stage;
  const chance = 1 - (1 - Math.min(1, perHour)) ** (1 / 60);
  const look = () => {
    for (const instance of world.instances())
      if (instance.market === 'spot' && instance.state === 'running' && random.float() < chance)
        world.region(instance.zone.slice(0, -1)).unaskedEnds.reclaim(instance, 120 * SECOND_MS);
    timeline.after(60 * SECOND_MS, look);
  };
  timeline.after(60 * SECOND_MS, look);
}

/** Runs the days and reports. */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  // Failed connections to booting hosts are made by the thousand; nobody reads their stacks.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await live(options);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function live(options: SimulateOptions): Promise<SimulationResult> {
  const { startAt, days, warmUpMs = QUARTER_MS, coolDownMs = HOUR_MS, runner } = options;
  const endAt = startAt + days * DAY_MS;
  const pools = options.config.pools.map((pool) =>
    withQueue(driven(pool, runner), options.queue ?? 'config'),
  );
  const config = { ...options.config, pools };
  const pem = await prepareSimKeys(startAt);
  const hits = new Map<string, number>();
  const stage = createStage({
    ...options,
    startAt: startAt - warmUpMs,
    config,
    way: runner,
    pem,
    // The runner's own race is the runner's; what is asked here is hostler's part.
    odds: { missedWord: 0, ownCreateFirst: 0 },
    hooks: {
      onCall: (_action, answer) => options.onCall?.(answer),
      onQueue({ pool, hitRate }) {
        if (hitRate !== null && hitRate !== undefined) hits.set(pool, hitRate);
      },
    },
  });
  priced(stage.world.prices, options);
  const book = createCostBook(stage.world);
  schedule(stage, options);
  remember(stage, options);
  const ended = { jobs: 0 };
  stage.gitlab.on(({ job }) => {
    if (isEnded(job)) ended.jobs += 1;
  });
  stage.daemon.start();
  // Whole intervals before the first job: the jobs come as it looks, as they do in every other policy's world.
  const intervalMs = usualSettings.checkIntervalMs;
  const ahead = 5 * SECOND_MS + ((warmUpMs - 5 * SECOND_MS) % intervalMs);
  stage.timeline.after(ahead, () => stage.runner.start());
  await drive(stage.timeline, startAt);
  reclaim(stage, options.reclaimsPerHour ?? 0);

  const before = book.sum(startAt);
  const callsBefore = stage.daemon.calls();
  const course: CoursePoint[] = [];
  const everyMs = options.everyMs ?? (endAt - startAt) / POINTS;
  let lookedAt = startAt;
  for (let at = startAt; at <= endAt; at += everyMs) {
    for (; lookedAt < at; lookedAt += LOOK_EVERY_MS) {
      await drive(stage.timeline, Math.min(at, lookedAt));
      book.look();
    }
    await drive(stage.timeline, at);
    course.push(pointOf(stage, book.rate()));
    options.progress?.((at - startAt) / (endAt - startAt));
  }
  await drive(stage.timeline, endAt);
  const sum = book.sum(endAt);
  const byAction = difference(stage.daemon.calls(), callsBefore);
  const allEnded = () => ended.jobs === options.workload.length;
  await drive(stage.timeline, endAt + coolDownMs, allEnded);
  return report(stage, { course, byAction, before, sum, startAt, endAt, hits: [...hits.values()] });
}

function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]),
  );
}

type Sum = ReturnType<ReturnType<typeof createCostBook>['sum']>;

function report(
  stage: Stage,
  run: {
    course: readonly CoursePoint[];
    byAction: Record<string, number>;
    before: Sum;
    sum: Sum;
    startAt: EpochMs;
    endAt: EpochMs;
    /** Of each pool that looks ahead. */
    hits: readonly number[];
  },
): SimulationResult {
  // What was skipped after a failure was never asked for.
  const jobs = [...stage.gitlab.jobs()].filter(({ queuedAt }) => queuedAt !== null);
  const courses = jobs.map(courseOf);
  const waits = courses
    .flatMap(({ waitMs }) => (waitMs === null ? [] : [waitMs / SECOND_MS]))
    .toSorted((a, b) => a - b);
  const { before, sum, endAt } = run;
  const busyMs = jobs.reduce((total, { hostAt, endedAt }) => {
    if (hostAt === null || hostAt >= endAt) return total;
    return total + Math.min(endedAt ?? endAt, endAt) - hostAt;
  }, 0);
  const machineMs = sum.machineMs - before.machineMs;
  const failed = courses.filter(({ status }) => status === 'failed').length;
  return {
    waitS: {
      p50: quantile(waits, 0.5),
      p95: quantile(waits, 0.95),
      p99: quantile(waits, 0.99),
      max: waits.at(-1) ?? 0,
    },
    jobs: { total: jobs.length, served: waits.length, failed, unserved: jobs.length - waits.length },
    machineHours: { busy: busyMs / HOUR_MS, idle: Math.max(0, machineMs - busyMs) / HOUR_MS },
    costUsd: sum.costUsd - before.costUsd,
    ec2Calls: { total: Object.values(run.byAction).reduce((a, b) => a + b, 0), byAction: run.byAction },
    machines: sum.machines,
    interruptions: sum.interruptions - before.interruptions,
    lookaheadHits: run.hits.length === 0 ? null : run.hits.reduce((a, b) => a + b, 0) / run.hits.length,
    course: run.course,
    courses,
  };
}
