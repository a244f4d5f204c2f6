// What a waiting create is told: one line for the runner's log, from what is coming, what rests and what holds back.
// Must not name another pool's trouble.
import { isComing } from '../domain/machine.ts';
import type { Plan } from '../domain/plan.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { describeReason } from '../domain/reason.ts';
import { SECOND_MS } from '../domain/units.ts';
import { offeringOf } from '../planner/draft.ts';
import { closingRest, restKeysFor } from '../planner/rest.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';

type WaitReasonDeps = { store: Store; config: CurrentConfig; clock: Clock; lastPlan(): Plan | null };

/** What keeps a pool from launching, in the plan's words. */
const holding: ReadonlySet<ReasonCode> = new Set([
  'limit',
  'max-machines',
  'max-coming',
  'concurrent',
  'ec2-budget',
]);

function counted(count: number, what: string): string {
  return `${count} machine${count === 1 ? '' : 's'} ${what}`;
}

/** EC2's last word on this pool's launches while they rest. */
function restOf({ store, config, clock }: WaitReasonDeps, pool: string): string | null {
  const spec = config.pool(pool);
  if (spec === null) return null;
  const now = clock.now();
  const closed = closingRest(
    store.rests(),
    restKeysFor(spec.launch.site.key, pool, offeringOf(spec)),
    now,
    true,
  );
  if (closed === null) return null;
  const { code, message } = closed.rest.outcome;
  return `${code} (${message}), next try in ${Math.ceil((closed.until - now) / SECOND_MS)} s`;
}

/** Why this pool has no machine for a create yet, and what happens next. */
export function waitReason(deps: WaitReasonDeps, pool: string): string {
  const { store, clock } = deps;
  const trouble = store.trouble();
  if (trouble !== null) return trouble;
  const memory = store.memory(pool);
  if (memory?.paused === true) return `the pool is paused; hostler resume ${pool}`;
  const machines = store.machines().filter((machine) => machine.pool === pool);
  const coming = machines.filter(isComing);
  const cleaning = machines.filter((machine) => machine.cleaning).length;
  const words: string[] = [];
  if (coming.length > 0) {
    const oldest = Math.max(...coming.map((machine) => clock.now() - machine.createdAt));
    words.push(`${counted(coming.length, 'coming')}, the first since ${Math.round(oldest / SECOND_MS)} s`);
  }
  if (cleaning > 0) words.push(counted(cleaning, 'being cleaned'));
  const resting = restOf(deps, pool);
  if (resting !== null) words.push(resting);
  const held = deps
    .lastPlan()
    ?.pools.find((size) => size.pool === pool)
    ?.reasons.find((reason) => holding.has(reason.code));
  if (held !== undefined) words.push(describeReason(held));
  return words.length > 0 ? words.join('; ') : 'a machine is being asked for';
}
