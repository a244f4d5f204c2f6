// Times and lengths of time as a person reads them. JSON output keeps ISO 8601 and plain numbers; this is for the eye.
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';

const DAY_MS = 24 * HOUR_MS;

/** The two largest units: `0s`, `45s`, `3m 12s`, `2h 5m`, `3d 4h`. Negative lengths count as none. */
export function describeDuration(ms: DurationMs): string {
  const units = [
    ['d', DAY_MS],
    ['h', HOUR_MS],
    ['m', MINUTE_MS],
    ['s', SECOND_MS],
  ] as const;
  let rest = Math.max(0, Math.round(ms / SECOND_MS) * SECOND_MS);
  const first = units.findIndex(([, length]) => rest >= length);
  if (first === -1) return '0s';
  const parts = units.slice(first, first + 2).map(([unit, length]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.filter((part) => part !== '').join(' ');
}

/** How long ago an ISO 8601 time was; `-` for none. */
export function describeAge(iso: string | null, now: EpochMs): string {
  const at = iso === null ? Number.NaN : Date.parse(iso);
  return Number.isNaN(at) ? '-' : describeDuration(now - at);
}

function partsIn(at: EpochMs, zone: string | undefined): { day: string; time: string; seconds: string } {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  const part = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const get = (name: Intl.DateTimeFormatPartTypes) => part.get(name) ?? '';
  return {
    day: `${get('year')}-${get('month')}-${get('day')}`,
    time: `${get('hour')}:${get('minute')}`,
    seconds: get('second'),
  };
}

/** A clock time in its zone, with the day unless it is today there: `09:00 Asia/Tokyo`, `2026-11-24 09:00 Asia/Tokyo`. */
export function describeMoment(at: EpochMs, now: EpochMs, zone: string | null): string {
  const { day, time } = partsIn(at, zone ?? undefined);
  const today = partsIn(now, zone ?? undefined).day;
  return [...(day === today ? [] : [day]), time, ...(zone === null ? [] : [zone])].join(' ');
}

/** Day and time to the second in the zone of this machine: `2026-11-22 10:01:02`. */
export function describeStamp(iso: string): string {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return iso;
  const { day, time, seconds } = partsIn(at, undefined);
  return `${day} ${time}:${seconds}`;
}
