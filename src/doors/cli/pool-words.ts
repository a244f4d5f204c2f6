// Words about pools that several verbs share: what a pool wants, what comes next, what rests after failures.
import type { PoolReply } from '../../contract/api.ts';
import { describeDuration, describeMoment } from './human-time.ts';
import { plain } from './paint.ts';

/** `09:00 Asia/Tokyo`, or null when the schedule has no change. */
export function describeNextChange(pool: PoolReply, now: number): string | null {
  return pool.next_change === null
    ? null
    : describeMoment(Date.parse(pool.next_change), now, pool.timezone ?? null);
}

/** `pool build wants 0 idle until 09:00 Asia/Tokyo`; says also when a person holds it. */
export function describeWish(pool: PoolReply, now: number): string {
  const next = describeNextChange(pool, now);
  const idle = pool.size?.wantIdle ?? pool.idle_count;
  const wish = `pool ${plain(pool.id)} wants ${idle} idle${next === null ? '' : ` until ${next}`}`;
  if (pool.draining) return `${wish}, but it is being drained`;
  return pool.paused ? `${wish}, but it is paused` : wish;
}

type Rest = PoolReply['rests'][number];

/** Closes something; a daemon of one version before does not tell, and had no marks here. */
function isClosed({ state }: Partial<Rest>): boolean {
  return state !== 'marked';
}

/** One line for each offering, market or account that rests, or that is marked. */
export function describeRests(pool: PoolReply, now: number): string[] {
  return pool.rests.map((rest) => {
    const until = Date.parse(rest.until);
    const when = `until ${describeMoment(until, now, pool.timezone ?? null)} (in ${describeDuration(until - now)})`;
    if (!isClosed(rest))
      return plain(`${rest.what} is the last choice ${when}: ${rest.message} (${rest.code})`);
    const tries = rest.failures === 1 ? '1 failure' : `${rest.failures} failures`;
    return plain(`${rest.what} rests ${when} after ${tries}: ${rest.code}: ${rest.message}`);
  });
}

/** One word for tables: running, paused, draining, resting. */
export function stateOf(pool: PoolReply): 'ok' | 'paused' | 'draining' | 'resting' {
  if (pool.draining) return 'draining';
  if (pool.paused) return 'paused';
  return pool.rests.some(isClosed) ? 'resting' : 'ok';
}
