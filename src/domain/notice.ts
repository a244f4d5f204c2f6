// What EC2 says of an instance that is about to leave or has left, whichever way it was heard: from its spot request,
// from a queue of events, or from a listing.
// Trap: notices come late, twice, or not at all; each must be harmless to hear again.
import type { Instance, InstanceState } from './instance.ts';
import type { EpochMs } from './units.ts';

/**
 * `interruption`: EC2 takes the instance back, within two minutes. `rebalance`: it advises to move on, no time is set.
 * `state`: the instance changed its state (`code`).
 */
export type NoticeKind = 'interruption' | 'rebalance' | 'state';

export type Notice = {
  instance: string;
  kind: NoticeKind;
  /** When EC2 said so; 0 = unknown. */
  at: EpochMs;
  /** When the instance ends at the latest; null = no time is set. */
  deadline: EpochMs | null;
  source: 'spot-requests' | 'queue' | 'listing';
  /** EC2's own word: a status code, an action (`terminate`), a state name, an event's code. */
  code: string;
};

const leaving: ReadonlySet<InstanceState> = new Set(['shutting-down', 'stopping', 'stopped', 'terminated']);

/** Instances that were alive in the listing before and are on their way out, or gone, in this one. */
export function noticesOfListing(
  before: ReadonlyMap<string, Instance>,
  now: readonly Instance[],
  at: EpochMs,
): Notice[] {
  return now.flatMap((instance): Notice[] => {
    const was = before.get(instance.id);
    if (was === undefined || leaving.has(was.state) || !leaving.has(instance.state)) return [];
    const notice = { instance: instance.id, kind: 'state', at, deadline: null, source: 'listing' } as const;
    return [{ ...notice, code: instance.state }];
  });
}
