// What is usual at this hour of the week: the largest rush of unannounced jobs in each quarter of an hour, kept for some
// weeks. Idle machines are worth it that meet the rush of so many quarters around; a holiday or one odd day says little. Pure.
// Traps: a quarter that the daemon did not see is missing and not zero; the week that is going on does not count yet.
import type { ForecastSlot } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, HOUR_MS } from '../domain/units.ts';

export const QUARTER_MS: DurationMs = HOUR_MS / 4;
const WEEK_MS: DurationMs = 7 * 24 * HOUR_MS;
/** Weeks that are kept: with six, two holidays in a row of weeks change no median. */
const KEPT_WEEKS = 6;
/** Before that much is known nothing is foretold. */
const LEAST_WEEKS = 2;
/** Quarters before and after that count as well: a rush of one pipeline falls into one quarter or the next by chance. */
const AROUND = 2;
/** Quarters that are foretold: longer than any boot. */
const SLOTS_AHEAD = 5;

/** By quarter of the week (0 to 671, from Thursday 00:00 UTC): week and largest rush, oldest first. */
export type RushHistory = Record<number, [week: number, rush: number][]>;

const slotOf = (at: EpochMs): number => Math.floor((at % WEEK_MS) / QUARTER_MS);
const weekOf = (at: EpochMs): number => Math.floor(at / WEEK_MS);

/** Takes up the rush that was seen at that moment. */
export function recordRush(history: RushHistory, at: EpochMs, jobs: number): void {
  const [slot, week] = [slotOf(at), weekOf(at)];
  const weeks = (history[slot] ?? []).filter(([other]) => other !== week);
  const before = history[slot]?.find(([other]) => other === week)?.[1] ?? 0;
  history[slot] = [...weeks, [week, Math.max(before, jobs)] as [number, number]]
    .toSorted(([a], [b]) => a - b)
    .slice(-KEPT_WEEKS - 1);
}

/** Weeks and rushes of that quarter that count at that moment: the week that is going on does not. */
function past(history: RushHistory, at: EpochMs): [week: number, rush: number][] {
  const week = weekOf(at);
  return (history[slotOf(at)] ?? []).filter(([other]) => other < week && other >= week - KEPT_WEEKS);
}

/** The number that `share` of them do not exceed. */
function quantile(rushes: readonly number[], share: number): number {
  const sorted = rushes.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/**
 * Idle machines that meet the rush of `share` of the quarters around that moment in past weeks, or the usual one of that
 * quarter alone until it has come (a batch at a fixed time); null = not known.
 */
export function expectedAt(history: RushHistory, at: EpochMs, share: number): number | null {
  const own = past(history, at).map(([, rush]) => rush);
  if (own.length < LEAST_WEEKS) return null;
  const around = own.slice();
  for (let by = 1; by <= AROUND; by++)
    for (const quarter of [at - by * QUARTER_MS, at + by * QUARTER_MS])
      around.push(...past(history, quarter).map(([, rush]) => rush));
  const usual = quantile(own, 0.5);
  const come = history[slotOf(at)]?.find(([week]) => week === weekOf(at))?.[1] ?? 0;
  return Math.max(quantile(around, share), come < usual ? usual : 0);
}

/** This quarter of an hour and the next ones; empty while this one is not known. */
export function forecastFrom(history: RushHistory, now: EpochMs, share: number): ForecastSlot[] {
  const first = Math.floor(now / QUARTER_MS) * QUARTER_MS;
  const slots: ForecastSlot[] = [];
  for (let index = 0; index < SLOTS_AHEAD; index++) {
    const from = first + index * QUARTER_MS;
    const jobs = expectedAt(history, from, share);
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
export function parseHistory(text: string | null): RushHistory {
  const history: RushHistory = {};
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
