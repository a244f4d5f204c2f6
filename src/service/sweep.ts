// What is looked at once a second: time limits of leases, what the store has to write, whether it can.
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import type { Leases } from './leases.ts';
import { createStateWatch } from './state-watch.ts';

/** Time limits and signs of life have a grain of seconds. */
const SWEEP_EVERY_MS: DurationMs = SECOND_MS;

type Deps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  metrics: Metrics;
  journal: Journal;
  leases: Leases;
  nudge(): void;
};

/** The sweep of one daemon. */
export function createSweep(deps: Deps): { run(signal: AbortSignal): Promise<void> } {
  const { store, config, clock, leases } = deps;
  const goOn = () => {
    for (const { id } of config.get().pools) leases.grantReady(id);
    deps.nudge();
  };
  const stateWatch = createStateWatch({ ...deps, goOn });
  return {
    async run(signal) {
      while (!signal.aborted) {
        leases.sweep();
        store.flush();
        stateWatch.look();
        await clock.sleep(SWEEP_EVERY_MS, signal);
      }
    },
  };
}
