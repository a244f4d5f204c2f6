// `hostler status`: the daemon, its sources and its pools on one screen; `--watch` draws it again and again.
import type { Command } from 'commander';
import type { PoolReply, StatusReply } from '../../contract/api.ts';
import type { Client } from '../../contract/client.ts';
import { HostlerError } from '../../domain/error.ts';
import {
  callDaemon,
  pauseFor,
  printJson,
  printLines,
  type ReadOptions,
  readSeconds,
  withReading,
} from './daemon-call.ts';
import { describeAge, describeDuration } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint, plain } from './paint.ts';
import { describeNextChange, describeRests, stateOf } from './pool-words.ts';
import { drawTable } from './text-table.ts';

type StatusOptions = ReadOptions & { watch?: boolean; every: string };

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

function headLines(status: StatusReply, now: number, paint: Paint): string[] {
  const files = status.config_files.length === 0 ? 'no file' : status.config_files.join(', ');
  return [
    `${paint.bold(`hostler ${plain(status.version)}`)}  owner ${plain(status.owner)}  manager ${plain(status.manager)}  pid ${status.pid}  up ${describeAge(status.started, now)}`,
    `config     ${plain(files)}, read ${describeAge(status.config_loaded, now)} ago`,
    `loop       ${status.last_tick === null ? 'no round yet' : `last round ${describeAge(status.last_tick, now)} ago, ${status.ticks} rounds`}`,
    `EC2 calls  ${total(status.ec2_calls)}${
      Object.keys(status.ec2_calls).length === 0
        ? ''
        : ` (${Object.entries(status.ec2_calls)
            .map(([action, count]) => `${action} ${count}`)
            .join(', ')})`
    }`,
  ];
}

function alarmLines(status: StatusReply, paint: Paint): string[] {
  const sources = status.sources
    .filter((source) => source.state !== 'fresh')
    .map((source) => {
      const age = source.age_s === null ? '' : ` for ${describeDuration(source.age_s * 1_000)}`;
      const text = `source ${source.source} ${source.state}${age}${source.why === null ? '' : `: ${source.why}`}`;
      return paint[source.state === 'failed' ? 'red' : 'yellow'](plain(text));
    });
  const refused =
    status.config_error === null
      ? []
      : [paint.red(plain(`configuration refused, the old one stays: ${status.config_error}`))];
  const state =
    status.state_error === null
      ? []
      : [paint.red(plain(`${status.state_error}; nothing is launched, ended or handed over meanwhile`))];
  const notes = status.state_notes.map((note) => paint.yellow(plain(`note: ${note}`)));
  const warnings = status.warnings.map((issue) =>
    paint.yellow(plain(`warning: ${issue.where === null ? '' : `${issue.where}: `}${issue.message}`)),
  );
  return [...state, ...refused, ...sources, ...notes, ...warnings];
}

function poolLines(pools: readonly PoolReply[], now: number, paint: Paint): string[] {
  if (pools.length === 0) return ['no pools: the configuration has no docker+machine runner'];
  const size = (field: 'busy' | 'held' | 'ready' | 'coming' | 'leaving' | 'waiting' | 'wanted') => ({
    title: field.toUpperCase(),
    of: (pool: PoolReply) => pool.size?.[field] ?? null,
  });
  const colours = { ok: paint.green, paused: paint.yellow, draining: paint.yellow, resting: paint.red };
  const table = drawTable(
    pools,
    [
      { title: 'POOL', of: (pool) => pool.id, paint: paint.bold },
      { title: 'TYPE', of: (pool) => pool.type },
      { title: 'MARKET', of: (pool) => pool.market },
      size('wanted'),
      { title: 'IDLE', of: (pool) => pool.size?.wantIdle ?? pool.idle_count },
      size('busy'),
      size('held'),
      size('ready'),
      size('coming'),
      size('leaving'),
      size('waiting'),
      { title: 'LIMIT', of: (pool) => (pool.limit === 0 ? null : pool.limit) },
      { title: 'STATE', of: stateOf, paint: (text, pool) => colours[stateOf(pool)](text) },
      { title: 'NEXT CHANGE', of: (pool) => describeNextChange(pool, now) },
    ],
    paint,
  );
  const rests = pools.flatMap((pool) =>
    describeRests(pool, now).map((line) => paint.red(`${plain(pool.id)}: ${line}`)),
  );
  return [...table, ...rests];
}

/** The whole screen. */
export function drawStatus(status: StatusReply, now: number, paint: Paint): string[] {
  const alarms = alarmLines(status, paint);
  return [
    ...headLines(status, now, paint),
    ...(alarms.length === 0 ? [] : ['', ...alarms]),
    '',
    ...poolLines(status.pools, now, paint),
  ];
}

/** On a terminal in place, without clearing first: that would flicker. Elsewhere one block after the other. */
function redraw(io: CliIo, lines: readonly string[]): void {
  if (!io.isTty) printLines(io, [...lines, '']);
  else io.out(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
}

async function watch(io: CliIo, client: Client, options: StatusOptions): Promise<never> {
  const everyMs = readSeconds(options.every) * 1_000;
  const paint = createPaint(io);
  if (io.isTty && options.json !== true) io.out('\u001b[2J');
  for (;;) {
    try {
      const status = await client.status();
      if (options.json === true) printJson(io, status, 'line');
      else redraw(io, drawStatus(status, io.now(), paint));
    } catch (error) {
      // A watcher outlives the daemon: it says so and looks again. Anything else is worth ending for.
      if (!(error instanceof HostlerError) || error.code !== 'daemon-away') throw error;
      if (options.json === true) io.err(`hostler: ${error.message}\n`);
      else redraw(io, [paint.red(error.message)]);
    }
    await pauseFor(everyMs);
  }
}

/** Registers `status`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('status'))
    .description('show the daemon, its sources and its pools')
    .option('-w, --watch', 'draw again until interrupted')
    .option('--every <seconds>', 'how often --watch draws', '2')
    .action((options: StatusOptions) =>
      callDaemon(io, options, async (client) => {
        if (options.watch === true) return watch(io, client, options);
        const status = await client.status();
        if (options.json === true) printJson(io, status);
        else printLines(io, drawStatus(status, io.now(), createPaint(io)));
      }),
    );
}
