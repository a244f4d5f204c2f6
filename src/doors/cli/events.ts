// `hostler events`: the history, newest last; `-f` goes on with what happens.
import type { Command } from 'commander';
import type { EventReply } from '../../contract/api.ts';
import type { Client, EventQuery } from '../../contract/client.ts';
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
import { describeStamp } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint, plain } from './paint.ts';

/** Events of one answer while following: a burst of 200 machines makes about 1,000 a minute. */
const FOLLOW_BATCH = 1_000;

/** Events of one answer at most; the daemon refuses more. */
const MOST_EVENTS = 5_000;

type EventOptions = ReadOptions & {
  follow?: boolean;
  limit: string;
  every: string;
  pool?: string;
  machine?: string;
  lease?: string;
};

/** `2026-11-22 10:01:02  launched  build m-abc  text`. */
export function drawEvents(events: readonly EventReply[], paint: Paint): string[] {
  const width = Math.max(12, ...events.map((event) => event.code.length));
  return events.map((event) => {
    const subject = [event.pool, event.machine, event.lease].filter((name) => name !== null).join(' ');
    return [
      paint.dim(describeStamp(event.at)),
      paint.bold(event.code.padEnd(width)),
      plain(subject),
      // Many texts begin with their code, which has a column of its own.
      plain(event.text.replace(`${event.code}: `, '')),
    ]
      .filter((part) => part !== '')
      .join('  ');
  });
}

function print(io: CliIo, events: readonly EventReply[], isJson: boolean): void {
  if (isJson) for (const event of events) printJson(io, event, 'line');
  else printLines(io, drawEvents(events, createPaint(io)));
}

async function follow(io: CliIo, client: Client, options: EventOptions, filter: EventQuery): Promise<never> {
  const everyMs = readSeconds(options.every) * 1_000;
  let query: EventQuery = { ...filter, limit: readLimit(options.limit) };
  let isAway = false;
  for (;;) {
    try {
      const events = await client.events(query);
      print(io, events, options.json === true);
      const after = events.at(-1)?.seq ?? query.after ?? 0;
      query = { ...filter, after, limit: FOLLOW_BATCH };
      isAway = false;
    } catch (error) {
      if (!(error instanceof HostlerError) || error.code !== 'daemon-away') throw error;
      if (!isAway) io.err(`hostler: ${error.message}; waiting for it\n`);
      isAway = true;
    }
    await pauseFor(everyMs);
  }
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_EVENTS)
    throw new HostlerError('usage', `--limit ${text} is no number from 1 to ${MOST_EVENTS}`);
  return limit;
}

function filterOf(options: EventOptions): EventQuery {
  const { pool, machine, lease } = options;
  return {
    ...(pool === undefined ? {} : { pool }),
    ...(machine === undefined ? {} : { machine }),
    ...(lease === undefined ? {} : { lease }),
  };
}

/** Registers `events`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('events'))
    .description('show the history, newest last')
    .option('-f, --follow', 'go on with what happens until interrupted')
    .option('-n, --limit <count>', 'how many of the newest', '50')
    .option('--every <seconds>', 'how often --follow asks', '1')
    .option('-p, --pool <pool>', 'only those of one pool')
    .option('-m, --machine <id>', 'only those of one machine')
    .option('-l, --lease <name>', 'only those of one lease')
    .action((options: EventOptions) =>
      callDaemon(io, options, async (client) => {
        const filter = filterOf(options);
        if (options.follow === true) return follow(io, client, options, filter);
        const events = await client.events({ ...filter, limit: readLimit(options.limit) });
        if (options.json === true) return printJson(io, events);
        if (events.length === 0) return printLines(io, ['no events: nothing of this has happened yet']);
        return print(io, events, false);
      }),
    );
}
