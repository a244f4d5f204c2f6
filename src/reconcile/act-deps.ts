// What every executor is given. One object, so that an executor's needs are visible in its own file only.
import type { CloudSite } from '../domain/config.ts';
import type { Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Docker, DockerHost } from '../ports/docker.ts';
import type { Hosts } from '../ports/host.ts';
import type { Keys } from '../ports/keys.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Random } from '../ports/random.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from '../service/current-config.ts';
import type { Journal } from '../service/journal.ts';
import type { Resolver } from './resolver.ts';
import type { Sightings } from './sightings.ts';

export type ActDeps = {
  store: Store;
  config: CurrentConfig;
  cloud: Cloud;
  hosts: Hosts;
  docker: Docker;
  keys: Keys;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
  journal: Journal;
  sightings: Sightings;
  resolver: Resolver;
  /** uuid of the state folder. */
  manager: string;
  site(key: string): CloudSite | null;
  hostOf(machine: Machine): DockerHost | null;
  grantReady(pool: string): void;
  /** The host of a lease is no more: the lease ends and the runner's folder says so. */
  loseHost(lease: string, why: string): void;
  /** The lease that holds an adopted machine, by the runner's folders and the host's containers; null = it is free. */
  holderOf(machine: string): Promise<Lease | null>;
  nudge(): void;
  /** Long work in the background, awaited when the daemon stops. */
  track(work: Promise<void>): void;
  stop: AbortSignal;
};
