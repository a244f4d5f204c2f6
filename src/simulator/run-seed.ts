// One seed: an installation and its jobs, faults for some hours, then peace. The pool must come to rest: every job ended, and
// nothing left once nothing is wanted. What was broken on the way is in the report, and how to see it again.
import { createHash } from 'node:crypto';
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { isEnded } from '../sim/gitlab/job.ts';
import { type Breach, createBreachBook } from './checks/breaches.ts';
import { createCheckers } from './checks/checkers.ts';
import { checkCost } from './checks/cost.ts';
import { prepareSimKeys } from './daemon/sim-keys.ts';
import { actFault, type Spells } from './faults/fault-acts.ts';
import type { FaultName } from './faults/fault-names.ts';
import { createFaultPlan } from './faults/fault-plan.ts';
import type { HostTrouble } from './hosts/sim-host.ts';
import { configOf } from './run/config-of.ts';
import { createCostBook } from './run/cost-book.ts';
import { driven } from './run/runner-file.ts';
import { fileOf, type Scenario, scenarioOf } from './run/scenario.ts';
import { createStage, type Stage, type StageHooks } from './run/stage.ts';
import { drive } from './time/drive.ts';

export type SeedOptions = {
  seed: number;
  faults: readonly FaultName[];
  /** Hours of jobs and faults; default 7. */
  hours?: number;
  /** Called with each line of the run's history. */
  trace?: (line: string) => void;
};

export type SeedReport = {
  seed: number;
  breaches: readonly Breach[];
  virtualMs: DurationMs;
  jobs: number;
  /** By their end. */
  ends: Readonly<Record<string, number>>;
  faults: Readonly<Record<string, number>>;
  starts: number;
  /** Of everything that was said and done, with its time. */
  hash: string;
};

/** Monday, 2026-11-23, 06:00 UTC. */
const START = Date.UTC(2026, 10, 23, 6);
/** After the faults: a runner that died leaves jobs that GitLab fails an hour later. */
const CALM_MS: DurationMs = 100 * MINUTE_MS;
/** After the demand: the longest IdleTime, an abandoned lease's time, the end of the instances. */
const REST_MS: DurationMs = 60 * MINUTE_MS;
const TOKENS = 4;
const BOOT_TROUBLES: readonly HostTrouble[] = [
  'no-greeting',
  'cloud-init-hangs',
  'docker-fails',
  'ssh-dies',
  'mute',
];
const CALL_FAULTS = ['ec2-failed', 'ec2-throttled', 'ec2-lost-answer', 'ec2-duplicated', 'ec2-slow'] as const;

async function configsOf(scenario: Scenario) {
  const read = async (turn: number, isResting: boolean) => {
    const config = await configOf(fileOf(scenario, { turn, isResting }));
    // At rest a standing runner wants nothing either.
    const way = isResting && scenario.way === 'standing' ? 'drop-in' : scenario.way;
    return { ...config, pools: config.pools.map((pool) => driven(pool, way)) };
  };
  const working = await Promise.all(Array.from({ length: TOKENS }, (_, turn) => read(turn, false)));
  return { working, resting: (turn: number) => read(turn, true) };
}

/** The hooks by which faults ride on calls, boots and doors. */
function faultHooks(
  plan: ReturnType<typeof createFaultPlan>,
  spells: Spells,
  now: () => number,
): Partial<StageHooks> {
  return {
    trouble() {
      const name = CALL_FAULTS.find((fault) => plan.hits(fault));
      return name === undefined ? null : (name.slice('ec2-'.length) as ReturnType<StageHooks['trouble']>);
    },
    fate() {
      if (!plan.hits('host-hangs')) return null;
      return BOOT_TROUBLES[Math.floor(plan.random('host-hangs').float() * BOOT_TROUBLES.length)] ?? null;
    },
    doorKilledAfter(verb) {
      if (!plan.hits('door-killed')) return null;
      const reach = verb === 'create' ? 60 * SECOND_MS : 40;
      return plan.random('door-killed').float() ** 3 * reach;
    },
    falls() {
      if (spells.crashIn === null) return false;
      spells.crashIn -= 1;
      if (spells.crashIn >= 0) return false;
      spells.crashIn = null;
      return true;
    },
    isDeaf: () => now() < spells.deafUntil,
    isUnreadable: () => now() < spells.unreadableUntil,
  };
}

/** Minutes of the world, each with its checks, until `until` or `isOver`. */
async function live(
  stage: Stage,
  until: number,
  minute: () => boolean,
  isOver: () => boolean = () => false,
): Promise<void> {
  while (stage.timeline.now() < until) {
    await drive(stage.timeline, Math.min(until, stage.timeline.now() + MINUTE_MS));
    if (!minute() || isOver()) return;
  }
}

const allEnded = ({ gitlab }: Stage) => [...gitlab.jobs()].every(isEnded);

function leftovers({ world, daemon, folder }: Stage): string[] {
  const { machines, leases, launches } = daemon.disk.tables;
  const alive = world
    .instances()
    .filter(({ endingAt }) => endingAt === null)
    .map(({ id }) => id);
  const rows = [...machines.values()]
    .filter(({ phase }) => phase !== 'gone')
    .map(({ id, phase }) => `${id} ${phase}`);
  const open = [...launches.values()]
    .filter(({ state }) => state === 'intended')
    .map(({ token }) => `launch ${token}`);
  return [
    ...alive,
    ...rows,
    ...leases.keys(),
    ...open,
    ...folder.released.map(({ name }) => `release ${name}`),
  ];
}

/** Runs a seed to its end, or to its first breaches. */
export async function runSeed(options: SeedOptions): Promise<SeedReport> {
  const { seed, faults, hours = 7, trace } = options;
  const scenario = scenarioOf(seed, hours);
  const configs = await configsOf(scenario);
  const pem = await prepareSimKeys(START);
  const plan = createFaultPlan(seed, faults);
  const spells: Spells = { deafUntil: 0, unreadableUntil: 0, crashIn: null };
  const hash = createHash('sha256');
  const now = () => stage.timeline.now();
  const book = createBreachBook(now);
  const checkers = createCheckers(book, () => stage);
  const tell = (line: string) => {
    hash.update(`${now()} ${line}\n`);
    trace?.(`${new Date(now()).toISOString()} ${line}`);
  };
  const first = configs.working[0];
  if (first === undefined) throw new Error('a scenario has a configuration');
  const stage: Stage = createStage({
    startAt: START,
    seed,
    config: first,
    way: scenario.way,
    bootMs: scenario.bootMs,
    pem,
    odds: { missedWord: 0.005, ownCreateFirst: 0 },
    hooks: {
      ...checkers,
      ...faultHooks(plan, spells, now),
      said(level, message, fields) {
        checkers.said(level, message, fields);
        tell(`${level} ${message} ${JSON.stringify(fields)}`);
      },
    },
  });
  stage.gitlab.on(({ job, from }) =>
    tell(`job ${job.id} ${from ?? 'new'} -> ${job.status} ${job.failure ?? ''} ${job.machine ?? ''}`),
  );

  let turn = 0;
  const nextToken = () => configs.working[(turn = (turn + 1) % TOKENS)] ?? first;
  const places = scenario.pools.map(({ type, zone }) => ({ type, zone: `eu-central-1${zone}` }));
  const costs = createCostBook(stage.world);
  let upAt = START;
  const minute = () => {
    if (!stage.daemon.isUp()) upAt = now();
    checkers.minute(stage.daemon.isUp() && now() - upAt >= MINUTE_MS);
    if (Math.round((now() - START) / MINUTE_MS) % 10 === 0) costs.look();
    return book.all().length === 0;
  };
  const poolName = (index: number) => first.pools[index]?.id ?? '';
  for (const { atMs, durationMs, pool } of scenario.jobs)
    stage.timeline.after(atMs + MINUTE_MS, () => {
      stage.gitlab.enqueue({ durationMs, tags: scenario.pools.length > 1 ? [poolName(pool)] : [] });
    });
  const faultsEnd = START + hours * HOUR_MS;
  plan.schedule(stage.timeline, faultsEnd, (name) => {
    const hit = actFault({ stage, plan, spells, places, nextToken }, name);
    if (hit) tell(`fault ${name}`);
    return hit;
  });
  stage.daemon.start();
  stage.runner.start();
  await live(stage, faultsEnd, minute);

  plan.stop();
  calm(stage, spells, places);
  const cured = () => cureStuck(stage);
  await live(
    stage,
    faultsEnd + CALM_MS,
    () => minute() && cured(),
    () => allEnded(stage),
  );
  if (book.all().length === 0 && !allEnded(stage)) {
    const open = [...stage.gitlab.jobs()].filter((job) => !isEnded(job));
    book.add(
      'not-converged',
      `${open.length} jobs: ${open
        .slice(0, 5)
        .map((job) => `${job.id} ${job.status}`)
        .join(', ')}`,
    );
  }
  if (book.all().length === 0) {
    stage.change(await configs.resting(turn));
    await live(stage, now() + REST_MS, minute, () => leftovers(stage).length === 0);
    const left = leftovers(stage);
    if (process.env['DBG'] && left.length) console.log('RUNNER', JSON.stringify(stage.runner.machines()), stage.runner.jobsRunning(), stage.runner.stuck(), now(), [...stage.folder.machines.keys()]);
    if (left.length > 0) book.add('not-empty', `${left.length} left: ${left.slice(0, 6).join(', ')}`);
  }
  checkCost({ stage, scenario, book, sum: costs.sum(now()), elapsedMs: now() - START, fired: plan.fired() });
  checkJobs(stage, faults, (text) => book.add('job-lost', text));
  const jobs = [...stage.gitlab.jobs()];
  return {
    seed,
    breaches: book.all(),
    virtualMs: now() - START,
    jobs: jobs.length,
    ends: Object.fromEntries(
      [...Map.groupBy(jobs, ({ status, failure }) => failure ?? status)].map(([end, some]) => [
        end,
        some.length,
      ]),
    ),
    faults: plan.fired(),
    starts: stage.daemon.starts(),
    hash: hash.digest('hex'),
  };
}

/** What lasted is over: the world is well again. */
function calm(stage: Stage, spells: Spells, places: readonly { type: string; zone: string }[]): void {
  Object.assign(spells, { deafUntil: 0, unreadableUntil: 0, crashIn: null });
  for (const host of stage.park.all()) host.heal('mute');
  for (const place of places) stage.world.capacity.set({ ...place, market: null }, null);
  stage.daemon.disk.isFull = false;
  stage.gitlab.weather.awayUntil(0);
  stage.gitlab.weather.slowUntil(0, 0);
  stage.gitlab.weather.throttledUntil(0, 0);
  stage.daemon.start();
  stage.runner.start();
}

/** The runner's own race leaves a job waiting for ever; its cure is a restart of the runner (facts F). */
function cureStuck(stage: Stage): boolean {
  if (stage.runner.stuck().length > 0 && allOthersEnded(stage)) {
    void stage.runner.stop('KILL', 'process').then(() => {
      stage.jobHosts.runnerEnded();
      stage.runner.start();
    });
  }
  return true;
}

function allOthersEnded(stage: Stage): boolean {
  const stuck = new Set(stage.runner.stuck());
  return [...stage.gitlab.jobs()].every((job) => isEnded(job) || stuck.has(job.id));
}

/** Without a fault every job succeeds. */
function checkJobs(stage: Stage, faults: readonly FaultName[], lost: (text: string) => void): void {
  if (faults.length > 0) return;
  const failed = [...stage.gitlab.jobs()].filter(({ status }) => status === 'failed');
  if (failed.length > 0)
    lost(
      `${failed.length} jobs failed: ${failed
        .slice(0, 5)
        .map(({ id, failure }) => `${id} ${failure}`)
        .join(', ')}`,
    );
}
