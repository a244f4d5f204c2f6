// One configuration, one workload, one policy: hostler itself, or docker+machine as modelled, in equal worlds.
// Must not print. Trap: what both are given is the same to the last job; only what makes the machines differs.
import type { Config, PoolSpec } from '../../domain/config.ts';
import { HostlerError } from '../../domain/error.ts';
import type { Market } from '../../domain/instance.ts';
import { type DurationMs, type EpochMs, HOUR_MS, SECOND_MS } from '../../domain/units.ts';
import type { PeerFlavourName } from '../../sim/peer/peer-flavour.ts';
import { runPeer } from '../../sim/peer/run-peer.ts';
import type { Arrival } from '../../sim/workload.ts';
import type { QueueWay } from '../run/queue-way.ts';
import { type RunnerWay, runnerSettings } from '../run/runner-file.ts';
import { simulate } from '../simulate.ts';
import { hostlerRun, type PolicyRun, peerRun } from './figures.ts';

export type { Arrival };
export type PolicyName = 'hostler' | 'docker-machine';

/** What a comparison holds fixed. */
export type Frame = {
  workload: readonly Arrival[];
  bootMs: DurationMs;
  /** How hostler's runner is driven; docker+machine's has the file as it is. */
  runner: RunnerWay;
  /** Jobs of the time before, that hostler's forecast has learned from; docker+machine learns nothing. */
  learned?: { lengthMs: DurationMs; arrivals: readonly Arrival[] };
  /** Whether hostler sees GitLab's queue (default: as the configuration says); docker+machine never does. */
  queue?: QueueWay;
  flavour: PeerFlavourName;
  startAt: EpochMs;
  days: number;
  seed: number;
  /** Share of spot machines that EC2 takes back in an hour, 0 to 1. */
  reclaimsPerHour: number;
  /** Spot prices, USD an hour. */
  prices: readonly { type: string; zone: string; usd: number }[];
  /** docker+machine's market where it is not the file's. */
  peerMarket: Market | null;
};

const DAY_MS = 24 * HOUR_MS;
/** After the last day, so that its jobs end. */
const COOL_DOWN_MS: DurationMs = HOUR_MS;

/** Points of a course: fine enough to see a boot in a burst, few enough to draw a week. */
const POINTS = 1_500;

/** Milliseconds between them, a second at least. */
function pointsEveryMs({ days }: Frame): DurationMs {
  return Math.max(SECOND_MS, Math.ceil((days * DAY_MS) / POINTS));
}

/** The pool with its machines from that market alone. */
export function inMarket(config: Config, market: Market): Config {
  const pools = config.pools.map((pool) => ({
    ...pool,
    launch: { ...pool.launch, market, markets: [market] },
  }));
  return { ...config, pools };
}

/** Where a docker-machine of that section launches: it knows one type, one zone, one market. */
function peerLaunch({ launch }: PoolSpec, market: Market | null) {
  const { region } = launch.site;
  return {
    type: launch.instanceTypes[0] ?? launch.instanceType,
    zone: launch.zone ?? `${region}a`,
    market: market ?? launch.market,
    maxPrice: launch.maxPriceUsd,
  };
}

/**
 * Jobs with the tag of the pool that takes them: the pool among their tags, else the first one. One pool takes all jobs, as
 * its runner may run untagged ones.
 */
function forPools(config: Config, workload: readonly Arrival[]): readonly Arrival[] {
  const ids = config.pools.map(({ id }) => id);
  const [first = ''] = ids;
  return workload.map((job) => {
    const own = job.tags.find((tag) => ids.includes(tag)) ?? first;
    return { ...job, tags: ids.length > 1 ? [own] : [] };
  });
}

function firstPool(config: Config): PoolSpec {
  const [pool] = config.pools;
  if (pool === undefined)
    throw new HostlerError('config-no-pools', 'the configuration has no pool to simulate');
  return pool;
}

async function runDockerMachine(
  config: Config,
  frame: Frame,
  progress: (share: number) => void,
): Promise<PolicyRun> {
  const { pools } = config;
  const first = firstPool(config);
  const poolOf = (section: string) =>
    pools.find(({ namePrefixes }) =>
      namePrefixes.some((prefix) => prefix.startsWith(`runner-${section}-`)),
    ) ?? first;
  const result = await runPeer({
    ...frame,
    workload: forPools(config, frame.workload),
    runners: pools.length > 1 ? pools.map(({ id }) => [id]) : [[]],
    settings: (ids) =>
      runnerSettings(config, new Map(pools.map(({ id }, index) => [id, ids[index] ?? 0])), 'drop-in'),
    region: first.launch.site.region,
    launch: (section) => peerLaunch(poolOf(section), frame.peerMarket),
    coolDownMs: COOL_DOWN_MS,
    everyMs: pointsEveryMs(frame),
    odds: { missedWord: 0 },
    progress,
  });
  return peerRun(result, frame.startAt + frame.days * DAY_MS + COOL_DOWN_MS);
}

/** Runs one policy through the workload. Deterministic by the frame's seed. */
export async function runPolicy(
  policy: PolicyName,
  config: Config,
  frame: Frame,
  progress: (share: number) => void = () => undefined,
): Promise<PolicyRun> {
  firstPool(config);
  if (policy === 'docker-machine') return runDockerMachine(config, frame, progress);
  const result = await simulate({
    ...frame,
    config,
    workload: forPools(config, frame.workload),
    ...(frame.learned && {
      learned: { ...frame.learned, arrivals: forPools(config, frame.learned.arrivals) },
    }),
    coolDownMs: COOL_DOWN_MS,
    everyMs: pointsEveryMs(frame),
    progress,
  });
  return hostlerRun(result, frame.startAt + frame.days * DAY_MS + COOL_DOWN_MS);
}
