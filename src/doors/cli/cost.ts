// `hostler cost`: what machines cost, by project, pool, job, pipeline or day: a table, JSON or CSV. Looks only.
// Trap: hours without a known price are shown beside the sum, which does not hold them.
import type { Command } from 'commander';
import type { CostReply, CostRowReply } from '../../contract/api.ts';
import { type CostGroup, costGroups } from '../../domain/cost.ts';
import { HostlerError } from '../../domain/error.ts';
import { type DurationMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import { callDaemon, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint } from './paint.ts';
import { type Column, drawTable } from './text-table.ts';

const units: Readonly<Record<string, DurationMs>> = {
  m: MINUTE_MS,
  h: HOUR_MS,
  d: 24 * HOUR_MS,
  w: 7 * 24 * HOUR_MS,
};

/** `7d`, `12h`, or a moment in ISO 8601, as milliseconds since 1970. Throws `usage`. */
export function readSince(text: string, now: number): number {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * (units[unit ?? 'd'] ?? 0);
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new HostlerError(
    'usage',
    `--since takes a length of time such as 7d or 12h, or a moment such as 2026-11-16, not ${JSON.stringify(text)}`,
  );
}

const usd = (value: number) => value.toFixed(value >= 100 ? 0 : value >= 1 ? 2 : 4);
const hours = (value: number) => value.toFixed(2);
const percent = (share: number) => `${Math.round(share * 100)} %`;

function columnsFor(by: string): Column<CostRowReply>[] {
  return [
    { title: by.toUpperCase(), of: (row) => row.key },
    { title: 'USD', of: (row) => usd(row.usd) },
    { title: 'ON-DEMAND', of: (row) => usd(row.on_demand_usd) },
    { title: 'SAVED', of: (row) => usd(row.saved_usd) },
    { title: 'HOURS', of: (row) => hours(row.hours) },
    { title: 'IDLE', of: (row) => percent(row.idle_share) },
    { title: 'MACHINES', of: (row) => row.machines },
    { title: 'JOBS', of: (row) => row.jobs },
    { title: 'UNPRICED', of: (row) => (row.unpriced_hours === 0 ? null : `${hours(row.unpriced_hours)} h`) },
  ];
}

/** Lines of the table, the sum last. */
export function drawCosts(reply: CostReply, paint: Paint): string[] {
  const unknown = reply.total.unpriced_hours;
  return [
    ...drawTable([...reply.rows, reply.total], columnsFor(reply.by), paint),
    ...(unknown > 0
      ? [`${hours(unknown)} hours have no known price and are not in the sums; the key prices adds prices`]
      : []),
  ];
}

/** Quotes what a spreadsheet would take apart or run: names of projects come from outside. */
function cell(value: string | number | null): string {
  if (typeof value === 'number') return String(value);
  const text = value ?? '';
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180 with a line of names; the columns are the keys of the JSON rows. */
export function csvOf(reply: CostReply): string {
  const names = Object.keys(reply.total) as (keyof CostRowReply)[];
  const lines = [names.join(','), ...reply.rows.map((row) => names.map((name) => cell(row[name])).join(','))];
  return `${lines.join('\r\n')}\r\n`;
}

function readGroup(text: string): CostGroup {
  const found = costGroups.find((group) => group === text);
  if (found !== undefined) return found;
  throw new HostlerError('usage', `--by takes ${costGroups.join(', ')}, not ${JSON.stringify(text)}`);
}

/** Registers `cost`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('cost'))
    .description('what machines cost, by project, pool, job, pipeline or day')
    .option('--by <group>', costGroups.join(', '), 'project')
    .option('--since <time>', 'a length of time (7d, 12h) or a moment', '7d')
    .option('--csv', 'print CSV instead of text')
    .action((options: ReadOptions & { by: string; since: string; csv?: boolean }) => {
      const by = readGroup(options.by);
      const since = readSince(options.since, io.now());
      return callDaemon(io, options, async (client) => {
        const reply = await client.cost({ by, since: new Date(since).toISOString() });
        if (options.json === true) return printJson(io, reply);
        if (options.csv === true) return io.out(csvOf(reply));
        if (reply.rows.length > 0) return printLines(io, drawCosts(reply, createPaint(io)));
        return printLines(io, [`no machine has run since ${reply.since}`]);
      });
    });
}
