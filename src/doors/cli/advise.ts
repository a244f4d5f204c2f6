// `hostler advise`: the cheapest idle policy that keeps a wait, for recorded or modelled jobs, with what other waits would cost,
// and whether look-ahead and forecast pay.
// Must not change a file: it prints what could stand there.
// Trap: it works on one pool; jobs of all tags count as that pool's.
import type { Command } from 'commander';
import type { Config, PoolSpec } from '../../domain/config.ts';
import { HostlerError } from '../../domain/error.ts';
import { SECOND_MS } from '../../domain/units.ts';
import type { Advice, Advised } from '../../simulator/report/advise.ts';
import type { Ahead } from '../../simulator/report/advise-ahead.ts';
import type { PolicyRun } from '../../simulator/report/figures.ts';
import type { Frame } from '../../simulator/report/run-policy.ts';
import { aheadJson, aheadLines, countsOf, curveTable, jsonOf, tomlOf } from './advise-words.ts';
import { printJson, printLines } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { checkPlot, writePlot } from './plot-file.ts';
import { createProgress } from './progress.ts';
import { type FrameFlags, readFrame, readSeconds, readSimulated, withFrame } from './simulate-flags.ts';

type Flags = FrameFlags & {
  waitP95: number;
  prove?: boolean;
  ahead?: boolean;
  plot?: string;
  json?: boolean;
};

/** Longer records would make the search slow and tell nothing new. */
const MAX_DAYS = 28;

/** All that was found. */
type Found = {
  pool: PoolSpec;
  frame: Frame;
  waitP95S: number;
  best: Advice;
  advised: Advised;
  proof: PolicyRun | null;
  ahead: Ahead | null;
};

function onlyPool(pools: readonly PoolSpec[]): PoolSpec {
  const [pool, ...more] = pools;
  if (pool === undefined || more.length > 0)
    throw new HostlerError('usage', `name one pool with --pool: ${pools.map(({ id }) => id).join(', ')}`);
  return pool;
}

async function prove(
  config: Config,
  { pool, frame, best: { schedule } }: Pick<Found, 'pool' | 'frame' | 'best'>,
) {
  const { runPolicy } = await import('../../simulator/report/run-policy.ts');
  const pools = [{ ...pool, runnerSchedule: schedule, ownSchedule: schedule }];
  return await runPolicy('hostler', { ...config, pools }, frame);
}

async function lookAhead(
  config: Config,
  found: Pick<Found, 'pool' | 'frame' | 'best' | 'waitP95S'>,
  io: CliIo,
) {
  const { adviseAhead } = await import('../../simulator/report/advise-ahead.ts');
  const progress = createProgress(io, 1);
  const { schedule } = found.best;
  const ahead = await adviseAhead({
    ...found,
    config,
    schedule,
    progress: (share) => progress.tell('with the queue', share),
  });
  progress.end();
  return ahead;
}

async function find(path: string | undefined, flags: Flags, io: CliIo): Promise<Found> {
  const { advise } = await import('../../simulator/report/advise.ts');
  const config = await readSimulated(path, flags, io);
  const pool = onlyPool(config.pools);
  const frame = await readFrame(flags);
  const { workload: arrivals, startAt, days, bootMs } = frame;
  if (days > MAX_DAYS)
    throw new HostlerError(
      'usage',
      `the jobs span ${Math.ceil(days)} days; advise on ${MAX_DAYS} at most (--days)`,
    );
  const waitP95S = flags.waitP95;
  const advised = advise({ arrivals, startAt, days, bootMs, waitP95S, limit: pool.limit });
  const { best } = advised;
  if (best === null)
    throw new HostlerError(
      'usage',
      `nothing tried keeps p95 ≤ ${waitP95S} s; is limit ${pool.limit} too low?`,
    );
  const found = { pool, frame, waitP95S, best, advised };
  return {
    ...found,
    proof: flags.prove === true ? await prove(config, found) : null,
    ahead: flags.ahead === true ? await lookAhead(config, found, io) : null,
  };
}

function about({ frame, waitP95S, advised }: Found): string {
  return `${frame.workload.length} jobs in ${Number(frame.days.toFixed(2))} days, 95 of 100 with a host within ${waitP95S} s, boot ${frame.bootMs / SECOND_MS} s (${advised.tried} settings estimated)`;
}

function json({ pool, frame, waitP95S, best, advised, proof, ahead }: Found) {
  return {
    pool: pool.id,
    jobs: frame.workload.length,
    wait_p95_s: waitP95S,
    tried: advised.tried,
    advice: jsonOf(best),
    curve: advised.curve.map(({ waitP95S: wait, advice }) => ({
      wait_p95_s: wait,
      ...(advice === null ? { advice: null } : jsonOf(advice)),
    })),
    ...(proof === null ? {} : { proof: proof.figures }),
    ...(ahead === null ? {} : { ahead: aheadJson(ahead) }),
  };
}

function print(found: Found, io: CliIo): void {
  const { best, advised, proof, ahead } = found;
  const proven = proof?.figures;
  printLines(io, [
    about(found),
    '',
    ...tomlOf(best),
    '',
    ...curveTable(advised.curve, io),
    ...(proven === undefined
      ? []
      : [
          '',
          `simulated: p95 ${proven.wait_s.p95} s, ${proven.machine_hours.idle} idle machine-hours, $${proven.cost_usd}`,
        ]),
    ...(ahead === null ? [] : ['', ...aheadLines(ahead, io)]),
  ]);
}

async function plot(path: string, found: Found, io: CliIo): Promise<void> {
  const { drawAdviceFile, drawAdvicePage } = await import('../../simulator/report/draw-advice.ts');
  const { best, advised, proof, ahead, waitP95S } = found;
  const spotOf = ({ schedule, estimate: { wait, idleHours } }: Advice) => ({
    name: countsOf(schedule),
    p95: wait.p95,
    idleHours,
  });
  const curve = {
    spots: advised.estimates.map(({ wait, idleHours }) => ({ p95: wait.p95, idleHours })),
    marked: advised.curve.flatMap(({ advice }) => (advice === null ? [] : [spotOf(advice)])),
    chosen: spotOf(best),
    waitP95S,
  };
  const paying = ahead?.best ?? null;
  const runs = [
    ...(proof === null ? [] : [{ name: 'the advice, simulated', run: proof }]),
    ...(paying === null ? [] : [{ name: "its busiest day with GitLab's queue", run: paying.run }]),
  ];
  const page = {
    about: about(found),
    lines: tomlOf(best).map((line) => line.slice(2)),
    ahead: ahead === null ? [] : aheadLines(ahead, { ...io, isTty: false }),
    curve,
    runs,
  };
  await writePlot(path, path.endsWith('.svg') ? drawAdviceFile(page.about, curve) : drawAdvicePage(page));
}

async function play(path: string | undefined, flags: Flags, io: CliIo): Promise<void> {
  checkPlot(flags.plot);
  const found = await find(path, flags, io);
  if (flags.plot !== undefined) await plot(flags.plot, found, io);
  if (flags.json === true) printJson(io, json(found), 'line');
  else print(found, io);
}

/** Registers `advise`. */
export function register(program: Command, io: CliIo): void {
  withFrame(
    program
      .command('advise')
      .description('the cheapest IdleCount, factor and periods that keep a wait')
      .argument('[config]', "hostler's own file or the runner's config.toml; without it an example"),
  )
    .option('--wait-p95 <time>', '95 of 100 jobs have a host within it', readSeconds, 30)
    .option('--prove', 'run the simulator with what was found (minutes for a week)')
    .option(
      '--ahead',
      "simulate the busiest day with GitLab's queue too: do lookahead and forecast pay? (at most five runs of that day: 3 min for 2,500 jobs)",
    )
    .option('--plot <file>', 'draw the curve into a .html or .svg file')
    .option('--json', 'print the documented JSON instead of text')
    .action((path: string | undefined, flags: Flags) => play(path, flags, io));
}
