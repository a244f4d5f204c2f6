// Which period holds when: the runner's autoscaling sections as a calendar. Pure: the moment comes in as an argument,
// the same arguments give the same answer (what is remembered below only saves work).
// The last section that holds wins; a line holds for whole seconds, its last second included; milliseconds are cut.
// Trap: croner is a calendar here, never a timer. Lines must have seven fields; adapters/config makes them so.
import { Cron } from 'croner';
import type { IdlePolicy, Period, Schedule } from '../domain/config.ts';
import { type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../domain/units.ts';

/** All zone offsets of today are multiples of 15 minutes, so a local hour begins on such a multiple of UTC. */
const QUARTER_MS = 15 * MINUTE_MS;

/** A local day lasts at least 23 hours: looks six hours apart cannot miss one. */
const COARSE_MS = 6 * HOUR_MS;

/** A period that goes on for longer counts as endless: nobody plans machines five years ahead. */
const HORIZON_MS = 5 * 366 * 24 * HOUR_MS;

/** Beginnings and ends looked at for one answer: bounds lines that hold for single seconds under one that always holds. */
const MAX_EDGES = 2_000;

/** How long "no change" is believed before the calendar is read again; far below the horizon. */
const NONE_VALID_MS = 30 * 24 * HOUR_MS;

/** The policy in force; `period` is the index of its section, null = the base values. */
export type InForce = { policy: IdlePolicy; period: number | null };

/** A moment at which the policy in force becomes another one, and what it becomes. */
export type ScheduleChange = InForce & { at: EpochMs };

type Line = { cron: Cron; unit: number; wholeDays: boolean };
type Span = { from: EpochMs; until: EpochMs; change: EpochMs | null };

const linesOf = new WeakMap<Period, readonly Line[]>();
const spanOf = new WeakMap<Schedule, Span>();

function open(text: string, timezone: string): Cron {
  return new Cron(text, { timezone, mode: '7-part' });
}

/** True when the field takes all 60 values, however it is written. */
function isWhole(field: string, position: 0 | 1): boolean {
  if (field === '*') return true;
  const cron = open(position === 0 ? `${field} * * * * * *` : `* ${field} * * * * *`, 'UTC');
  const step = position === 0 ? SECOND_MS : MINUTE_MS;
  return Array.from({ length: 60 }, (_, index) => cron.match(new Date(index * step))).every(Boolean);
}

function toLine(text: string, timezone: string): Line {
  const [second = '*', minute = '*', hour, ...day] = text.split(' ');
  let unit = QUARTER_MS;
  if (!isWhole(minute, 1)) unit = MINUTE_MS;
  if (!isWhole(second, 0)) unit = SECOND_MS;
  const wholeDays = unit === QUARTER_MS && hour === '*' && day.every((field) => field === '*');
  return { cron: open(text, timezone), unit, wholeDays };
}

function lines(period: Period): readonly Line[] {
  const known = linesOf.get(period);
  if (known) return known;
  const made = period.cron.map((text) => toLine(text, period.timezone));
  linesOf.set(period, made);
  return made;
}

function holds(line: Line, at: EpochMs): boolean {
  return line.cron.match(new Date(at));
}

/** First moment after `from` at which a line that holds now does not; null = not within the horizon. */
function endOf(line: Line, from: EpochMs): EpochMs | null {
  if (line.wholeDays) return null;
  const limit = line.unit === QUARTER_MS ? 26 * 4 : 130;
  let at = from - (from % line.unit);
  for (let step = 0; step < limit; step += 1) {
    at += line.unit;
    if (!holds(line, at)) return at;
  }
  for (const stop = at + HORIZON_MS; at < stop; at += COARSE_MS) {
    if (!holds(line, at + COARSE_MS)) return bisect(line, at, at + COARSE_MS);
  }
  return null;
}

/** The edge between a moment that holds and a later one that does not, with one edge in between. */
function bisect(line: Line, holding: EpochMs, ended: EpochMs): EpochMs {
  let [low, high] = [holding, ended];
  while (high - low > line.unit) {
    const middle = low + Math.floor((high - low) / line.unit / 2) * line.unit;
    if (holds(line, middle)) low = middle;
    else high = middle;
  }
  return high;
}

/** First moment after `from` at which a line that does not hold begins to; null = never again. */
function beginOf(line: Line, from: EpochMs): EpochMs | null {
  let at = from;
  for (let step = 0; step < 50; step += 1) {
    const next = line.cron.nextRun(new Date(at))?.getTime() ?? null;
    // In the hour that spring leaves out croner names the moment after it, which the line itself does not take.
    if (next === null || holds(line, next)) return next;
    at = next;
  }
  return at;
}

function floorSecond(now: EpochMs): EpochMs {
  return Math.floor(now / SECOND_MS) * SECOND_MS;
}

/** The policy in force at `now`: the last section of which a line holds, else the base values. */
export function policyAt(schedule: Schedule, now: EpochMs): InForce {
  for (let index = schedule.periods.length - 1; index >= 0; index -= 1) {
    const period = schedule.periods[index];
    if (period && lines(period).some((line) => holds(line, now))) return { policy: period, period: index };
  }
  return { policy: schedule.base, period: null };
}

function isSame(a: IdlePolicy, b: IdlePolicy): boolean {
  return (
    a.idleCount === b.idleCount &&
    a.idleCountMin === b.idleCountMin &&
    a.idleScaleFactor === b.idleScaleFactor &&
    a.idleTimeMs === b.idleTimeMs
  );
}

/** Next moment after `now` at which another policy is in force; searched from edge to edge of the lines. */
function findChange(schedule: Schedule, now: EpochMs): EpochMs | null {
  const all = schedule.periods.flatMap((period, index) => lines(period).map((line) => ({ line, index })));
  const edges: (EpochMs | null)[] = all.map(() => now);
  const start = policyAt(schedule, now);
  let [at, current] = [now, start.period ?? -1];
  for (let round = 0; round < MAX_EDGES; round += 1) {
    let next: EpochMs | null = null;
    for (const [position, { line, index }] of all.entries()) {
      // A section before the one in force cannot be seen until that one ends.
      if (index < current) continue;
      let edge = edges[position] ?? null;
      if (edge !== null && edge <= at) {
        edge = holds(line, at) ? endOf(line, at) : beginOf(line, at);
        edges[position] = edge;
      }
      if (edge !== null && (next === null || edge < next)) next = edge;
    }
    if (next === null) return null;
    const then = policyAt(schedule, next);
    if (!isSame(then.policy, start.policy)) return next;
    at = next;
    current = then.period ?? -1;
  }
  return null;
}

/**
 * The next moment after `now` at which the policy in force differs from the one at `now`; null = it stays (or holds for
 * more than five years). Whole seconds.
 */
export function nextChangeAt(schedule: Schedule, now: EpochMs): EpochMs | null {
  if (schedule.periods.length === 0) return null;
  const from = floorSecond(now);
  const known = spanOf.get(schedule);
  if (known && from >= known.from && from < known.until) return known.change;
  const change = findChange(schedule, from);
  spanOf.set(schedule, { from, until: change ?? from + NONE_VALID_MS, change });
  return change;
}

/** The next `count` changes after `now`, soonest first; fewer when the schedule comes to rest. */
export function nextChanges(schedule: Schedule, now: EpochMs, count: number): ScheduleChange[] {
  const found: ScheduleChange[] = [];
  let at = floorSecond(now);
  while (found.length < count) {
    // The first answer is remembered by the schedule; later ones must not push it out.
    const next = found.length === 0 ? nextChangeAt(schedule, at) : findChange(schedule, at);
    if (next === null) break;
    found.push({ at: next, ...policyAt(schedule, next) });
    at = next;
  }
  return found;
}

/** Every policy in force at some moment of [from, to], in order of time; the first is the one at `from`. */
export function policiesWithin(schedule: Schedule, from: EpochMs, to: EpochMs): IdlePolicy[] {
  const found = [policyAt(schedule, from).policy];
  let change = nextChangeAt(schedule, from);
  while (change !== null && change <= to && found.length < MAX_EDGES) {
    found.push(policyAt(schedule, change).policy);
    change = findChange(schedule, change);
  }
  return found;
}

/**
 * Whether a seven-field line can be read, in the zone given (it must exist): null, or what is wrong with it in a few
 * words. `from` on: the line holds at some time, else the answer is `never`.
 */
export function lineProblem(
  text: string,
  timezone: string,
  from: EpochMs,
): 'never' | { wrong: string } | null {
  try {
    const cron = open(text, timezone);
    return cron.match(new Date(from)) || cron.nextRun(new Date(from)) ? null : 'never';
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { wrong: said.replace(/^CronPattern: /, '').replace(/\.$/, '') };
  }
}
