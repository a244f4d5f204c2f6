// Puts together everything one tick sees. Nothing here waits: slow sources are refreshed behind the loop.
import type { CloudSite, Config } from '../domain/config.ts';
import type { CallBudget, Observation, PoolView } from '../domain/observation.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from '../service/current-config.ts';
import { freshMemory } from '../service/pool-memory.ts';
import type { Resolver } from './resolver.ts';
import type { Sightings } from './sightings.ts';

/** Before the first boot was seen: a plain Ubuntu with Docker installed at boot takes about that (facts: boot times). */
const FIRST_BOOT_GUESS_MS: DurationMs = 90 * SECOND_MS;
/** Wall and monotonic clock may differ by this much between ticks; more is a jump (design §5). */
const JUMP_MS: DurationMs = 5 * MINUTE_MS;
const P90 = 0.9;

type ObserveDeps = {
  store: Store;
  config: CurrentConfig;
  clock: Clock;
  cloud: Cloud;
  sightings: Sightings;
  resolver: Resolver;
  manager: string;
  /** A machine that is called ready, but nobody has looked since the start: neither to be ended nor counted on. */
  isOpen(machine: string): boolean;
};

/** 90th percentile of the boots seen, or a guess before the first. */
export function bootP90(boots: readonly DurationMs[]): DurationMs {
  if (boots.length === 0) return FIRST_BOOT_GUESS_MS;
  const sorted = boots.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(P90 * sorted.length))] ?? FIRST_BOOT_GUESS_MS;
}

/** Retirements freeze for one IdleTime after the wall clock jumped. */
function createJumpWatch(clock: Clock): (config: Config) => EpochMs {
  let wall = clock.now();
  let steady = clock.monotonic();
  let frozenUntil: EpochMs = 0;
  return (config) => {
    const now = clock.now();
    const monotonic = clock.monotonic();
    if (Math.abs(now - wall - (monotonic - steady)) > JUMP_MS) {
      const idleTimes = config.pools.map((pool) => pool.ownSchedule.base.idleTimeMs);
      frozenUntil = now + Math.max(0, ...idleTimes);
    }
    wall = now;
    steady = monotonic;
    return frozenUntil;
  };
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
  const jumped = createJumpWatch(clock);
  const knownSites = () => {
    for (const pool of config.get().pools) sites.set(pool.launch.site.key, pool.launch.site);
    return [...sites.values()];
  };

  function observe(orphansSeen: ReadonlyMap<string, EpochMs>): Observation {
    const current = config.get();
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
      launches: store.launches().filter((launch) => launch.state === 'intended'),
      rests: store.rests(),
      instances: new Map(inUse.map((site) => [site.key, sightings.view(site.key)])),
      budgets: new Map<string, CallBudget>(inUse.map((site) => [site.key, cloud.budget(site)])),
      orphansSeen,
      frozenUntil: jumped(current),
      stateTrouble: store.trouble(),
      currentSpecs: new Map(current.pools.map((spec) => [spec.id, resolver.hash(spec)])),
    };
  }

  return { observe, sites: knownSites, site: (key) => (knownSites(), sites.get(key) ?? null) };
}
