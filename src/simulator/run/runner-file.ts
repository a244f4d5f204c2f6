// The runner's settings that belong to a configuration of hostler: the same sections, names and policy, as the runner itself
// would read them from its file; and the ways to drive it, as changes of both.
import type { Config, PoolSpec, Schedule } from '../../domain/config.ts';
import { MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import { nextChangeAt, policyAt } from '../../planner/schedule.ts';
import {
  type RunnerSettings,
  type SectionSettings,
  usualSettings,
} from '../../sim/runner/runner-settings.ts';

/** `on-demand`: IdleCount 0 and reuse; `standing`: a fresh host per job; `drop-in`: the file as it is. */
export type RunnerWay = 'on-demand' | 'standing' | 'drop-in';

/** Idle machines that a standing runner holds at most (facts: ways to drive it). */
const STANDING_AT_MOST = 20;
const STANDING_AT_LEAST = 5;
/** Builds a machine on demand serves at least: MaxBuilds 1 with IdleCount 0 is the runner's own race. */
const BUILDS_ON_DEMAND = 10;

function alone(base: Schedule['base']): Schedule {
  return { base, periods: [] };
}

/** The pool as it stands when its runner is driven that way: its own schedule stays. */
export function driven(pool: PoolSpec, way: RunnerWay): PoolSpec {
  if (way === 'drop-in') return pool;
  const { base } = pool.runnerSchedule;
  if (way === 'on-demand') {
    const idle = { idleCount: 0, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: MINUTE_MS };
    const maxBuilds = pool.maxBuilds === 0 ? 0 : Math.max(BUILDS_ON_DEMAND, pool.maxBuilds);
    return { ...pool, runnerSchedule: alone(idle), maxBuilds, maxComing: 0 };
  }
  const idleCount = Math.min(STANDING_AT_MOST, Math.max(STANDING_AT_LEAST, base.idleCount));
  return { ...pool, runnerSchedule: alone({ ...base, idleCount, idleScaleFactor: 0 }), maxBuilds: 1 };
}

/** Token and MachineName of which the runner makes names with this pool's prefix. */
function namesOf(pool: PoolSpec): Pick<SectionSettings, 'token' | 'machineName'> {
  const prefix =
    pool.namePrefixes[0] ?? `runner-${pool.id.replaceAll(/[^a-z0-9]/g, '').slice(0, 9)}-machine-`;
  const [, token = 'token', rest = ''] = /^runner-([a-z0-9]+)-?(.*)$/.exec(prefix) ?? [];
  return { token, machineName: `${rest}%s` };
}

/** One section; `runner` is GitLab's id. */
export function sectionOf(pool: PoolSpec, runner: number, way: RunnerWay): SectionSettings {
  const { runnerSchedule: schedule } = pool;
  return {
    ...namesOf(pool),
    runner,
    limit: pool.limit,
    requestConcurrency: way === 'on-demand' ? 10 : 1,
    maxBuilds: pool.maxBuilds,
    maxGrowthRate: pool.maxComing,
    idle: (now) => policyAt(schedule, now).policy,
    idleChangesAt: (now) => nextChangeAt(schedule, now) ?? Number.POSITIVE_INFINITY,
  };
}

/** The runner's whole file; `runners`: GitLab's ids by pool. */
export function runnerSettings(
  config: Config,
  runners: ReadonlyMap<string, number>,
  way: RunnerWay,
): RunnerSettings {
  return {
    ...usualSettings,
    checkIntervalMs: 3 * SECOND_MS,
    concurrent: config.concurrent,
    sections: config.pools.map((pool) => sectionOf(pool, runners.get(pool.id) ?? 0, way)),
  };
}
