// What a waiting create is told: one line for the runner's log, from what is coming, what rests and what holds back.
// Must not name another pool's trouble.
import { isComing } from '../domain/machine.ts';
import type { Plan } from '../domain/plan.ts';
import type { ReasonCode } from '../domain/reason.ts';
import { describeReason } from '../domain/reason.ts';
import { SECOND_MS } from '../domain/units.ts';
import { closedFor } from '../planner/rest.ts';
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
  'failed-launches',
  'open-requests',
  'requests-open',
  'requests-unseen',
]);

function counted(count: number, what: string): string {
  return `${count} machine${count === 1 ? '' : 's'} ${what}`;
}

/** EC2's last word on this pool's launches while they rest; of several places, of the one that is tried first. */
function restOf({ store, config, clock, lastPlan }: WaitReasonDeps, pool: string): string | null {
  const spec = config.pool(pool);
  if (spec === null) return null;
  const now = clock.now();
  const closed = closedFor(spec, store.rests(), now);
  const { needs, instanceTypes, subnetIds, markets } = spec.launch;
  const isOne = needs === null && instanceTypes.length === 1 && subnetIds.length <= 1 && markets.length === 1;
  const size = lastPlan()?.pools.find((each) => each.pool === pool);
  // With a choice, what one place refused says nothing while another is free.
  const isShut = isOne || size?.reasons.some(({ code }) => code === 'offering-closed') === true;
  const told = isOne ? closed.at(-1) : closed[0];
  if (told === undefined || !isShut) return null;
  const { code, message } = told.rest.outcome;
  return `${code} (${message}), next try in ${Math.ceil((told.until - now) / SECOND_MS)} s`;
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
