// Every key of hostler's own tables, each once: kind, default, what is said in docs/configuration.md (a test compares both).
// Environment names follow from the key: HOSTLER_KEY, and HOSTLER_POOL_POOL__KEY for keys of a pool.
// Trap: a key that later work brings stays out of here until it acts; a key that does nothing must not be taken in silence.
import type { DurationMs } from '../../domain/units.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';
import {
  choice,
  decimal,
  duration,
  flag,
  launchWay,
  list,
  listOf,
  matching,
  onDemandRule,
  ownPeriods,
  range,
  whole,
} from './value-kind.ts';

const path = matching(/^[^\0]{1,4096}$/, 'a path');
const queueUrl = matching(
  /^https?:\/\/[^\s/]{1,200}\/\S{1,300}$/,
  'the URL of an SQS queue such as "https://sqs.eu-central-1.amazonaws.com/123456789012/NAME"',
);

/** `[hostler]`. */
export const daemonKeys = {
  owner: matching(
    /^[A-Za-z0-9][A-Za-z0-9 ._:/=+@-]{0,99}$/,
    'up to 100 letters, digits, spaces or ._:/=+@- (it becomes an EC2 tag)',
  ),
  takeover: flag(),
  runner_config: path,
  listen_address: matching(
    /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]*):\d{1,5}$/,
    'HOST:PORT or :PORT, such as ":9252"',
  ),
  runner_metrics: matching(/^https?:\/\/[^\s]{1,500}$/, 'a URL such as "http://gitlab-runner:9252/metrics"'),
  socket: path,
  state_dir: path,
  keys: matching(
    /^(file|ssm:(?!\/([aA][wW][sS]|[sS][sS][mM]))(\/[A-Za-z0-9_.-]+){1,14})$/,
    '"file", or "ssm:/PATH" such as "ssm:/hostler/ci" (SSM keeps paths below /aws and /ssm for itself)',
  ),
  machine_storage_path: path,
  log_level: choice(['trace', 'debug', 'info', 'warn', 'error']),
  max_machines: whole(),
  max_cost_per_hour: decimal(),
  prices: path,
  interruption_queue: queueUrl,
  assume_role_arn: matching(
    /^arn:aws[a-z-]*:iam::\d{12}:role\/\S+$/,
    'an ARN such as "arn:aws:iam::123456789012:role/NAME"',
  ),
  compat_metrics: flag(),
};

/** The runner ends `docker-machine create` after one hour; an answer must come before that. */
const CREATE_BUDGET_MS: DurationMs = 59 * MINUTE_MS;

/** `[runners.hostler]` and `[[pools]]`. */
export const poolKeys = {
  pool: matching(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63'),
  idle_count: whole(),
  idle_count_min: whole(),
  idle_scale_factor: decimal(),
  idle_time: duration(0),
  max_builds: whole(),
  max_coming: whole(),
  autoscaling: ownPeriods(),
  create_wait: duration(SECOND_MS, CREATE_BUDGET_MS),
  boot_timeout: duration(SECOND_MS),
  max_age: duration(0),
  max_machine_life: duration(MINUTE_MS),
  dead_man: duration(MINUTE_MS),
  prepull: list('image names'),
  wait_user_data: flag(),
  instance_types: listOf(/^[a-z0-9-]{1,20}\.[a-z0-9-]{1,20}$/, 'instance types such as "m5.large"'),
  vcpus: range('vCPUs'),
  memory_gib: range('GiB of memory'),
  architecture: choice(['x86_64', 'arm64']),
  subnets: listOf(/^subnet-[A-Za-z0-9]{1,32}$/, 'subnets such as "subnet-0123456789abcdef0"'),
  markets: listOf(/^(spot|on-demand)$/, '"spot", "on-demand" or both'),
  launch: launchWay(),
  on_demand: onDemandRule(),
  fallback_after: duration(0),
  rebalance: choice(['ignore', 'drain', 'replace']),
  failed_launches_per_minute: whole(1),
  interruption_queue: queueUrl,
};

export type DaemonKey = keyof typeof daemonKeys;
export type PoolKey = keyof typeof poolKeys;

/** Where nothing is said. `owner`, `listen_address` and `machine_storage_path` have rules instead (daemon-settings). */
export const daemonDefaults = {
  runner_config: '/etc/gitlab-runner/config.toml',
  /** systemd makes /run/hostler for the unit (RuntimeDirectory). */
  socket: '/run/hostler/hostler.sock',
  state_dir: '/var/lib/hostler',
  listen_address: ':9252',
  /** Taken when the runner's own file claims port 9252: the runner would end if its port were gone. */
  listen_address_beside: ':9253',
} as const;

/** Where neither we nor the runner's file says anything. */
export const poolDefaults = {
  /** Ten boots of a minute; far below the hour after which the runner gives up by itself. */
  create_wait: 10 * MINUTE_MS,
  /** A plain Ubuntu with Docker to install takes up to three minutes; long user data some more. */
  boot_timeout: 10 * MINUTE_MS,
  /** 0 = machines are not retired for their age alone. */
  max_age: 0,
  /** GitLab's longest usual job timeout is below a day. */
  max_machine_life: 24 * HOUR_MS,
  /** Four renewals of 30 minutes may be missed. */
  dead_man: 2 * HOUR_MS,
  /** Two boots: long enough for a spot machine of another offering, short beside a job. */
  fallback_after: MINUTE_MS,
} as const;

/** Refused launch calls that a pool may send within a minute; a tenth of what EC2's own bucket refills in that time. */
export const DEFAULT_FAILED_LAUNCHES = 6;

/** `HOSTLER_STATE_DIR`. */
export function daemonVariable(key: string): string {
  return `HOSTLER_${key.toUpperCase()}`;
}

/** `HOSTLER_POOL_GITLAB_AWS_AUTOSCALER__IDLE_COUNT`; other characters of the pool's id than letters and digits become `_`. */
export function poolVariable(pool: string, key: string): string {
  return `HOSTLER_POOL_${pool.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}__${key.toUpperCase()}`;
}
