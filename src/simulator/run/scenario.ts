// One seed's installation and jobs: a runner's file as a user might write it, the way its runner is driven, and jobs in bursts
// and singles over some hours. All of it drawn from the seed.
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import { createSeeded, type Seeded } from '../../sim/seeded.ts';
import { type CloudWish, cloudWishes, optionsOf, ownTableOf } from './cloud-wish.ts';
import type { QueueWay } from './queue-way.ts';
import type { RunnerWay } from './runner-file.ts';

/** Jobs of one `burst` came together. */
export type ScenarioJob = { atMs: DurationMs; durationMs: DurationMs; pool: number; burst: number };

type PoolWish = {
  idleCount: number;
  idleTimeS: number;
  maxBuilds: number;
  limit: number;
  growth: number;
  market: 'spot' | 'on-demand';
  type: string;
  zone: string;
  hasPeriod: boolean;
};

export type Scenario = {
  way: RunnerWay;
  /** Whether hostler sees GitLab's queue: half of the installations do. */
  queue: QueueWay;
  /** Bursts are pipelines with stages, and hostler looks ahead at them and at what is usual: half of those that see it. */
  looksAhead: boolean;
  bootMs: DurationMs;
  pools: readonly PoolWish[];
  /** Where each pool gets its machines. */
  clouds: readonly CloudWish[];
  concurrent: number;
  jobs: readonly ScenarioJob[];
  /** Longest time in which the jobs come. */
  lengthMs: DurationMs;
};

/** Jobs a seed: 300 seeds make more than the 50,000 that are asked for. */
const JOBS = 210;
const TYPES = ['m5.large', 'c5.xlarge', 'm6i.large'] as const;

function pick<T>(random: Seeded, list: readonly T[]): T {
  return list[Math.floor(random.float() * list.length)] as T;
}

function wholeBetween(random: Seeded, from: number, to: number): number {
  return from + Math.floor(random.float() * (to - from + 1));
}

/** Log-normal about two minutes, a few seconds at least, half an hour at most. */
function duration(random: Seeded): DurationMs {
  const normal = Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
  return Math.min(30 * MINUTE_MS, Math.max(5 * SECOND_MS, 110 * SECOND_MS * Math.exp(normal)));
}

function poolOf(random: Seeded, way: RunnerWay): PoolWish {
  const idleCount = way === 'on-demand' ? pick(random, [0, 0, 1, 3]) : pick(random, [0, 1, 2, 5]);
  // MaxBuilds 1 with a runner that holds nothing idle is the runner's own race (facts F), not hostler's part.
  const builds = way === 'drop-in' && idleCount > 0 ? [0, 1, 2, 5, 100] : [0, 10, 20, 100];
  return {
    idleCount,
    idleTimeS: pick(random, [60, 120, 300, 600, 1200]),
    maxBuilds: pick(random, builds),
    limit: pick(random, [6, 10, 20, 40]),
    growth: way === 'drop-in' && random.float() < 0.3 ? wholeBetween(random, 2, 8) : 0,
    market: random.float() < 0.6 ? 'spot' : 'on-demand',
    type: pick(random, TYPES),
    zone: pick(random, ['a', 'b', 'c']),
    hasPeriod: random.float() < 0.25,
  };
}

function jobsOf(random: Seeded, pools: number, lengthMs: DurationMs): ScenarioJob[] {
  const jobs: ScenarioJob[] = [];
  for (let burst = 0; jobs.length < JOBS; burst += 1) {
    const atMs = random.float() * lengthMs;
    const count = random.float() < 0.3 ? wholeBetween(random, 5, 45) : 1;
    const pool = Math.floor(random.float() * pools);
    for (let left = Math.min(count, JOBS - jobs.length); left > 0; left -= 1)
      jobs.push({ atMs: atMs + random.float() * 2 * SECOND_MS, durationMs: duration(random), pool, burst });
  }
  return jobs;
}

/** The scenario of a seed. */
export function scenarioOf(seed: number, hours = 7): Scenario {
  const random = createSeeded(seed * 31 + 7);
  const way = pick<RunnerWay>(random, ['on-demand', 'on-demand', 'drop-in', 'standing']);
  const pools = Array.from({ length: random.float() < 0.3 ? 2 : 1 }, () => poolOf(random, way));
  const lengthMs = (hours - 0.5) * HOUR_MS;
  const scenario = {
    way,
    pools,
    clouds: cloudWishes(seed, pools),
    bootMs: wholeBetween(random, 25, 90) * SECOND_MS,
    concurrent: pick(random, [15, 30, 100]),
    jobs: jobsOf(random, pools.length, lengthMs),
    lengthMs,
    // Drawn last: what was drawn before it stays what it was.
    queue: pick<QueueWay>(random, ['off', 'off', 'on', 'webhook']),
  };
  return { ...scenario, looksAhead: scenario.queue !== 'off' && random.float() < 0.5 };
}

const letters = 'abcdefgh';

function section(
  pool: PoolWish,
  cloud: CloudWish,
  index: number,
  at: { turn: number; isResting: boolean },
): string {
  const options = optionsOf(cloud, pool.market);
  const name = `pool-${letters[index]}`;
  const idle = at.isResting ? 0 : pool.idleCount;
  const period = `
    [[runners.machine.autoscaling]]
      Periods = ["* * 9-11 * * mon-fri *"]
      IdleCount = ${idle + 2}
      IdleTime = ${pool.idleTimeS}
      Timezone = "UTC"`;
  return `
[[runners]]
  name = "${name}"
  url = "https://gitlab.example.com"
  token = "glrt-${letters[index]}token${at.turn}0000000000"
  executor = "docker+machine"
  limit = ${pool.limit}
  [runners.docker]
    image = "alpine"
  [runners.machine]
    IdleCount = ${idle}
    IdleTime = ${pool.idleTimeS}
    MaxBuilds = ${pool.maxBuilds}
    MaxGrowthRate = ${pool.growth}
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    MachineOptions = [${options.map((option) => `"${option}"`).join(', ')}]
${pool.hasPeriod && !at.isResting ? period : ''}
${ownTableOf(cloud, at.isResting)}`;
}

/** The runner's file: `turn` counts changes of its token; resting, it wants nothing idle. */
export function fileOf(scenario: Scenario, at: { turn: number; isResting: boolean }): string {
  const sections = scenario.pools.map((pool, index) =>
    section(pool, scenario.clouds[index] as CloudWish, index, at),
  );
  return `concurrent = ${scenario.concurrent}\ncheck_interval = 3\n${sections.join('\n')}\n`;
}
