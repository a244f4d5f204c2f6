// Puts together everything one tick sees. Nothing here waits: slow sources are refreshed behind the loop.
import type { CloudSite } from '../domain/config.ts';
import type { CallBudget, Observation, PoolView } from '../domain/observation.ts';
import type { QueueView } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from '../service/current-config.ts';
import type { Journal } from '../service/journal.ts';
import { freshMemory } from '../service/pool-memory.ts';
import type { PriceBook } from '../service/price-book.ts';
import type { WaitingLine } from '../service/waiting-line.ts';
import { createJumpWatch, moveTimes } from './clock-jump.ts';
import type { Resolver } from './resolver.ts';
import type { Sightings } from './sightings.ts';
import type { StrayRequests } from './stray-requests.ts';

/** Before the first boot was seen: a plain Ubuntu with Docker installed at boot takes about that (facts: boot times). */
const FIRST_BOOT_GUESS_MS: DurationMs = 90 * SECOND_MS;
const P90 = 0.9;

type ObserveDeps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  cloud: Cloud;
  sightings: Sightings;
  resolver: Resolver;
  prices: PriceBook;
  manager: string;
  line: WaitingLine;
  journal: Journal;
  /** A machine that is called ready, but nobody has looked since the start: neither to be ended nor counted on. */
  isOpen(machine: string): boolean;
  strays: StrayRequests;
  /** The job queue now; absent: nobody looks at one. */
  queueView?: (now: EpochMs) => QueueView;
};

/** 90th percentile of the boots seen, or a guess before the first. */
export function bootP90(boots: readonly DurationMs[]): DurationMs {
  if (boots.length === 0) return FIRST_BOOT_GUESS_MS;
  const sorted = boots.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(P90 * sorted.length))] ?? FIRST_BOOT_GUESS_MS;
}

export type Observer = {
  observe(orphansSeen: ReadonlyMap<string, EpochMs>): Observation;
  /** A site that some configuration of this process named, also one that a reload dropped. */
  site(key: string): CloudSite | null;
  sites(): CloudSite[];
};

/** The observer of one daemon. */
export function createObserver(deps: ObserveDeps): Observer {
  const { store, config, clock, cloud, sightings, resolver } = deps;
  const sites = new Map<string, CloudSite>();
  const jumps = createJumpWatch(clock);
  const knownSites = () => {
    for (const pool of config.get().pools) sites.set(pool.launch.site.key, pool.launch.site);
    return [...sites.values()];
  };

  /** The clock was set: stored moments move along, before anybody judges them. */
  function goAlong(by: DurationMs): void {
    moveTimes(store, by);
    deps.line.move(by);
    const seconds = Math.round(by / SECOND_MS);
    deps.journal({ code: 'clock-jumped', level: 'warn', detail: { by_s: seconds } });
  }

  function observe(orphansSeen: ReadonlyMap<string, EpochMs>): Observation {
    const current = config.get();
    const jump = jumps.look(current);
    if (jump !== 0) goAlong(jump);
    const machines = store
      .machines()
      .filter((machine) => machine.phase !== 'gone')
      .map((machine) => (deps.isOpen(machine.id) ? { ...machine, cleaning: true } : machine));
    const inUse = knownSites();
    sightings.refresh(inUse, machines);
    resolver.refresh(current.pools);
    const pools: PoolView[] = current.pools.map((spec) => ({
      spec,
      memory: store.memory(spec.id) ?? freshMemory(spec.id),
      bootP90Ms: bootP90(store.boots(spec.id)),
    }));
    const launches = store.launches();
    const bound = deps.prices.bound(machines);
    const costs = bound === null ? {} : { costs: bound };
    return {
      now: clock.now(),
      pools,
      concurrent: current.concurrent,
      maxMachines: current.settings.maxMachines,
      owner: current.settings.owner,
      manager: deps.manager,
      takeover: current.settings.takeover,
      machines,
      leases: store.leases(),
      launches: launches.filter((launch) => launch.state === 'intended'),
      failedLaunches: launches
        .filter((launch) => launch.state === 'refused')
        .map(({ pool, at }) => ({ pool, at })),
      rests: store.rests(),
      instances: new Map(inUse.map((site) => [site.key, sightings.view(site.key)])),
      strayRequests: new Map(inUse.map((site) => [site.key, deps.strays.view(site.key)])),
      budgets: new Map<string, CallBudget>(inUse.map((site) => [site.key, cloud.budget(site)])),
      // First looks have their times of before: two must be a minute apart in truth.
      orphansSeen: jump === 0 ? orphansSeen : new Map(),
      frozenUntil: jumps.frozenUntil(),
      stateTrouble: store.trouble(),
      places: new Map(current.pools.map((spec) => [spec.id, resolver.places(spec)])),
      currentSpecs: new Map(current.pools.map((spec) => [spec.id, resolver.hash(spec)])),
      ...costs,
      ...(deps.queueView !== undefined && { queue: deps.queueView(clock.now()) }),
    };
  }

  return { observe, sites: knownSites, site: (key) => (knownSites(), sites.get(key) ?? null) };
}
