// One seed: an installation and its jobs, faults for some hours, then peace. The pool must come to rest: every job ended, and
// nothing left once nothing is wanted. What was broken on the way is in the report, and how to see it again.
import type { PoolSpec } from '../domain/config.ts';
import { type DurationMs, HOUR_MS, MINUTE_MS } from '../domain/units.ts';
import { isEnded } from '../sim/gitlab/job.ts';
import type { Breach } from './checks/breaches.ts';
import { checkCost } from './checks/cost.ts';
import { prepareSimKeys } from './daemon/sim-keys.ts';
import { actFault, calm, type Spells } from './faults/fault-acts.ts';
import { faultHooks } from './faults/fault-hooks.ts';
import type { FaultName } from './faults/fault-names.ts';
import { createFaultPlan } from './faults/fault-plan.ts';
import { placeSubnets, placesOf } from './run/cloud-wish.ts';
import { configOf } from './run/config-of.ts';
import { withQueue } from './run/queue-way.ts';
import { driven } from './run/runner-file.ts';
import { fileOf, type Scenario, scenarioOf } from './run/scenario.ts';
import { rememberWeeks, scheduleJobs } from './run/scenario-jobs.ts';
import type { Stage } from './run/stage.ts';
import { allEnded, createWatchedStage, leftovers, type WatchedStage } from './run/watched-stage.ts';

export type SeedOptions = {
  seed: number;
  faults: readonly FaultName[];
  /** Hours of jobs and faults; default 8.5. */
  hours?: number;
  /** Called once before anything starts: what others do to its world and its files, to see the checkers at work. */
  meddle?: (watched: WatchedStage) => void;
  /** Called with each line of the run's history. */
  trace?: (line: string) => void;
};

export type SeedReport = {
  seed: number;
  breaches: readonly Breach[];
  virtualMs: DurationMs;
  jobs: number;
  /** By their end: success, canceled, or the failure. */
  ends: Readonly<Record<string, number>>;
  /** How often each fault hit something. */
  faults: Readonly<Record<string, number>>;
  /** Calls sent to EC2 by action. */
  calls: Readonly<Record<string, number>>;
  /** Lives of the daemon. */
  starts: number;
  /** Of everything that was said and done, with its time. */
  hash: string;
};

/** Monday, 2026-11-23, 06:00 UTC. */
const START = Date.UTC(2026, 10, 23, 6);
/** 300 seeds make more than the 100 days that are asked for. */
const USUAL_HOURS = 8.5;
/** After the faults: a runner that died leaves jobs that GitLab fails an hour later. */
const CALM_MS: DurationMs = 100 * MINUTE_MS;
/** After the demand: the longest IdleTime, an abandoned lease's times, the end of the instances. */
const REST_MS: DurationMs = 100 * MINUTE_MS;
/** Tokens that a runner has one after the other. */
const TOKENS = 4;

function lookingAhead(pool: PoolSpec): PoolSpec {
  const { queue } = pool;
  return queue === undefined ? pool : { ...pool, queue: { ...queue, lookahead: true, forecast: true } };
}

async function configsOf(scenario: Scenario) {
  const read = async (turn: number, isResting: boolean) => {
    const config = await configOf(fileOf(scenario, { turn, isResting }));
    // At rest a standing runner wants nothing either.
    const way = isResting && scenario.way === 'standing' ? 'drop-in' : scenario.way;
    const pools = config.pools.map((pool) => withQueue(driven(pool, way), scenario.queue));
    return { ...config, pools: scenario.looksAhead ? pools.map(lookingAhead) : pools };
  };
  const working = await Promise.all(Array.from({ length: TOKENS }, (_, turn) => read(turn, false)));
  const resting = await Promise.all(Array.from({ length: TOKENS }, (_, turn) => read(turn, true)));
  return { working, resting };
}

/** The runner's own race leaves a job waiting for ever; its cure is a restart of the runner (facts F). */
function cureStuck(stage: Stage): void {
  const stuck = new Set(stage.runner.stuck());
  if (stuck.size === 0) return;
  if (![...stage.gitlab.jobs()].every((job) => isEnded(job) || stuck.has(job.id))) return;
  void stage.runner.stop('KILL', 'process').then(() => {
    stage.jobHosts.runnerEnded();
    stage.runner.start();
  });
}

/** After the faults: every job ends, then nothing is wanted and nothing is left. */
async function converge(watched: WatchedStage, resting: () => void): Promise<void> {
  const { stage, book, now } = watched;
  await watched.live(now() + CALM_MS, () => {
    cureStuck(stage);
    return allEnded(stage);
  });
  const open = [...stage.gitlab.jobs()].filter((job) => !isEnded(job));
  const words = open.slice(0, 5).map(({ id, status }) => `${id} ${status}`);
  if (open.length > 0 && book.all().length === 0)
    book.add('not-converged', `${open.length} jobs: ${words.join(', ')}`);
  if (book.all().length > 0) return;
  resting();
  await watched.live(now() + REST_MS, () => leftovers(stage).length === 0);
  const left = leftovers(stage);
  if (left.length > 0) book.add('not-empty', `${left.length} left: ${left.slice(0, 6).join(', ')}`);
}

/** Without a fault every job succeeds. */
function checkJobs({ stage, book }: WatchedStage, faults: readonly FaultName[]): void {
  const failed = [...stage.gitlab.jobs()].filter(({ status }) => status === 'failed');
  const words = failed.slice(0, 5).map(({ id, failure }) => `${id} ${failure}`);
  if (faults.length === 0 && failed.length > 0)
    book.add('job-lost', `${failed.length} jobs: ${words.join(', ')}`);
}

/** Runs a seed to its end, or to its first breaches. */
export async function runSeed(options: SeedOptions): Promise<SeedReport> {
  const { seed, faults, hours = USUAL_HOURS, trace } = options;
  const scenario = scenarioOf(seed, hours);
  const { working, resting } = await configsOf(scenario);
  const plan = createFaultPlan({ seed, names: faults, start: START, now: () => watched.now() });
  const spells: Spells = { deafUntil: 0, unreadableUntil: 0, crashIn: null };
  let turn = 0;
  const configAt = (list: typeof working) => list[turn % TOKENS] as (typeof working)[number];
  const watched = createWatchedStage({
    startAt: START,
    seed,
    config: configAt(working),
    way: scenario.way,
    bootMs: scenario.bootMs,
    pem: await prepareSimKeys(START),
    odds: { missedWord: 0.005, ownCreateFirst: 0 },
    hooks: faultHooks(plan, spells, () => watched.now()),
    trace,
  });
  const { stage, now } = watched;
  options.meddle?.(watched);
  scheduleJobs({ stage, scenario });
  rememberWeeks({ stage, scenario });
  placeSubnets(stage.world);
  const places = placesOf(scenario.clouds);
  const nextToken = () => {
    turn += 1;
    return configAt(working);
  };
  const faultsEnd = START + hours * HOUR_MS;
  plan.schedule(stage.timeline, faultsEnd, (name) => {
    const hit = actFault({ stage, plan, spells, places, nextToken }, name);
    if (hit) watched.tell(`fault ${name}`);
    return hit;
  });
  stage.daemon.start();
  stage.runner.start();
  await watched.live(faultsEnd);
  plan.stop();
  calm(stage, spells, places);
  await converge(watched, () => stage.change(configAt(resting)));
  const elapsedMs = now() - START;
  checkCost({
    stage,
    scenario,
    book: watched.book,
    sum: watched.costs.sum(now()),
    elapsedMs,
    fired: plan.fired(),
  });
  checkJobs(watched, faults);
  const jobs = [...stage.gitlab.jobs()];
  const ends = Map.groupBy(jobs, ({ status, failure }) => failure ?? status);
  return {
    seed,
    breaches: watched.book.all(),
    virtualMs: elapsedMs,
    jobs: jobs.length,
    ends: Object.fromEntries([...ends].map(([end, some]) => [end, some.length])),
    faults: plan.fired(),
    calls: stage.daemon.calls(),
    starts: stage.daemon.starts(),
    hash: watched.hash(),
  };
}
