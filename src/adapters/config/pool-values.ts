// What a pool's keys come to: environment, our tables, the runner's section, defaults, with the origin of each.
// Trap: the runner goes by its own file alone (R), hostler by ours where given (I); both schedules are kept.
import type { IdlePolicy, RebalanceRule, Schedule } from '../../domain/config.ts';
import { MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import type { Entry, Layer, Picked } from './layer.ts';
import { pick, record } from './layer.ts';
import { DEFAULT_FAILED_LAUNCHES, type PoolKey, poolDefaults, poolKeys } from './own-keys.ts';
import { readOwnPeriods, readRunnerPeriods, runnerPolicy } from './periods.ts';
import type { Reading } from './reading.ts';
import type { RunnerMachine } from './runner-file.ts';

export type PoolValues = {
  runnerSchedule: Schedule;
  ownSchedule: Schedule;
  maxBuilds: number;
  maxComing: number;
  createWaitMs: number;
  bootTimeoutMs: number;
  maxAgeMs: number;
  maxMachineLifeMs: number;
  deadManMs: number;
  prepull: readonly string[];
  waitUserData: boolean;
  fallbackAfterMs: number;
  rebalance: RebalanceRule;
  failedLaunchesPerMinute: number;
};

type Scope = { reading: Reading; pool: string; layers: readonly Layer[]; machine: RunnerMachine };

type RunnerKey =
  | 'IdleCount'
  | 'IdleCountMin'
  | 'IdleScaleFactor'
  | 'IdleTime'
  | 'MaxBuilds'
  | 'MaxGrowthRate';

/** Where the runner's value stands, for the record; null when the file does not give it. */
function runnerEntry(machine: RunnerMachine, key: RunnerKey): Pick<Entry, 'origin' | 'spot'> | null {
  return machine.value[key] === undefined ? null : { origin: 'runner-file', spot: machine.spot(key) };
}

function note(
  scope: Scope,
  key: PoolKey,
  value: number | boolean | string | readonly string[],
  picked: Picked<unknown> | null,
): void {
  record(scope.reading, `pools.${scope.pool}.${key}`, value, picked?.entry ?? null);
}

/** A number of ours, else the runner's, else 0. */
function numberOf(
  scope: Scope,
  key: 'idle_count' | 'idle_count_min' | 'idle_scale_factor' | 'max_builds' | 'max_coming',
  twin: RunnerKey,
): number {
  const picked = pick(scope.reading, scope.layers, key, poolKeys[key]);
  const value = picked?.value ?? scope.machine.value[twin] ?? 0;
  const from = picked?.entry ?? runnerEntry(scope.machine, twin);
  record(scope.reading, `pools.${scope.pool}.${key}`, value, from);
  return value;
}

function lengthOf(scope: Scope, key: keyof typeof poolDefaults): number {
  const picked = pick(scope.reading, scope.layers, key, poolKeys[key]);
  const value = picked?.value ?? poolDefaults[key];
  note(scope, key, value / SECOND_MS, picked);
  return value;
}

function readBase(scope: Scope): { base: IdlePolicy; isOurs: boolean } {
  const picked = pick(scope.reading, scope.layers, 'idle_time', poolKeys.idle_time);
  const seconds = scope.machine.value.IdleTime ?? 0;
  const idleTimeMs = picked?.value ?? seconds * SECOND_MS;
  const base = {
    idleCount: numberOf(scope, 'idle_count', 'IdleCount'),
    idleCountMin: numberOf(scope, 'idle_count_min', 'IdleCountMin'),
    idleScaleFactor: numberOf(scope, 'idle_scale_factor', 'IdleScaleFactor'),
    idleTimeMs,
  };
  const from = picked?.entry ?? runnerEntry(scope.machine, 'IdleTime');
  record(scope.reading, `pools.${scope.pool}.idle_time`, idleTimeMs / SECOND_MS, from);
  const keys = ['idle_count', 'idle_count_min', 'idle_scale_factor', 'idle_time'];
  return { base, isOurs: scope.layers.some((layer) => keys.some((key) => layer.has(key))) };
}

function readSchedules(scope: Scope): Pick<PoolValues, 'runnerSchedule' | 'ownSchedule'> {
  const { reading, pool, machine } = scope;
  const runnerSchedule = { base: runnerPolicy(machine), periods: readRunnerPeriods(reading, pool, machine) };
  const { base, isOurs } = readBase(scope);
  const own = pick(reading, scope.layers, 'autoscaling', poolKeys.autoscaling);
  const periods = own
    ? readOwnPeriods(reading, pool, { periods: own.value, entry: own.entry }, base)
    : runnerSchedule.periods;
  if (isOurs && !own && periods.length > 0) {
    const spot = scope.layers.flatMap((layer) => [...layer.values()]).at(0)?.spot;
    reading.findings.warn(
      'own-base-under-periods',
      "our idle values count outside the runner's periods only, which go on; autoscaling = [] leaves those out, autoscaling of our own replaces them",
      spot,
      pool,
    );
  }
  const lines = periods.map(
    ({ written, timezone, idleCount }) => `${written.join(' | ')} ${timezone}: ${idleCount} idle`,
  );
  const from =
    own?.entry ??
    (machine.periods.length > 0
      ? { origin: 'runner-file' as const, spot: machine.spot('autoscaling') }
      : null);
  record(reading, `pools.${pool}.autoscaling`, lines, from);
  return { runnerSchedule, ownSchedule: { base, periods } };
}

/** Every key of a pool but its id and its launch. */
export function readPoolValues(scope: Scope): PoolValues {
  const { reading, pool, layers } = scope;
  const schedules = readSchedules(scope);
  const prepull = pick(reading, layers, 'prepull', poolKeys.prepull);
  const wait = pick(reading, layers, 'wait_user_data', poolKeys.wait_user_data);
  note(scope, 'prepull', prepull?.value ?? [], prepull);
  note(scope, 'wait_user_data', wait?.value ?? true, wait);
  const rebalance = pick(reading, layers, 'rebalance', poolKeys.rebalance);
  const key = 'failed_launches_per_minute';
  const failures = pick(reading, layers, key, poolKeys[key]);
  const failedLaunchesPerMinute = failures?.value ?? DEFAULT_FAILED_LAUNCHES;
  note(scope, 'rebalance', rebalance?.value ?? 'drain', rebalance);
  note(scope, key, failedLaunchesPerMinute, failures);
  const values = {
    ...schedules,
    maxBuilds: numberOf(scope, 'max_builds', 'MaxBuilds'),
    maxComing: numberOf(scope, 'max_coming', 'MaxGrowthRate'),
    createWaitMs: lengthOf(scope, 'create_wait'),
    bootTimeoutMs: lengthOf(scope, 'boot_timeout'),
    maxAgeMs: lengthOf(scope, 'max_age'),
    maxMachineLifeMs: lengthOf(scope, 'max_machine_life'),
    deadManMs: lengthOf(scope, 'dead_man'),
    prepull: prepull?.value ?? [],
    waitUserData: wait?.value ?? true,
    fallbackAfterMs: lengthOf(scope, 'fallback_after'),
    rebalance: rebalance?.value ?? ('drain' as const),
    failedLaunchesPerMinute,
  };
  warnAboutLengths(reading, pool, layers, values);
  return values;
}

/** An upgrade or a reboot of the manager takes minutes, a repair of it half an hour: idle hosts should outlast that. */
const LEAST_DEAD_MAN_MS = 30 * MINUTE_MS;

function warnAboutLengths(
  reading: Reading,
  pool: string,
  layers: readonly Layer[],
  values: PoolValues,
): void {
  const spot = (key: PoolKey) =>
    layers.map((layer) => layer.get(key)?.spot).find((found) => found !== undefined);
  if (values.deadManMs < LEAST_DEAD_MAN_MS) {
    const said =
      'dead_man below 30 minutes: idle hosts end by themselves whenever the daemon is away for so long';
    reading.findings.warn('dead-man-short', said, spot('dead_man'), pool);
  }
  if (values.maxAgeMs > values.maxMachineLifeMs) {
    const said = 'max_age above max_machine_life has no effect: the host ends before';
    reading.findings.warn('max-age-long', said, spot('max_age'), pool);
  }
}
