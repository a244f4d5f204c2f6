// Period lines as the runner's cron reader takes them, brought to seven fields (second first, year last).
// Differs on purpose in one point: lines of five or six fields and @-words hold for whole minutes here, where the
// runner lets them hold for about one second a minute. Each difference is a remark, so that `check` can say it.
// Trap: in six fields the first is the minute and the last the year; calendars elsewhere read it the other way.
import { hint } from './nearest.ts';

export type Remark = { code: string; message: string };
export type CronLine =
  /** `cron: null`: a line that the runner takes, but that can never hold. */
  { cron: string | null; remarks: readonly Remark[] } | { wrong: string };

type Field = { name: string; low: number; high: number; names?: readonly string[]; days?: 'month' | 'week' };

const months = 'january february march april may june july august september october november december'.split(
  ' ',
);
const weekdays = 'sunday monday tuesday wednesday thursday friday saturday'.split(' ');

const fields: readonly Field[] = [
  { name: 'second', low: 0, high: 59 },
  { name: 'minute', low: 0, high: 59 },
  { name: 'hour', low: 0, high: 23 },
  { name: 'day', low: 1, high: 31, days: 'month' },
  { name: 'month', low: 1, high: 12, names: months },
  { name: 'weekday', low: 0, high: 6, names: weekdays, days: 'week' },
  { name: 'year', low: 1970, high: 2099 },
];

const words: Record<string, string> = {
  '@yearly': '0 0 1 1 * *',
  '@annually': '0 0 1 1 * *',
  '@monthly': '0 0 1 * * *',
  '@weekly': '0 0 * * 0 *',
  '@daily': '0 0 * * * *',
  '@hourly': '0 * * * * *',
};

/** Carries a message out of the depth of a field; never leaves this file. */
class Wrong extends Error {}

function shortAndLong(names: readonly string[]): string[] {
  return [...names.map((name) => name.slice(0, 3)), ...names];
}

function toNumber(field: Field, word: string): number {
  if (field.names && /^[a-z]/.test(word)) {
    const index = field.names.findIndex((name) => name === word || name.slice(0, 3) === word);
    if (index >= 0) return index + field.low;
    throw new Wrong(`${field.name}: "${word}" is no name of one${hint(word, shortAndLong(field.names))}`);
  }
  if (!/^\d{1,4}$/.test(word)) throw new Wrong(`${field.name}: "${word}" is not a number`);
  const number = field.days === 'week' && word === '7' ? 0 : Number(word);
  if (number < field.low || number > field.high) {
    throw new Wrong(`${field.name}: ${number} is not within ${field.low} to ${field.high}`);
  }
  return number;
}

/** `a-b` with its step, in numbers. `null`: it runs backwards where the runner reads that as nothing. */
function readRange(field: Field, part: string, step: string, remarks: Remark[]): string | null {
  const [first = '', last, ...more] = part.replace(/\/.*$/, '').split('-');
  if (more.length > 0) throw new Wrong(`${field.name}: "${part}" is not a range`);
  const from = toNumber(field, first);
  if (last === undefined) return step === '' ? `${from}` : `${from}-${field.high}${step}`;
  const to = toNumber(field, last);
  if (from <= to) return from === to ? `${from}` : `${from}-${to}${step}`;
  const head = from === field.high ? `${from}` : `${from}-${field.high}`;
  const tail = to === field.low ? `${to}` : `${field.low}-${to}`;
  const why = `${field.name}: "${part}" runs backwards`;
  // An empty list of these makes the runner itself fall over.
  if (!field.days) throw new Wrong(`${why}; write ${head},${tail}`);
  const message = `${why}, so the runner never lets it hold; write ${head},${tail}`;
  remarks.push({ code: 'period-backwards', message });
  return null;
}

function readPart(field: Field, part: string, remarks: Remark[]): string | null {
  if (part === '') throw new Wrong(`${field.name}: a part of the list is empty`);
  if (field.days === 'month' && /^(l|lw|([1-9]|[12]\d|3[01])w)$/.test(part)) return part.toUpperCase();
  const special = field.days === 'week' ? /^([a-z]+|\d)(l|#[1-5])$/.exec(part) : null;
  if (special) return `${toNumber(field, special[1] ?? '')}${(special[2] ?? '').toUpperCase()}`;
  const [span, step, ...rest] = part.split('/');
  if (rest.length > 0) throw new Wrong(`${field.name}: "${part}" has two steps`);
  if (step !== undefined && !/^[1-9]\d{0,3}$/.test(step)) {
    throw new Wrong(`${field.name}: "${part}" needs a step of 1 or more after the slash`);
  }
  const tail = step === undefined ? '' : `/${step}`;
  return span === '*' ? `*${tail}` : readRange(field, part, tail, remarks);
}

function readField(field: Field, written: string, remarks: Remark[]): string | null {
  const text = written.toLowerCase();
  if (text === '*' || text === '?') return '*';
  const parts = text.split(',').map((part) => readPart(field, part, remarks));
  const kept = parts.filter((part) => part !== null);
  if (kept.includes('*')) return '*';
  return kept.length === 0 ? null : kept.join(',');
}

function sevenFields(line: string, remarks: Remark[]): string[] {
  const wholeMinutes = (what: string): void => {
    remarks.push({
      code: 'period-short',
      message: `${what} is taken as whole minutes; the runner lets it hold for about a second of each: write seven fields, second first, year last`,
    });
  };
  if (line.startsWith('@')) {
    const meant = words[line.toLowerCase()];
    if (meant === undefined)
      throw new Wrong(`"${line}" is no word for a period${hint(line, Object.keys(words))}`);
    wholeMinutes(line);
    return `* ${meant}`.split(' ');
  }
  const parts = line.split(/\s+/);
  if (parts.length < 5) {
    throw new Wrong(`has ${parts.length} of seven fields: second minute hour day month weekday year`);
  }
  if (parts.length > 7) {
    remarks.push({ code: 'period-long', message: 'has more than seven fields; the rest is not read' });
    return parts.slice(0, 7);
  }
  if (parts.length === 7) return parts;
  wholeMinutes(`a line of ${parts.length} fields`);
  if (parts.length === 5) return ['*', ...parts, '*'];
  const year = parts[5] ?? '';
  if (/[a-z]/i.test(year) || /^\d{1,2}([-,/]|$)/.test(year)) {
    throw new Wrong(
      `six fields are minute to year, and "${year}" is no year; if seconds come first, add " *" as the seventh`,
    );
  }
  return ['*', ...parts];
}

/** Reads one line as written. */
export function readCronLine(written: string): CronLine {
  const remarks: Remark[] = [];
  const line = written.trim();
  if (line === '') return { wrong: 'is empty' };
  if (line.length > 1_000) return { wrong: 'is longer than 1000 characters' };
  try {
    const seven = sevenFields(line, remarks);
    const read = fields.map((field, index) => readField(field, seven[index] ?? '*', remarks));
    if (read[0] !== '*' && read[0] !== '0-59' && read[0] !== '*/1') {
      remarks.push({
        code: 'period-seconds',
        message: `holds for single seconds ("${seven[0] ?? ''}" in the first field); write * there for whole minutes`,
      });
    }
    return { cron: read.includes(null) ? null : read.join(' '), remarks };
  } catch (error) {
    if (error instanceof Wrong) return { wrong: error.message };
    throw error;
  }
}
