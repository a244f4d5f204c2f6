// Tells when the store stops to take writes and when it takes them again: event, log, gauge, once each time.
// When it goes on, what waited meanwhile is taken up at once.
// Must not write anything itself but the events.
import { isComing } from '../domain/machine.ts';
import { type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { Journal } from './journal.ts';

type Deps = {
  store: Store;
  clock: Clock;
  journal: Journal;
  metrics: Metrics;
  /** The store takes writes again. */
  goOn(): void;
};

/** The watch; `look` once a second, after the store's flush. */
export function createStateWatch(deps: Deps): { look(): void } {
  const { store, clock, journal, metrics } = deps;
  let since: EpochMs | null = null;

  /** Hosts that booted meanwhile waited for us: their time to boot begins when they can be provisioned. */
  function giveTime(now: EpochMs): void {
    for (const machine of store.machines())
      if (isComing(machine) && machine.phase !== 'requested') store.putMachine({ ...machine, since: now });
  }

  return {
    look() {
      const trouble = store.trouble();
      const now = clock.now();
      if (trouble !== null && since === null) {
        since = now;
        metrics.stateWritable(false);
        journal({ code: 'state-unwritable', level: 'error', text: trouble });
      } else if (trouble === null && since !== null) {
        metrics.stateWritable(true);
        journal({ code: 'state-writable', detail: { after_s: Math.round((now - since) / SECOND_MS) } });
        since = null;
        giveTime(now);
        deps.goOn();
      }
    },
  };
}
