// EC2's events about instances, as EventBridge would tell them: spot interruption warnings, advice to rebalance, changes
// of state. The newest are kept, so that a queue which is read for the first time holds what was told before.
import type { InstanceState, SimInstance } from './instance.ts';

export type SimEvent = {
  number: number;
  kind: 'interruption' | 'rebalance' | 'state';
  region: string;
  instanceId: string;
  at: number;
  /** Of `state`: the new one. */
  state: InstanceState | null;
};

/** Events kept; a queue that nobody reads would keep them for four days. */
const KEPT = 10_000;

export type Events = {
  tell(kind: SimEvent['kind'], region: string, instance: SimInstance): void;
  /** Those after a number, oldest first. */
  after(number: number): SimEvent[];
  /** Calls `heard` after each event. The returned function ends that. */
  onEvent(heard: () => void): () => void;
};

export function createEvents(now: () => number): Events {
  const kept: SimEvent[] = [];
  const listeners = new Set<() => void>();
  let last = 0;
  return {
    tell(kind, region, { id, state }) {
      last += 1;
      kept.push({
        number: last,
        kind,
        region,
        instanceId: id,
        at: now(),
        state: kind === 'state' ? state : null,
      });
      if (kept.length > KEPT) kept.shift();
      for (const heard of listeners) heard();
    },
    after(number) {
      const skipped = number - last + kept.length;
      return kept.slice(Math.max(0, skipped));
    },
    onEvent(heard) {
      listeners.add(heard);
      return () => listeners.delete(heard);
    },
  };
}
