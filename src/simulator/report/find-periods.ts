// Office hours and batches that a recorded queue shows, as sections of the runner's file. All times are UTC.
// Trap: a week is the least that tells working days from others; a shorter record gets no office hours.
import type { IdlePolicy, Period } from '../../domain/config.ts';
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/units.ts';
import type { Arrival } from '../../sim/workload.ts';

export type Hours = { from: number; to: number };
/** Jobs that come within two minutes of the same time on most days. */
export type Batch = { minuteOfDay: number; jobs: number };

const DAY_MS = 24 * HOUR_MS;
/** An hour belongs to the office's from this share of the busiest one on. */
const OFFICE_SHARE = 0.15;
const SLOT_MS = 2 * MINUTE_MS;
const SLOTS = DAY_MS / SLOT_MS;
/** Fewer jobs at once are a usual pipeline. */
const LEAST_BATCH = 20;
/** So many times the jobs of the slots around it. */
const BATCH_FACTOR = 4;
const BATCH_DAYS_SHARE = 0.6;
const MAX_BATCHES = 3;

const isWorkday = (at: EpochMs): boolean => new Date(at).getUTCDay() % 6 !== 0;

/** The hours of working days in which most jobs come; null when the record is too short or shows no difference. */
export function officeHours(arrivals: readonly Arrival[], startAt: EpochMs, days: number): Hours | null {
  if (days < 5) return null;
  const byHour = Array.from({ length: 24 }, () => 0);
  for (const { atMs } of arrivals) {
    const at = startAt + atMs;
    const hour = Math.floor((at % DAY_MS) / HOUR_MS);
    if (isWorkday(at)) byHour[hour] = (byHour[hour] ?? 0) + 1;
  }
  // The third busiest: one batch must not make all other hours look quiet.
  const peak = byHour.toSorted((a, b) => b - a)[2] ?? 0;
  const busy = byHour.map((count) => count >= peak * OFFICE_SHARE);
  const noon = byHour.findIndex((count, hour) => hour >= 6 && count >= peak);
  if (peak === 0 || noon < 0 || busy.every(Boolean)) return null;
  let [from, to] = [noon, noon];
  while (from > 0 && busy[from - 1] === true) from -= 1;
  while (to < 23 && busy[to + 1] === true) to += 1;
  return { from, to };
}

/** Batches that come each day at the same time, the largest first. */
export function dailyBatches(arrivals: readonly Arrival[], startAt: EpochMs, days: number): Batch[] {
  const counts = new Map<number, number[]>();
  for (const { atMs } of arrivals) {
    const at = startAt + atMs;
    const slot = Math.floor((at % DAY_MS) / SLOT_MS);
    const day = Math.floor(at / DAY_MS) - Math.floor(startAt / DAY_MS);
    const row = counts.get(slot) ?? [];
    row[day] = (row[day] ?? 0) + 1;
    counts.set(slot, row);
  }
  const mean = (slot: number) => sum(counts.get((slot + SLOTS) % SLOTS) ?? []) / Math.max(1, days);
  const isBatch = ([slot, row]: readonly [number, readonly number[]]) => {
    const around = [-3, -2, -1, 1, 2, 3].map((by) => mean(slot + by));
    const often = row.filter((count) => count >= LEAST_BATCH).length >= days * BATCH_DAYS_SHARE;
    return days >= 2 && often && mean(slot) >= BATCH_FACTOR * (sum(around) / around.length);
  };
  return [...counts]
    .filter(isBatch)
    .map(([slot]) => ({ minuteOfDay: (slot * SLOT_MS) / MINUTE_MS, jobs: Math.round(mean(slot)) }))
    .toSorted((a, b) => b.jobs - a.jobs)
    .slice(0, MAX_BATCHES);
}

function sum(values: readonly (number | undefined)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}

function periodOf(line: string, policy: IdlePolicy): Period {
  return { ...policy, cron: [line], written: [line], timezone: 'UTC' };
}

/** The section of office hours. */
export function officePeriod({ from, to }: Hours, policy: IdlePolicy): Period {
  return periodOf(`* * ${from}-${to} * * mon-fri *`, policy);
}

/** The section of a batch: hostler looks one boot ahead, so it need not begin before. */
export function batchPeriod({ minuteOfDay }: Batch, policy: IdlePolicy): Period {
  const minute = minuteOfDay % 60;
  return periodOf(`* ${minute}-${minute + 1} ${Math.floor(minuteOfDay / 60)} * * * *`, policy);
}
