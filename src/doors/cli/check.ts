// `hostler check`: reads the configuration as the daemon would and says what it comes to: pools, periods, next changes,
// every warning. Needs no daemon and no cloud; changes nothing. Exit 0, or 2 when the daemon would refuse the file.
// Trap: the answer is about one moment (`--at`), so everything shown is computed from that and never from the clock twice.
import type { Command } from 'commander';
import type { Config, ConfigIssue, IdlePolicy, PoolSpec, Schedule } from '../../domain/config.ts';
import { type ErrorCode, HostlerError } from '../../domain/error.ts';
import type { Range } from '../../domain/offering.ts';
import { type EpochMs, SECOND_MS } from '../../domain/units.ts';
import { lineProblem, nextChanges, policyAt } from '../../planner/schedule.ts';
import { printJson, printLines } from './daemon-call.ts';
import { describeDuration, describeMoment } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint, plain } from './paint.ts';

type CheckOptions = { config: string; json?: boolean; at?: string };

/** How many changes are shown; enough to see a day and a week begin. */
const CHANGES = 3;

/** Types named in one line; the rest is counted. */
const SHOWN_TYPES = 4;

type PolicyView = {
  /** The period as written, null for the base values. */
  period: string | null;
  timezone: string | null;
  idle_count: number;
  idle_count_min: number;
  idle_scale_factor: number;
  idle_time_s: number;
};

/** One pool as `--json` shows it; the keys are stable. */
type PoolView = PolicyView & {
  pool: string;
  runner: string;
  driver: string;
  region: string;
  zone: string | null;
  subnet: string | null;
  type: string;
  market: string;
  /** What a launch may choose among; empty where types are asked for by need. */
  instance_types: readonly string[];
  subnets: readonly string[];
  markets: readonly string[];
  launch: string;
  max_price_usd: string | null;
  ami: string | null;
  limit: number;
  max_builds: number;
  max_coming: number;
  /** What the runner itself asks for at that moment; differs where keys of ours say so. */
  runner_idle_count: number;
  next_changes: readonly (PolicyView & { at: string; local: string })[];
};

function viewPolicy(schedule: Schedule, at: EpochMs): PolicyView {
  const { policy, period } = policyAt(schedule, at);
  const section = period === null ? undefined : schedule.periods[period];
  return {
    period: section?.written.join(' | ') ?? null,
    timezone: section?.timezone ?? null,
    ...countsOf(policy),
  };
}

function countsOf(policy: IdlePolicy) {
  return {
    idle_count: policy.idleCount,
    idle_count_min: policy.idleCountMin,
    idle_scale_factor: policy.idleScaleFactor,
    idle_time_s: policy.idleTimeMs / SECOND_MS,
  };
}

/** `2026-11-23T09:00:00` on the clocks of that zone. */
function localTime(at: EpochMs, timezone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'medium' })
    .format(at)
    .replace(' ', 'T');
}

function viewPool(pool: PoolSpec, now: EpochMs): PoolView {
  const { launch, ownSchedule: schedule } = pool;
  const current = viewPolicy(schedule, now);
  let zone = current.timezone;
  const changes = nextChanges(schedule, now, CHANGES).map(({ at }) => {
    const view = viewPolicy(schedule, at);
    // A period's end is told in the zone that it was kept in.
    const timezone = view.timezone ?? zone ?? 'UTC';
    zone = view.timezone;
    return { at: new Date(at).toISOString(), local: localTime(at, timezone), ...view, timezone };
  });
  return {
    pool: pool.id,
    runner: pool.runnerName,
    driver: pool.machineDriver,
    region: launch.site.region,
    zone: launch.zone,
    subnet: launch.subnetId,
    type: launch.instanceType,
    market: launch.market,
    instance_types: launch.instanceTypes,
    subnets: launch.subnetIds,
    markets: launch.markets,
    launch: launch.way,
    max_price_usd: launch.maxPriceUsd,
    ami: launch.ami,
    limit: pool.limit,
    max_builds: pool.maxBuilds,
    max_coming: pool.maxComing,
    ...current,
    runner_idle_count: policyAt(pool.runnerSchedule, now).policy.idleCount,
    next_changes: changes,
  };
}

function describePolicy(view: PolicyView): string {
  const scale =
    view.idle_scale_factor > 0
      ? ` at most, ${view.idle_scale_factor} x jobs, at least ${Math.max(1, view.idle_count_min)}`
      : '';
  return `IdleCount ${view.idle_count}${scale}, IdleTime ${describeDuration(view.idle_time_s * SECOND_MS)}`;
}

/** `m5.large`, `m5.large, m6i.large, c5.large and 2 more`, or what is needed of them. */
function describeTypes({ instanceTypes, needs }: PoolSpec['launch']): string {
  if (needs !== null) {
    const range = ({ least, most }: Range, unit: string) =>
      most === least ? `${least} ${unit}` : `${least} to ${most ?? 'any'} ${unit}`;
    return `any ${needs.architecture} type of ${range(needs.vcpus, 'vCPUs')}, ${range(needs.memoryGib, 'GiB')},`;
  }
  const more = instanceTypes.length - SHOWN_TYPES;
  const shown = instanceTypes.slice(0, SHOWN_TYPES).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function describeMarket({ launch, onDemand, fallbackAfterMs }: PoolSpec): string {
  if (launch.market === 'on-demand') return 'on-demand';
  const cap =
    launch.maxPriceUsd === null ? 'up to the on-demand price' : `up to ${launch.maxPriceUsd} USD an hour`;
  const beside = {
    never: '',
    'when-short': `, on-demand for jobs that wait ${describeDuration(fallbackAfterMs)}`,
    share: `, ${onDemand.kind === 'share' ? onDemand.percent : 0} % on-demand`,
    base: `, the first ${onDemand.kind === 'base' ? onDemand.count : 0} on-demand`,
  };
  return `spot (${cap})${beside[onDemand.kind]}`;
}

function describeLaunch(pool: PoolSpec): string[] {
  const { launch } = pool;
  const zone = launch.zone === null ? 'a zone that EC2 chooses' : `zone ${launch.zone}`;
  const [subnet, ...others] = launch.subnetIds;
  const oneSubnet = subnet === undefined ? zone : `subnet ${subnet}`;
  const place = others.length > 0 ? `${others.length + 1} subnets` : oneSubnet;
  const endpoint = launch.site.endpoint === null ? '' : ` at ${launch.site.endpoint}`;
  const encrypted = launch.volumeEncrypted ? 'encrypted' : 'not encrypted';
  return [
    `launches      ${describeTypes(launch)} ${describeMarket(pool)} in ${launch.site.region}${endpoint}, ${place}`,
    `image         ${launch.ami ?? 'current Ubuntu LTS'}, root ${launch.rootSizeGb} GB ${launch.volumeType} ${encrypted}`,
  ];
}

const orNone = (count: number): string => (count === 0 ? 'none' : String(count));

function poolLines(pool: PoolSpec, view: PoolView, now: EpochMs, paint: Paint): string[] {
  const force = view.period === null ? 'outside all periods' : `period ${view.period} ${view.timezone ?? ''}`;
  const runner =
    view.runner_idle_count === view.idle_count
      ? ''
      : `; the runner itself asks for ${view.runner_idle_count}`;
  const changes = view.next_changes.map((change) => {
    const at = Date.parse(change.at);
    const when = `${describeMoment(at, now, change.timezone)} (in ${describeDuration(at - now)})`;
    return `${when}: ${describePolicy(change)}${change.period === null ? ', outside all periods' : `, period ${change.period}`}`;
  });
  return [
    `pool ${paint.bold(plain(pool.id))} for runner "${plain(pool.runnerName)}"`,
    ...describeLaunch(pool).map((line) => `  ${plain(line)}`),
    `  bounds        limit ${orNone(pool.limit)}, MaxBuilds ${orNone(pool.maxBuilds)}, MaxGrowthRate ${orNone(pool.maxComing)}`,
    plain(`now           ${describePolicy(view)} (${force})${runner}`).replace(/^/, '  '),
    ...(changes.length === 0 ? ['  next changes  none'] : []),
    ...changes.map((line, index) => `  ${index === 0 ? 'next changes  ' : ' '.repeat(14)}${plain(line)}`),
  ];
}

/** Periods that are over for good by the moment asked about; the reader of the file knows no time. */
function overPeriods(config: Config, now: EpochMs): ConfigIssue[] {
  return config.pools.flatMap((pool) =>
    pool.ownSchedule.periods.flatMap(({ cron, written, timezone }): ConfigIssue[] => {
      if (cron.length === 0 || cron.some((line) => lineProblem(line, timezone, now) === null)) return [];
      const message = `period ${written.join(' | ')} is over and does not come again`;
      return [{ severity: 'warning', code: 'period-over', message, where: null, key: null, pool: pool.id }];
    }),
  );
}

function readMoment(text: string | undefined, io: CliIo): EpochMs {
  if (text === undefined) return io.now();
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new HostlerError(
    'usage',
    `--at takes a time such as 2026-11-23T08:30:00Z, not ${JSON.stringify(text)}`,
  );
}

/** One stderr line for each error but the last, which is thrown: the program prints it and sets the exit code. */
function refuse(io: CliIo, errors: readonly { line: string; code: ErrorCode }[]): never {
  for (const { line, code } of errors.slice(0, -1)) io.err(`hostler: ${line} (${code})\n`);
  const last = errors.at(-1);
  throw new HostlerError(last?.code ?? 'config-invalid', last?.line ?? 'the configuration cannot be used');
}

/** Registers `check`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('check')
    .description('read the configuration and say what it comes to, without daemon or cloud')
    .option(
      '-c, --config <file>',
      "hostler's own file, or the runner's config.toml",
      '/etc/hostler/config.toml',
    )
    .option('--at <time>', 'show the periods of that moment (ISO 8601) instead of now')
    .option('--json', 'print the documented JSON instead of text')
    .action(async (options: CheckOptions) => {
      const { readConfig, describeIssue, codeOfIssue } = await import('../../adapters/config/load.ts');
      const now = readMoment(options.at, io);
      const { config, issues } = await readConfig({ path: options.config, env: io.env });
      const all = config ? [...issues, ...overPeriods(config, now)] : issues;
      const views = config?.pools.map((pool) => ({ pool, view: viewPool(pool, now) })) ?? [];
      const paint = createPaint(io);
      const noResets = await resetTrouble(io);
      if (options.json) {
        printJson(io, {
          ok: config !== null,
          at: new Date(now).toISOString(),
          files: config?.files ?? [],
          owner: config?.settings.owner ?? null,
          listen_address: config?.settings.listenAddress ?? null,
          concurrent: config?.concurrent ?? null,
          pools: views.map(({ view }) => view),
          issues: all,
          connection_resets: noResets,
        });
      } else {
        const warnings = all.filter(({ severity }) => severity === 'warning').map(describeIssue);
        printLines(io, [
          ...views.flatMap(({ pool, view }) => [...poolLines(pool, view, now, paint), '']),
          ...warnings.map((line) => `${paint.yellow('warning')} ${plain(line)}`),
          ...(config ? [...notes(noResets), summary(config, warnings.length)] : []),
        ]);
      }
      const errors = all.filter(({ severity }) => severity === 'error');
      if (!config)
        refuse(
          io,
          errors.map((issue) => ({ line: describeIssue(issue), code: codeOfIssue(issue) })),
        );
    });
}

/** No warning: the daemon's unit gives it a right that the person who checks need not have. */
function notes(why: string | null): string[] {
  if (why === null) return [];
  const line = `this user cannot close connections to lost hosts (${why}); if that holds for the daemon too, a job on a host that falls silent hangs for ten minutes and more instead of failing within 90 s: see docs/operations.md`;
  return [`note    ${plain(line)}`];
}

async function resetTrouble(io: CliIo): Promise<string | null> {
  return (await io.resetTrouble?.()) ?? null;
}

function summary(config: Config, warnings: number): string {
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  const { owner, listenAddress } = config.settings;
  return `good: ${count(config.pools.length, 'pool')}, ${count(warnings, 'warning')}; owner ${plain(owner)}, metrics on ${listenAddress}, ${config.concurrent} jobs at once`;
}
