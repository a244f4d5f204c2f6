// `hostler simulate`: what a configuration does with a workload, in a simulated world, as a table, JSON or a drawing; beside
// docker+machine where asked, at one setting or at many. Needs no daemon, no AWS, no GitLab.
// Trap: stdout is for the result alone; progress goes to stderr and only to a terminal.
import { type Command, InvalidArgumentError } from 'commander';
import type { Config } from '../../domain/config.ts';
import { HostlerError } from '../../domain/error.ts';
import { HOUR_MS } from '../../domain/units.ts';
import type { PolicyRun } from '../../simulator/report/figures.ts';
import type { Frame, PolicyName } from '../../simulator/report/run-policy.ts';
import type { Settings } from '../../simulator/report/settings.ts';
import type { Tried } from '../../simulator/report/sweep.ts';
import { printJson, printLines } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { createPaint } from './paint.ts';
import { checkPlot, writePlot } from './plot-file.ts';
import { createProgress } from './progress.ts';
import { type FrameFlags, readFrame, readSeconds, readSimulated, withFrame } from './simulate-flags.ts';
import { createTable, describeSettings } from './simulate-screen.ts';

type Flags = FrameFlags & {
  set: string[];
  periods: boolean;
  policy: PolicyName;
  compare?: 'docker-machine';
  waitP95?: number;
  json?: boolean;
  plot?: string;
};

function readPolicy(text: string): PolicyName {
  if (text === 'hostler' || text === 'docker-machine') return text;
  throw new InvalidArgumentError('it is hostler or docker-machine.');
}

function readCompare(text: string): 'docker-machine' {
  if (text === 'docker-machine') return text;
  throw new InvalidArgumentError('it is docker-machine.');
}

/** The last of a sweep, and of each policy the one to show. */
type Outcome = { policy: PolicyName; tried: readonly Tried[]; chosen: Tried; holds: boolean };

async function runAll(config: Config, frame: Frame, flags: Flags, io: CliIo): Promise<Outcome[]> {
  const { readSettings } = await import('../../simulator/report/settings.ts');
  const { cheapest, sweep } = await import('../../simulator/report/sweep.ts');
  const points = readSettings([...flags.set, ...(flags.periods ? [] : ['autoscaling=none'])]);
  const waitP95S = flags.waitP95 ?? null;
  const policies = [...new Set<PolicyName>([flags.policy, ...(flags.compare ? [flags.compare] : [])])];
  const outcomes: Outcome[] = [];
  const progress = createProgress(io, policies.length);
  for (const [index, policy] of policies.entries()) {
    const tried = await sweep(policy, config, {
      frame,
      points,
      waitP95S,
      progress: (share) => progress.tell(policy, (index + share) / policies.length),
    });
    const best = cheapest(tried, waitP95S);
    const chosen = best ?? shortest(tried);
    outcomes.push({ policy, tried, chosen, holds: best !== null });
  }
  progress.end();
  return outcomes;
}

/** Of settings that all break the wait, the one that breaks it least. */
function shortest(tried: readonly Tried[]): Tried {
  const best = tried.toSorted((a, b) => a.run.figures.wait_s.p95 - b.run.figures.wait_s.p95)[0];
  if (best === undefined) throw new HostlerError('usage', 'there is no setting to simulate');
  return best;
}

const learnedDays = ({ learned }: Frame): number => (learned?.lengthMs ?? 0) / (24 * HOUR_MS);

/** What was simulated, in one line. */
function about(path: string | undefined, frame: Frame, flags: Flags): string {
  const jobs = flags.jobs === undefined ? (flags.workload ?? 'week') : `jobs of ${flags.jobs}`;
  const days = Number(frame.days.toFixed(3));
  const from = new Date(frame.startAt).toISOString().slice(0, 16).replace('T', ' ');
  const queue = flags.queue === 'config' ? '' : `, queue ${flags.queue}`;
  const learned = frame.learned === undefined ? '' : `, ${learnedDays(frame)} days learned`;
  const peer = flags.compare === undefined ? '' : `, docker-machine as ${frame.flavour}`;
  return `${path ?? 'the example configuration'}, ${jobs} (${frame.workload.length} jobs), ${days} days from ${from} UTC, boot ${frame.bootMs / 1000} s, runner ${frame.runner}${queue}${learned}${peer}, seed ${frame.seed}`;
}

function json(path: string | undefined, frame: Frame, flags: Flags, outcomes: readonly Outcome[]): unknown {
  const figuresOf = ({ settings, run }: Tried) => ({ ...run.figures, set: settings });
  const isSweep = outcomes.some(({ tried }) => tried.length > 1);
  const points = outcomes[0]?.tried ?? [];
  return {
    ...Object.fromEntries(
      outcomes.map(({ policy, chosen, holds }) => [
        policy,
        { ...figuresOf(chosen), ...(flags.waitP95 === undefined ? {} : { keeps_wait: holds }) },
      ]),
    ),
    config: path ?? null,
    workload: flags.jobs ?? flags.workload ?? 'week',
    start_at: new Date(frame.startAt).toISOString(),
    days: frame.days,
    boot_s: frame.bootMs / 1_000,
    runner: frame.runner,
    queue: flags.queue,
    learn_days: learnedDays(frame),
    seed: frame.seed,
    ...(flags.compare === undefined ? {} : { peer: frame.flavour }),
    ...(flags.waitP95 === undefined ? {} : { wait_p95_s: flags.waitP95 }),
    ...(isSweep
      ? {
          sweep: points.map(({ settings }, index) => ({
            set: settings,
            ...Object.fromEntries(
              outcomes.map(({ policy, tried }) => [policy, tried[index]?.run.figures ?? null]),
            ),
          })),
        }
      : {}),
  };
}

type Shown = { name: string; settings: Settings; run: PolicyRun };

async function plot(path: string, line: string, shown: readonly Shown[]): Promise<void> {
  const { drawFile, drawPage } = await import('../../simulator/report/draw-page.ts');
  const named = shown.map(({ name, settings, run }) => ({
    name: `${name} ${describeSettings(settings)}`.trim(),
    run,
  }));
  const [first] = named;
  const text = path.endsWith('.svg') && first !== undefined ? drawFile(line, first) : drawPage(line, named);
  await writePlot(path, text);
}

function print(line: string, outcomes: readonly Outcome[], flags: Flags, io: CliIo): void {
  const paint = createPaint(io);
  const rows = outcomes.flatMap(({ policy, tried, chosen, holds }) =>
    tried.map(({ settings, run }) => ({
      policy,
      settings,
      figures: run.figures,
      isChosen: tried.length > 1 && holds && chosen.settings === settings,
    })),
  );
  const failing = flags.waitP95 === undefined ? [] : outcomes.filter(({ holds }) => !holds);
  const wait = flags.waitP95 ?? 0;
  printLines(io, [
    line,
    '',
    ...createTable(rows, paint),
    ...(rows.some(({ isChosen }) => isChosen)
      ? ['', flags.waitP95 === undefined ? '* the cheapest' : `* the cheapest with p95 ≤ ${wait} s`]
      : []),
    ...failing.map(({ policy }) => `${policy}: no setting tried keeps p95 ≤ ${wait} s`),
  ]);
}

async function play(path: string | undefined, flags: Flags, io: CliIo): Promise<void> {
  checkPlot(flags.plot);
  const config = await readSimulated(path, flags, io);
  const frame = await readFrame(flags);
  const outcomes = await runAll(config, frame, flags, io);
  const line = about(path, frame, flags);
  if (flags.plot !== undefined) {
    const shown = outcomes.map(({ policy, chosen }) => ({ name: policy, ...chosen }));
    await plot(flags.plot, line, shown);
  }
  if (flags.json === true) printJson(io, json(path, frame, flags, outcomes), 'line');
  else print(line, outcomes, flags, io);
}

/** Registers `simulate`. */
export function register(program: Command, io: CliIo): void {
  withFrame(
    program
      .command('simulate')
      .description('what a configuration does with a workload, in a simulated world')
      .argument('[config]', "hostler's own file or the runner's config.toml; without it an example"),
  )
    .option(
      '--set <key=value>',
      "a key of the runner's file: KEY=VALUE, several as KEY=A,B or KEY=FROM..TO:STEP; repeatable",
      (text: string, before: string[]) => [...before, text],
      [],
    )
    .option('--no-periods', 'without autoscaling sections, as --set autoscaling=none')
    .option('--policy <name>', 'hostler, or docker-machine alone', readPolicy, 'hostler')
    .option('--compare <policy>', 'docker-machine: the same under docker+machine as modelled', readCompare)
    .option('--wait-p95 <time>', 'of several settings choose the cheapest that keeps it', readSeconds)
    .option('--plot <file>', 'draw the course into a .html or .svg file')
    .option('--json', 'print the documented JSON instead of text')
    .action((path: string | undefined, flags: Flags) => play(path, flags, io));
}
