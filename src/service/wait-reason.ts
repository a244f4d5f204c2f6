// What a waiting create is told: one line for the runner's log, from what rests and what is coming.
import { isComing } from '../domain/machine.ts';
import type { Plan } from '../domain/plan.ts';
import { describeReason } from '../domain/reason.ts';
import { SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';

type WaitReasonDeps = { store: Store; clock: Clock; lastPlan(): Plan | null };

function counted(count: number, what: string): string {
  return `${count} machine${count === 1 ? '' : 's'} ${what}`;
}

/** Why this pool has no machine for a create yet, and what happens next. */
export function waitReason(deps: WaitReasonDeps, pool: string): string {
  const { store, clock } = deps;
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
  const resting = store
    .rests()
    .filter((rest) => rest.until > clock.now() && machines.length === coming.length + cleaning)
    .map(
      (rest) =>
        `${rest.outcome.code} (${rest.outcome.message}), next try in ${Math.ceil((rest.until - clock.now()) / SECOND_MS)} s`,
    );
  const [last] = resting;
  if (coming.length === 0 && last !== undefined) words.push(last);
  const held = deps
    .lastPlan()
    ?.pools.find((size) => size.pool === pool)
    ?.reasons.find((reason) => reason.code === 'limit');
  if (words.length === 0 && held !== undefined) words.push(describeReason(held));
  return words.length > 0 ? words.join('; ') : 'a machine is being asked for';
}
