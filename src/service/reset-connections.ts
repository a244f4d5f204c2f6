// Resets this machine's open connections to hosts that are gone, or that are busy and have fallen silent: the runner would
// wait on them for ten minutes and more; reset, its job fails within seconds as a runner system failure, which GitLab can
// retry. Ends no lease and no machine: that stays with the planner and the runner.
// Trap: a reset fails a job, so that silence alone must be proven (host-silence.ts).
import type { Instance } from '../domain/instance.ts';
import type { Source } from '../domain/observation.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Connections } from '../ports/connections.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import { createCloser } from './close-connections.ts';
import type { CurrentConfig } from './current-config.ts';
import { createGoneHosts } from './gone-hosts.ts';
import type { Journal } from './journal.ts';
import { createSilentHosts } from './silent-hosts.ts';

/** The grain of "at once", and between two closings of one host: a look at the store costs nothing. */
const ROUND_MS: DurationMs = SECOND_MS;

type Deps = {
  store: Store;
  config: CurrentConfig;
  connections: Connections;
  clock: Clock;
  metrics: Metrics;
  journal: Journal;
  /** What EC2 showed of a site last. */
  viewOf(site: string): Source<readonly Instance[]>;
  /** Asks EC2 about a site again; the answer shows in `viewOf`. */
  askCloud(site: string): Promise<void>;
};

/** The watch over hosts that runners hold. */
export function createConnectionResets(deps: Deps): { run(signal: AbortSignal): Promise<void> } {
  const { store, clock } = deps;
  const closer = createCloser(deps);
  const gone = createGoneHosts({ store, clock, closer });
  const silent = createSilentHosts({ ...deps, closer });
  return {
    async run(signal) {
      await closer.tryOut(signal);
      while (!signal.aborted) {
        const machines = store.machines();
        const again = [...gone.look(machines, signal), ...silent.look(machines, signal)];
        void closer.closeAgain(again, signal).catch(() => undefined);
        await clock.sleep(ROUND_MS, signal);
      }
    },
  };
}
