// What runs beside the loop: lost hosts' connections, leftovers in EC2. Holds no policy of its own.
import type { LeaksReply } from '../contract/api.ts';
import type { CloudSite } from '../domain/config.ts';
import type { Instance } from '../domain/instance.ts';
import type { Source } from '../domain/observation.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Connections } from '../ports/connections.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Journal } from './journal.ts';
import { createLeftovers } from './leftovers.ts';
import { listLeaks } from './list-leaks.ts';
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
  manager: string;
};

type Watcher = { run(signal: AbortSignal): Promise<void> };

export type Housekeeping = { watchers: Watcher[]; leaks(): Promise<LeaksReply> };

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
  return { watchers: [...resets, leftovers], leaks: () => listLeaks({ ...deps, sites, failures }) };
}
