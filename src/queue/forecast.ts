// What is usual at this hour of the week: the peak of jobs at a time in each quarter of an hour, kept for some weeks, and
// their median, so that one holiday or one rush says nothing. Pure.
// Traps: a quarter that the daemon did not see is missing and not zero; the week that is going on does not count yet.
import type { ForecastSlot } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, HOUR_MS } from '../domain/units.ts';

export const QUARTER_MS: DurationMs = HOUR_MS / 4;
const WEEK_MS: DurationMs = 7 * 24 * HOUR_MS;
/** Weeks that are kept: with six, two holidays in a row of weeks change no median. */
const KEPT_WEEKS = 6;
/** Before that much is known nothing is foretold. */
const LEAST_WEEKS = 2;
/** Quarters that are foretold: longer than any boot. */
const SLOTS_AHEAD = 5;

/** By quarter of the week (0 to 671, from Thursday 00:00 UTC): week and peak, oldest first. */
export type DemandHistory = Record<number, [week: number, peak: number][]>;

const slotOf = (at: EpochMs): number => Math.floor((at % WEEK_MS) / QUARTER_MS);
const weekOf = (at: EpochMs): number => Math.floor(at / WEEK_MS);

/** Takes up the jobs at a time that were seen at that moment. */
export function recordDemand(history: DemandHistory, at: EpochMs, jobs: number): void {
  const [slot, week] = [slotOf(at), weekOf(at)];
  const weeks = (history[slot] ?? []).filter(([other]) => other !== week);
  const before = history[slot]?.find(([other]) => other === week)?.[1] ?? 0;
  history[slot] = [...weeks, [week, Math.max(before, jobs)] as [number, number]]
    .toSorted(([a], [b]) => a - b)
    .slice(-KEPT_WEEKS - 1);
}

/** The median of past weeks for the quarter of that moment; null = not known. */
export function expectedAt(history: DemandHistory, at: EpochMs): number | null {
  const week = weekOf(at);
  const peaks = (history[slotOf(at)] ?? [])
    .filter(([other]) => other < week && other >= week - KEPT_WEEKS)
    .map(([, peak]) => peak)
    .toSorted((a, b) => a - b);
  return peaks.length < LEAST_WEEKS ? null : (peaks[Math.floor(peaks.length / 2)] ?? null);
}

/** This quarter of an hour and the next ones; empty while this one is not known. */
export function forecastFrom(history: DemandHistory, now: EpochMs): ForecastSlot[] {
  const first = Math.floor(now / QUARTER_MS) * QUARTER_MS;
  const slots: ForecastSlot[] = [];
  for (let index = 0; index < SLOTS_AHEAD; index++) {
    const from = first + index * QUARTER_MS;
    const jobs = expectedAt(history, from);
    if (jobs === null) break;
    slots.push({ from, jobs });
  }
  return slots;
}

const isWeek = (one: unknown): one is [number, number] =>
  Array.isArray(one) &&
  one.length === 2 &&
  one.every((value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0);

/** A history as it was stored; what does not fit is left out. */
export function parseHistory(text: string | null): DemandHistory {
  const history: DemandHistory = {};
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? '{}');
  } catch {
    return history;
  }
  if (typeof stored !== 'object' || stored === null) return history;
  for (const [slot, weeks] of Object.entries(stored)) {
    const index = Number(slot);
    if (!Number.isInteger(index) || index < 0 || index >= WEEK_MS / QUARTER_MS || !Array.isArray(weeks))
      continue;
    history[index] = weeks.filter(isWeek).slice(-KEPT_WEEKS - 1);
  }
  return history;
}
