// The runner's own race: with IdleCount 0 and MaxBuilds 1 a job may wait for ever for a machine that another job took,
// and no create comes for it (facts: runner lifecycle, F). hostler cannot free such a job, but it can see it: the runner
// counts more jobs than there are machines in use and creates that wait. It says so, with the cure.
// Trap: jobs come and go between two looks, so only what lasts is reported, once until it is over.
import { isBusy } from '../domain/lease.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { RunnerFigures } from '../ports/runner-figures.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';

/** The runner's figures change with jobs; every half minute is enough for something that lasts. */
const LOOK_EVERY_MS: DurationMs = 30 * SECOND_MS;
/** A job without a machine for this long is not on its way any more: a create starts within milliseconds of the claim. */
export const STUCK_AFTER_MS: DurationMs = 2 * MINUTE_MS;
const ANSWER_LIMIT_MS: DurationMs = 5 * SECOND_MS;

type Deps = { store: Store; config: CurrentConfig; figures: RunnerFigures; clock: Clock; journal: Journal };

export type StuckJobs = {
  look(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
};

/** The watch over jobs that have no machine. */
export function createStuckJobs({ store, config, figures, clock, journal }: Deps): StuckJobs {
  const since = new Map<string, DurationMs>();
  const said = new Set<string>();

  /** Jobs of this pool that have a machine, or a create that waits for one. */
  function served(pool: string): number {
    return store
      .leases()
      .filter((lease) => lease.pool === pool && (lease.state !== 'held' || isBusy(lease, clock.now())))
      .length;
  }

  function report(pool: string, jobs: number, have: number): void {
    const text =
      `${jobs - have} jobs of the runner have neither a machine nor a create that waits for one: its own race with ` +
      'IdleCount 0 and MaxBuilds 1. They end by a restart, or by IdleCount 1 for a moment; MaxBuilds 10 or IdleCount 1 avoids it';
    journal({ code: 'runner-race', pool, level: 'warn', text, detail: { jobs, served: have } });
  }

  async function look(): Promise<void> {
    const { settings, pools } = config.get();
    if (settings.runnerMetrics === null) return;
    let counts: ReadonlyMap<string, number>;
    try {
      counts = await figures.jobs(settings.runnerMetrics, clock.timeout(ANSWER_LIMIT_MS));
    } catch {
      // Without figures nothing can be said; the runner may be restarting.
      since.clear();
      return;
    }
    for (const { id, namePrefixes } of pools) {
      const labels = [...counts.keys()].filter((label) =>
        namePrefixes.some((prefix) => prefix.startsWith(`runner-${label.toLowerCase()}-`)),
      );
      const jobs = labels.reduce((sum, label) => sum + (counts.get(label) ?? 0), 0);
      const have = served(id);
      if (jobs <= have) {
        since.delete(id);
        said.delete(id);
        continue;
      }
      const now = clock.monotonic();
      const first = since.get(id) ?? now;
      since.set(id, first);
      if (now - first < STUCK_AFTER_MS || said.has(id)) continue;
      said.add(id);
      report(id, jobs, have);
    }
  }

  return {
    look,
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        if (!signal.aborted) await look();
      }
    },
  };
}
