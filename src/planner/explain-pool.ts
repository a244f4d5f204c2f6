// What a pool's tick looks like to people: the numbers of design §5 and why they came out so. Never without a reason.
// Trap: `demand` and its like mean "launched for it" here; a pool that has all it wants says `enough`.

import { SPOT_REQUEST_VALID_MS } from '../domain/build-request.ts';
import type { PoolSize } from '../domain/plan.ts';
import { type Reason, type ReasonCode, reasonTexts } from '../domain/reason.ts';
import { SECOND_MS } from '../domain/units.ts';
import { type Draft, note } from './draft.ts';
import { concurrentNow } from './pending-jobs.ts';
import type { Sizing } from './size.ts';

const order = new Map(Object.keys(reasonTexts).map((code, index) => [code, index]));

function place(code: ReasonCode): number {
  return order.get(code) ?? 0;
}

/** A queue that should be seen and is not: what it called for is held. */
function noteQueue(draft: Draft, { pool, heldJobs }: Sizing): void {
  const queue = draft.seen.queue?.pools.get(pool.spec.id);
  if (queue === undefined || queue.state === 'off' || (queue.state === 'fresh' && heldJobs === 0)) return;
  const age = queue.at === null ? null : Math.round((draft.now - queue.at) / SECOND_MS);
  note(pool, 'queue-stale', { held: heldJobs, age_s: age, why: queue.why });
}

/** Requests that EC2 holds open: who waits for their machines must know on what. */
function noteRequests(draft: Draft, { pool }: Sizing): void {
  const open = draft.seen.launches.filter(
    (launch) => launch.pool === pool.spec.id && (launch.requests?.length ?? 0) > 0,
  );
  const [oldest] = open.toSorted((a, b) => a.at - b.at);
  if (oldest === undefined) return;
  const { validUntil } = oldest.request;
  note(pool, 'requests-open', {
    machines: open.reduce((sum, { count }) => sum + count, 0),
    status: oldest.requestStatus ?? 'not looked at yet',
    open_s: Math.round((draft.now - oldest.at) / SECOND_MS),
    ...(validUntil !== undefined && {
      // `validUntil` is of EC2's clock.
      ends_in_s: Math.max(0, Math.round((oldest.at + SPOT_REQUEST_VALID_MS - draft.now) / SECOND_MS)),
    }),
  });
}

/** What is true of the pool whether or not anything was held back by it. */
function noteState(draft: Draft, sizing: Sizing): void {
  const { pool, cut, missing, counts, unbounded, wanted } = sizing;
  const { limit } = pool.spec;
  const isBounded = limit > 0 && unbounded > limit && wanted === limit;
  if (isBounded) note(pool, 'limit', { limit, beyond_limit: unbounded - limit });
  if (pool.memory.paused) note(pool, 'paused');
  if (pool.memory.draining) note(pool, 'draining-pool');
  if (cut > 0) note(pool, 'concurrent', { held_back: cut, concurrent: concurrentNow(draft) });
  const source = draft.seen.instances.get(pool.spec.launch.site.key);
  if (source?.kind !== 'fresh') note(pool, 'stale-instances', { why: source?.why ?? 'not listed' });
  noteQueue(draft, sizing);
  noteRequests(draft, sizing);
  if (missing === 0 && !isBounded) note(pool, 'enough', { have: counts.supply });
}

/** The pool's numbers, as they stood before this tick's launches, with every reason noted on the way. */
export function explainPool(draft: Draft, sizing: Sizing): PoolSize {
  noteState(draft, sizing);
  const { pool, counts, idle } = sizing;
  const reasons: Reason[] = [...pool.notes]
    .toSorted(([a], [b]) => place(a) - place(b))
    .map(([code, detail]) => ({ code, pool: pool.spec.id, detail }));
  return {
    pool: pool.spec.id,
    period: idle.period,
    busy: counts.busy,
    held: counts.held,
    ready: counts.ready,
    coming: counts.coming,
    leaving: counts.leaving,
    waiting: sizing.waiting,
    pending: sizing.pending,
    wantIdle: sizing.wantIdle,
    runnerIdle: idle.runner,
    fill: sizing.fill,
    demand: sizing.demand,
    wanted: sizing.wanted,
    missing: sizing.missing,
    beyond: sizing.beyond,
    reasons,
    nextChangeAt: idle.nextChangeAt,
    bootMs: pool.bootP90Ms,
  };
}
