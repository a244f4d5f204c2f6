// What runs beside the loop: lost hosts' connections, leftovers in EC2, prices and costs. Holds no policy of its own.
import type { CostReply, LeaksReply } from '../contract/api.ts';
import type { CloudSite } from '../domain/config.ts';
import type { CostGroup } from '../domain/cost.ts';
import type { Instance } from '../domain/instance.ts';
import type { Source } from '../domain/observation.ts';
import { type DurationMs, type EpochMs, HOUR_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Connections } from '../ports/connections.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import { createCostLedger } from './cost-ledger.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import { createLeftovers } from './leftovers.ts';
import { listLeaks } from './list-leaks.ts';
import type { PriceBook } from './price-book.ts';
import { createConnectionResets } from './reset-connections.ts';

type Deps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  metrics: Metrics;
  journal: Journal;
  /** Absent: connections of this machine are left alone. */
  connections?: Connections;
  sightings: {
    view(site: string): Source<readonly Instance[]>;
    sweep(site: CloudSite): Promise<unknown>;
  };
  observer: { site(key: string): CloudSite | null; sites(): CloudSite[] };
  cloud: Cloud;
  prices: PriceBook;
  manager: string;
};

const WEEK_MS: DurationMs = 7 * 24 * HOUR_MS;

type Watcher = { run(signal: AbortSignal): Promise<void> };

export type Housekeeping = { watchers: Watcher[]; leaks(): Promise<LeaksReply>; cost: CostOf };

/** `since` null = a week ago. */
type CostOf = (by: CostGroup, since: EpochMs | null) => CostReply;

/** All of it. */
export function createHousekeeping(deps: Deps): Housekeeping {
  const { connections, sightings, observer } = deps;
  const askCloud = async (key: string) => {
    const site = observer.site(key);
    if (site !== null) await sightings.sweep(site);
  };
  const viewOf = (site: string) => sightings.view(site);
  const resets =
    connections === undefined ? [] : [createConnectionResets({ ...deps, connections, viewOf, askCloud })];
  const sites = () => observer.sites();
  const leftovers = createLeftovers({ ...deps, sites });
  const failures = () => leftovers.failures();
  const ledger = createCostLedger(deps);
  return {
    watchers: [...resets, leftovers, deps.prices, ledger],
    leaks: () => listLeaks({ ...deps, sites, failures }),
    cost: (by, since) => ledger.report(by, since ?? deps.clock.now() - WEEK_MS),
  };
}
