// What `simulate` and `advise` take on the command line, read into values with units. Must not run anything.
// Trap: the model's clock is UTC; a time without a day is on the model's Monday, so that a run repeats on any day.
import { readFile, stat } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { Config } from '../../domain/config.ts';
import { HostlerError, messageOf } from '../../domain/error.ts';
import { type DurationMs, type EpochMs, HOUR_MS, SECOND_MS } from '../../domain/units.ts';
import type { Arrival, Frame } from '../../simulator/report/run-policy.ts';
import type { CliIo } from './io.ts';

export type FrameFlags = {
  workload?: string;
  jobs?: string;
  at?: EpochMs;
  days?: number;
  learn?: number;
  boot: number;
  runner: Frame['runner'];
  queue: NonNullable<Frame['queue']>;
  seed: number;
  peer: Frame['flavour'];
  compareMarket?: 'spot' | 'on-demand';
  market?: 'spot' | 'on-demand';
  reclaim: number;
  spotPrice: Frame['prices'][number][];
  pool?: string;
};

const DAY_MS = 24 * HOUR_MS;
/** Monday, 2026-11-23, 00:00 UTC: a day without a change of clocks near it. */
const MONDAY = Date.UTC(2026, 10, 23);
const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
/** A trace of a year of a large installation is below 100 MB. */
const MAX_TRACE_BYTES = 200 * 1024 * 1024;
/** More days take hours. */
const MAX_DAYS = 366;
/** Days of the model week that a forecast has learned: the least after which it foretells. */
const USUAL_LEARNED = 14;
/** Between the seeds of a model's jobs and of those of the time before. */
const PAST_SEEDS = 1_000_003;
/** A burst's run goes on for so long after its last job came. */
const BURST_TAIL_DAYS = 1 / 12;

/** `2026-11-23T09:00Z`, `2026-11-23`, `09:00` or `tue 09:00` (in the model's week); UTC unless it names an offset. */
export function readTime(text: string): EpochMs {
  const [, day, hours, minutes] = /^(?:([a-z]{3})[a-z]*[ _])?(\d\d?):(\d\d)$/i.exec(text.trim()) ?? [];
  const index = day === undefined ? 0 : dayNames.indexOf(day.toLowerCase());
  if (hours !== undefined && Number(hours) < 24 && Number(minutes) < 60 && index >= 0)
    return MONDAY + index * DAY_MS + Number(hours) * HOUR_MS + Number(minutes) * 60 * SECOND_MS;
  const isIso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text);
  const zoned =
    /T.*(Z|[+-]\d\d:?\d\d)$| .*(Z|[+-]\d\d:?\d\d)$/.test(text) || text.length === 10 ? text : `${text}Z`;
  const at = isIso ? Date.parse(zoned.replace(' ', 'T')) : Number.NaN;
  if (Number.isNaN(at))
    throw new InvalidArgumentError('it is a time like 09:00, "tue 09:00" or 2026-11-23T09:00Z.');
  return at;
}

const number =
  (what: string, least: number, most: number, isWhole = false) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most) || (isWhole && !Number.isInteger(value)))
      throw new InvalidArgumentError(
        `${what} is a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}.`,
      );
    return value;
  };

/** `15`, `15s`, `2m`: seconds. */
export function readSeconds(text: string): number {
  const [, figure = '', unit = 's'] = /^(\d{1,6}(?:\.\d{1,3})?)\s*([sm])?$/.exec(text.trim()) ?? [];
  if (figure === '') throw new InvalidArgumentError('it is a length of time like 15s or 2m.');
  return Number(figure) * (unit === 'm' ? 60 : 1);
}

/** `5%` or `0.05` an hour. */
function readReclaim(text: string): number {
  const [, figure = '', percent] = /^(\d{1,3}(?:\.\d{1,6})?)(%)?$/.exec(text.trim()) ?? [];
  const share = Number(figure) / (percent === undefined ? 1 : 100);
  if (figure === '' || share > 1) throw new InvalidArgumentError('it is a share an hour like 5% or 0.05.');
  return share;
}

/** `TYPE:ZONE=USD`, added to those before. */
function readPrice(text: string, before: Frame['prices'][number][]): Frame['prices'][number][] {
  const [, type = '', zone = '', usd = ''] =
    /^([a-z0-9.-]{3,32}):([a-z]{2}-[a-z-]+-\d[a-z])=(\d{1,4}(?:\.\d{1,6})?)$/.exec(text) ?? [];
  if (type === '') throw new InvalidArgumentError('it is TYPE:ZONE=USD, like m5.large:eu-central-1a=0.031.');
  return [...before, { type, zone, usd: Number(usd) }];
}

const oneOf =
  <T extends string>(...names: readonly T[]) =>
  (text: string): T => {
    const found = names.find((name) => name === text);
    if (found === undefined) throw new InvalidArgumentError(`it is ${names.join(', ')}.`);
    return found;
  };

/** Adds what both verbs take. */
export function withFrame(command: Command): Command {
  return command
    .option('--workload <text>', 'burst:N@SECONDS, poisson:N/h or week, joined by + (docs/simulate.md)')
    .option('--jobs <file>', 'recorded jobs instead: CSV of queued_at,duration,tags')
    .option('--at <time>', 'when it begins, UTC: 09:00, "tue 09:00" or ISO 8601', readTime)
    .option(
      '--days <n>',
      'how long (week: 7, poisson: 1, else until the jobs are through)',
      number('--days', 0.001, MAX_DAYS),
    )
    .option(
      '--learn <days>',
      'days before that a forecast has learned from (week: 14); of recorded jobs their first days',
      number('--learn', 0, MAX_DAYS),
    )
    .option('--boot <seconds>', 'launch to a host that answers', number('--boot', 0, 3_600), 40)
    .option(
      '--runner <way>',
      "on-demand, standing, or drop-in: the runner's file as it is",
      oneOf('on-demand', 'standing', 'drop-in'),
      'on-demand',
    )
    .option(
      '--queue <way>',
      "GitLab's queue: on (polled), webhook (told at once), off, or config: as the file says",
      oneOf('config', 'on', 'webhook', 'off'),
      'config',
    )
    .option('--seed <n>', 'of all randomness', number('--seed', 0, 2 ** 31, true), 1)
    .option('--pool <name>', 'this pool alone')
    .option('--market <market>', 'spot or on-demand, whatever the file says', oneOf('spot', 'on-demand'))
    .option('--reclaim <share>', 'of spot machines that EC2 takes back in an hour, like 5%', readReclaim, 0)
    .option('--spot-price <type:zone=usd>', 'a spot price, USD an hour; repeatable', readPrice, [])
    .option(
      '--peer <flavour>',
      "docker-machine's calls: gitlab (its fork), upstream, or bare (one call, no limits)",
      oneOf('gitlab', 'upstream', 'bare'),
      'gitlab',
    )
    .option(
      '--compare-market <market>',
      "docker-machine's market, whatever the file says",
      oneOf('spot', 'on-demand'),
    );
}

/** The configuration of that file, or the example; with one pool alone where asked. */
export async function readSimulated(path: string | undefined, flags: FrameFlags, io: CliIo): Promise<Config> {
  const { inMarket } = await import('../../simulator/report/run-policy.ts');
  const { loadConfig } = await import('../../adapters/config/load.ts');
  const { readExample } = await import('../../simulator/report/example-config.ts');
  const config = path === undefined ? await readExample() : await loadConfig({ path, env: io.env });
  const pools = config.pools.filter(({ id }) => flags.pool === undefined || id === flags.pool);
  if (pools.length === 0) {
    const known = config.pools.map(({ id }) => id).join(', ');
    throw new HostlerError('pool-unknown', `no pool ${JSON.stringify(flags.pool)}; there are ${known}`);
  }
  const chosen = { ...config, pools };
  return flags.market === undefined ? chosen : inMarket(chosen, flags.market);
}

async function readTraceFile(
  path: string,
): Promise<{ startAt: EpochMs | null; arrivals: readonly Arrival[] }> {
  const { readTrace } = await import('../../simulator/report/workloads.ts');
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_TRACE_BYTES) throw new Error(`it is larger than ${MAX_TRACE_BYTES / 1024 / 1024} MiB`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new HostlerError('usage', `--jobs ${path}: ${messageOf(error)}`);
  }
  try {
    return readTrace(text);
  } catch (error) {
    throw new HostlerError('usage', messageOf(error), { where: path });
  }
}

/** Days that a workload runs when nobody says so; null = until its jobs are through. */
function usualDays(text: string): number | null {
  if (/(^|\+)\s*week/.test(text)) return 7;
  return text.includes('poisson') ? 1 : null;
}

/** Until the last job came, and a while for it to run. */
function spanOf(arrivals: readonly Arrival[]): number {
  const lastMs = arrivals.reduce((last, { atMs, durationMs }) => Math.max(last, atMs + durationMs), 0);
  return lastMs / DAY_MS + BURST_TAIL_DAYS;
}

type Jobs = {
  workload: readonly Arrival[];
  startAt: EpochMs;
  days: number;
  /** Of the time before, and how long that is. */
  learned: readonly Arrival[];
  learnMs: DurationMs;
};

async function readJobs(path: string, flags: FrameFlags): Promise<Jobs> {
  const { startAt, arrivals } = await readTraceFile(path);
  const learnMs = (flags.learn ?? 0) * DAY_MS;
  const workload = arrivals
    .filter(({ atMs }) => atMs >= learnMs)
    .map((job) => ({ ...job, atMs: job.atMs - learnMs }));
  return {
    workload,
    learned: arrivals.filter(({ atMs }) => atMs < learnMs),
    learnMs,
    startAt: (flags.at ?? startAt ?? MONDAY) + learnMs,
    days: flags.days ?? spanOf(workload),
  };
}

async function readWorkload(text: string, flags: FrameFlags): Promise<Jobs> {
  const { makeWorkload } = await import('../../simulator/report/workloads.ts');
  const startAt = flags.at ?? MONDAY;
  const days = flags.days ?? usualDays(text);
  const learnMs = (flags.learn ?? (usualDays(text) === 7 ? USUAL_LEARNED : 0)) * DAY_MS;
  try {
    const workload = makeWorkload(text, { startAt, days: days ?? MAX_DAYS, seed: flags.seed });
    // Other draws: nobody has seen these very jobs before.
    const before = {
      startAt: startAt - learnMs,
      days: learnMs / DAY_MS,
      seed: flags.seed + PAST_SEEDS,
    };
    const learned = learnMs > 0 ? makeWorkload(text, before) : [];
    return { workload, learned, learnMs, startAt, days: days ?? spanOf(workload) };
  } catch (error) {
    if (error instanceof RangeError) throw new HostlerError('usage', messageOf(error));
    throw error;
  }
}

/** All that is fixed for a run, from the flags. Throws `usage`. */
export async function readFrame(flags: FrameFlags): Promise<Frame> {
  if (flags.workload !== undefined && flags.jobs !== undefined)
    throw new HostlerError('usage', '--workload and --jobs exclude each other');
  const { workload, learned, learnMs, startAt, days } =
    flags.jobs === undefined
      ? await readWorkload(flags.workload ?? 'week', flags)
      : await readJobs(flags.jobs, flags);
  if (workload.length === 0) throw new HostlerError('usage', 'the workload has no jobs');
  if (days > MAX_DAYS)
    throw new HostlerError('usage', `the jobs span ${Math.ceil(days)} days; at most ${MAX_DAYS}`);
  return {
    workload: workload.filter(({ atMs }) => atMs < days * DAY_MS),
    ...(learned.length > 0 && { learned: { lengthMs: learnMs, arrivals: learned } }),
    bootMs: flags.boot * SECOND_MS,
    runner: flags.runner,
    queue: flags.queue,
    flavour: flags.peer,
    startAt,
    days,
    seed: flags.seed,
    reclaimsPerHour: flags.reclaim,
    prices: flags.spotPrice,
    peerMarket: flags.compareMarket ?? null,
  };
}
