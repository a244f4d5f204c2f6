// `hostler demo`: an emulated cloud, a daemon and a stand-in runner on this machine, a burst of jobs, and the figures.
// Nothing outside a temporary folder and loopback is touched. Its modules load only here.
// Trap: Ctrl-C must end in order (runner, daemon, cloud, folder); the second one ends at once.
import { type Command, InvalidArgumentError } from 'commander';
import type { DemoWay } from '../../demo/config-text.ts';
import type { Demo, DemoOptions } from '../../demo/demo.ts';
import type { DemoSummary } from '../../demo/summary.ts';
import { HostlerError } from '../../domain/error.ts';
import { printJson, printLines } from './daemon-call.ts';
import { drawFigures, drawLine, drawLive, drawSummary } from './demo-screen.ts';
import type { CliIo } from './io.ts';
import { createPaint } from './paint.ts';

type Flags = {
  exit?: boolean;
  json?: boolean;
  jobs: number;
  idle: number;
  boot: number;
  jobSeconds: number;
  maxBuilds: number;
  idleTime: number;
  way: DemoWay;
};

/** Milliseconds between looks on a terminal, and between plain lines. */
const DRAW_EVERY_MS = 250;
const LINE_EVERY_MS = 1_000;
/** npm passes a terminal's Ctrl-C on to a process that has had it already: what follows this soon is the same one. */
const ECHO_MS = 500;
/** What a shell gives after Ctrl-C. */
const INTERRUPTED = 130;

/** A number within bounds; the bounds keep a small machine alive. */
const numberFrom =
  (least: number, most: number, isWhole = true) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most) || (isWhole && !Number.isInteger(value)))
      throw new InvalidArgumentError(`it is a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}.`);
    return value;
  };

function readWay(text: string): DemoWay {
  if (text === 'on-demand' || text === 'standing') return text;
  throw new InvalidArgumentError('it is on-demand or standing.');
}

/** Aborts at the first signal; the second calls `hard`. Gives the end of listening. */
function listenForSignals(stop: AbortController, io: CliIo, hard: () => void): () => void {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let firstAt: number | null = null;
  const heard = (): void => {
    firstAt ??= io.now();
    if (io.now() - firstAt > ECHO_MS) hard();
    stop.abort();
  };
  for (const name of names) process.on(name, heard);
  return () => {
    for (const name of names) process.off(name, heard);
  };
}

type Show = {
  stage(text: string): void;
  begin(demo: Demo): void;
  remark(lines: readonly string[]): void;
  end(): void;
};

/** Progress goes to stderr when stdout is for the JSON. */
function createShow(io: CliIo, flags: Flags): Show {
  const isLive = io.isTty && flags.json !== true;
  const paint = createPaint(io);
  const write = (text: string) => (flags.json === true ? io.err(text) : io.out(text));
  const begunAt = io.now();
  const state: { stage: string; demo?: Demo; drawn: number; last: string } = {
    stage: '',
    drawn: 0,
    last: '',
  };

  async function draw(): Promise<void> {
    const { demo } = state;
    if (demo === undefined) return;
    const view = await demo.look();
    const facts = { stage: state.stage, elapsedMs: io.now() - begunAt, idle: flags.idle, view };
    if (!isLive) {
      const line = drawLine(facts);
      const news = line.slice(line.indexOf('s') + 1);
      if (news !== state.last) write(`${line}\n`);
      state.last = news;
      return;
    }
    const lines = drawLive(facts, paint);
    const up = state.drawn === 0 ? '' : `\u001b[${state.drawn}A`;
    // Without wrapping: a line that took two rows would spoil the way back up.
    write(`\u001b[?7l${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[?7h`);
    state.drawn = lines.length;
  }
  const timer = setInterval(() => void draw(), isLive ? DRAW_EVERY_MS : LINE_EVERY_MS);
  return {
    stage(text) {
      state.stage = text;
      if (state.demo === undefined) write(`${text}\n`);
    },
    begin(demo) {
      state.demo = demo;
    },
    remark(lines) {
      state.drawn = 0;
      write(`${lines.join('\n')}\n`);
    },
    end: () => clearInterval(timer),
  };
}

function tryLines(demo: Demo): string[] {
  const at = `HOSTLER_SOCKET=${demo.site.socket}`;
  return [
    '',
    'It stays up so that you can look around. In another terminal:',
    `  ${at} bin/hostler status`,
    `  ${at} bin/hostler explain`,
    `  ${at} bin/hostler machines`,
    `  curl http://${demo.site.listenAddress}/metrics`,
    `  less ${demo.site.hostlerConfig} ${demo.site.runnerConfig}`,
    'Ctrl-C ends it and removes everything.',
    '',
  ];
}

/** The course of one demo; gives the summary after the end. */
async function runDemo(
  demo: Demo,
  flags: Flags,
  parts: { show: Show; io: CliIo; signal: AbortSignal },
): Promise<DemoSummary> {
  const { show, io, signal } = parts;
  const paint = createPaint(io);
  show.begin(demo);
  show.stage(`${flags.idle} idle machines boot`);
  await demo.warm();
  show.stage(`${flags.jobs} jobs at once`);
  await demo.burst();
  if (flags.exit !== true) {
    show.end();
    show.remark(['', ...drawSummary(await demo.summary(null), paint), ...tryLines(demo)]);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } else {
    show.stage('the runner gives idle machines back');
    await demo.cool();
  }
  show.stage('the pool is drained');
  return demo.summary(await demo.end());
}

function judge(summary: DemoSummary): void {
  if (summary.jobs_done < summary.jobs_total)
    throw new HostlerError(
      'internal',
      `${summary.jobs_total - summary.jobs_done} of ${summary.jobs_total} jobs failed`,
    );
  if (summary.leaked !== null && summary.leaked > 0)
    throw new HostlerError('internal', `${summary.leaked} instances were left in the emulated cloud`);
}

async function play(flags: Flags, io: CliIo): Promise<void> {
  const { startDemo } = await import('../../demo/demo.ts');
  const { jobs, idle, boot: bootS, jobSeconds: jobS, maxBuilds, idleTime: idleTimeS, way } = flags;
  const options: DemoOptions = { jobs, idle, bootS, jobS, maxBuilds, idleTimeS, way };
  const stop = new AbortController();
  const begun: { demo?: Demo } = {};
  const deaf = listenForSignals(stop, io, () => {
    void (begun.demo?.close(true) ?? Promise.resolve()).finally(() => process.exit(INTERRUPTED));
  });
  const show = createShow(io, flags);
  try {
    show.stage('the emulated cloud and the daemon start');
    const demo = await startDemo(options, { env: io.env, signal: stop.signal });
    begun.demo = demo;
    const summary = await runDemo(demo, flags, { show, io, signal: stop.signal });
    show.end();
    if (flags.json === true) printJson(io, summary, 'line');
    else if (flags.exit === true) printLines(io, ['', ...drawSummary(summary, createPaint(io))]);
    else printLines(io, ['', ...drawFigures(summary, createPaint(io))]);
    judge(summary);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    show.remark(['interrupted: everything of the demo is removed']);
    process.exitCode = INTERRUPTED;
  } finally {
    show.end();
    await begun.demo?.close();
    deaf();
  }
}

/** Registers `demo`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('demo')
    .description('show a burst of jobs on an emulated cloud, without AWS or GitLab')
    .option('--exit', 'end by itself, in under a minute')
    .option('--json', 'print the summary as one line of JSON, progress on stderr')
    .option('--jobs <n>', 'jobs at once', numberFrom(1, 200), 30)
    .option('--idle <n>', 'machines kept ready', numberFrom(0, 50), 3)
    .option('--boot <seconds>', 'launch to a host that answers', numberFrom(0, 600, false), 8)
    .option('--job-seconds <seconds>', 'length of a job', numberFrom(0, 600, false), 4)
    .option('--max-builds <n>', 'jobs per machine (0 = no bound)', numberFrom(0, 1_000), 10)
    .option('--idle-time <seconds>', 'until the runner gives an idle machine back', numberFrom(0, 3_600), 5)
    .option(
      '--way <way>',
      'on-demand, or standing: the runner itself holds the idle machines',
      readWay,
      'on-demand',
    )
    .action((flags: Flags) => play(flags, io));
}
