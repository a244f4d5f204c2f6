// What failed launches have closed, for people: the list, and the way to open one by hand.
// Must not plan: the planner reads the same rests by itself at its next tick.
import type { BreakerReply } from '../contract/api.ts';
import { HostlerError } from '../domain/error.ts';
import { stateOf, touchesPool } from '../planner/rest.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import { isoTime } from './replies.ts';

type BreakerDeps = { store: Store; config: CurrentConfig; clock: Clock };

/** Everything that is closed, half-open or marked now; the next try first. */
export function breakerReplies({ store, config, clock }: BreakerDeps): BreakerReply[] {
  const now = clock.now();
  const { pools } = config.get();
  return store
    .rests()
    .toSorted((a, b) => a.until - b.until || (a.key < b.key ? -1 : 1))
    .flatMap((rest): BreakerReply[] => {
      const state = stateOf(rest, now);
      if (state === 'over') return [];
      const { key, outcome, failures, since, until } = rest;
      const { scope, kind, code, message } = outcome;
      const reached = pools.filter((spec) => touchesPool(spec, rest)).map(({ id }) => id);
      const times = { since: isoTime(since), next_try: isoTime(until) };
      return [{ key, state, scope, kind, code, message, failures, ...times, pools: reached }];
    });
}

/** Opens what is closed under this key; the planner may launch there at once. Throws `not-found`. */
export function resetBreaker(
  { store, journal, nudge }: { store: Store; journal: Journal; nudge(): void },
  key: string,
): string {
  const rest = store.rests().find((known) => known.key === key);
  if (rest === undefined)
    throw new HostlerError('not-found', `nothing is closed under ${key}; "hostler breakers" lists the keys`);
  store.deleteRest(key);
  const { kind, code } = rest.outcome;
  journal({ code: 'breaker-reset', text: `${key} was opened by a person`, detail: { key, kind, code } });
  nudge();
  return `${key} is open`;
}
