// What GitLab's headers say of its limits: RateLimit-* on every answer where a throttle is on, Retry-After on refusals.
// Trap: application limits (600 a minute for a project's jobs) are not in these headers, so a refusal may come while much
// seems to be left. Times are GitLab's own, so they are read against its Date.
import type { EpochMs } from '../../domain/units.ts';
import { SECOND_MS } from '../../domain/units.ts';

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export type RateSaid = { limit: number | null; remaining: number | null; retryAt: EpochMs | null };

/** The first value of a header, or null. */
export function header(headers: Headers, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function count(headers: Headers, name: string): number | null {
  const said = header(headers, name);
  return said !== null && /^\d{1,9}$/.test(said.trim()) ? Number(said) : null;
}

function moment(said: string | null): EpochMs | null {
  if (said === null) return null;
  const at = Date.parse(said);
  return Number.isNaN(at) ? null : at;
}

/** GitLab's clock minus ours, by its Date; 0 without one. The header has whole seconds, so less than one says nothing. */
export function clockSkew(headers: Headers, now: EpochMs): number {
  const at = moment(header(headers, 'date'));
  if (at === null) return 0;
  const skew = at - now;
  return Math.abs(skew) <= 2 * SECOND_MS ? 0 : skew;
}

/** When to come back: RateLimit-ResetTime, else RateLimit-Reset, else Retry-After. */
function retryAt(headers: Headers, now: EpochMs): EpochMs | null {
  const skew = clockSkew(headers, now);
  const reset = moment(header(headers, 'ratelimit-resettime'));
  if (reset !== null) return reset - skew;
  const seconds = header(headers, 'ratelimit-reset');
  if (seconds !== null && /^\d{9,11}$/.test(seconds)) return Number(seconds) * SECOND_MS - skew;
  const after = header(headers, 'retry-after');
  if (after === null) return null;
  if (/^\d{1,6}$/.test(after.trim())) return now + Number(after) * SECOND_MS;
  const at = moment(after);
  return at === null ? null : at - skew;
}

/** `refused`: only a refusal says when to come back; the others' reset is the window's end. */
export function rateSaid(headers: Headers, now: EpochMs, refused: boolean): RateSaid {
  return {
    limit: count(headers, 'ratelimit-limit'),
    remaining: count(headers, 'ratelimit-remaining'),
    retryAt: refused ? retryAt(headers, now) : null,
  };
}
