// What EC2 showed last, by site, refreshed behind the loop's back: a slow listing never holds up a launch.
// A full sweep every minute, and while instances are in transition a look at just those every 5 s (design §6).
// Trap: a failed listing keeps the last good view and says so; it is never read as "no instances".
import type { CloudSite } from '../domain/config.ts';
import { messageOf } from '../domain/error.ts';
import type { Instance } from '../domain/instance.ts';
import type { Machine } from '../domain/machine.ts';
import type { Source } from '../domain/observation.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';

/** Full sweep: EC2 shows terminated instances for about an hour, so nothing can be missed in between. */
export const SWEEP_EVERY_MS: DurationMs = MINUTE_MS;
/** Instances change state within seconds after a launch or termination; faster looks would only cost calls. */
export const TRANSIT_EVERY_MS: DurationMs = 5 * SECOND_MS;
/** After this age without a good listing a view counts as stale: one sweep missed and the next one late. */
const STALE_AFTER_MS: DurationMs = 150 * SECOND_MS;
/** Longest time for one listing, all pages. */
const LIST_LIMIT_MS: DurationMs = 40 * SECOND_MS;
/** Values an EC2 filter takes at most. */
const TOKENS_A_LOOK = 200;

/** All times are monotonic: a clock that is set makes no view older or younger. */
type View = {
  byId: Map<string, Instance>;
  /** The last good listing; null = none yet. */
  at: DurationMs | null;
  why: string | null;
  triedAt: DurationMs;
  lookedAt: DurationMs;
};

export type Sightings = {
  view(site: string): Source<readonly Instance[]>;
  /** Starts what is due; calls `changed` when an answer came. */
  refresh(sites: readonly CloudSite[], machines: readonly Machine[]): void;
  /** A full sweep of every site now, awaited. Throws what the listing throws. */
  sweep(site: CloudSite): Promise<readonly Instance[]>;
  /** Adds what a launch answer showed, so that the view never lags behind our own knowledge. */
  add(site: string, instances: readonly Instance[]): void;
};

/** Whether EC2's next word on this machine is awaited. */
function isInTransit(machine: Machine): boolean {
  if (machine.phase === 'terminating') return machine.instance !== null;
  return machine.phase === 'requested' || (machine.phase === 'booting' && machine.address === null);
}

/** Runs each kind of work once at a time; failures are the view's, not the caller's. */
function createStarter(ended: () => void): (key: string, work: () => Promise<unknown>) => void {
  const underWay = new Set<string>();
  return (key, work) => {
    if (underWay.has(key)) return;
    underWay.add(key);
    void work()
      .catch(() => undefined)
      .finally(() => {
        underWay.delete(key);
        ended();
      });
  };
}

/** Views of all sites, empty at first. */
export function createSightings(
  deps: { cloud: Cloud; clock: Clock; owner(): string; changed(): void },
  stop: AbortSignal,
): Sightings {
  const { cloud, clock } = deps;
  const views = new Map<string, View>();
  const start = createStarter(() => {
    if (!stop.aborted) deps.changed();
  });
  const viewOf = (site: string): View => {
    const known = views.get(site);
    if (known !== undefined) return known;
    const fresh: View = {
      byId: new Map(),
      at: null,
      why: 'not listed yet',
      triedAt: Number.NEGATIVE_INFINITY,
      lookedAt: Number.NEGATIVE_INFINITY,
    };
    views.set(site, fresh);
    return fresh;
  };

  async function sweep(site: CloudSite): Promise<readonly Instance[]> {
    const view = viewOf(site.key);
    view.triedAt = clock.monotonic();
    const begun = clock.now();
    try {
      const instances = await cloud.list(site, deps.owner(), clock.timeout(LIST_LIMIT_MS, stop));
      // What a launch answered after the listing began is kept: the listing cannot have seen it.
      const young = [...view.byId.values()].filter((instance) => instance.launchedAt >= begun - SECOND_MS);
      view.byId = new Map([...young, ...instances].map((instance) => [instance.id, instance]));
      view.at = clock.monotonic();
      view.why = null;
      return instances;
    } catch (error) {
      view.why = messageOf(error);
      throw error;
    }
  }

  async function look(site: CloudSite, tokens: readonly string[]): Promise<void> {
    const view = viewOf(site.key);
    view.lookedAt = clock.monotonic();
    for (let at = 0; at < tokens.length; at += TOKENS_A_LOOK) {
      const part = tokens.slice(at, at + TOKENS_A_LOOK);
      for (const instance of await cloud.listLaunches(site, part, clock.timeout(LIST_LIMIT_MS, stop))) {
        view.byId.set(instance.id, instance);
      }
    }
  }

  return {
    sweep,
    view(site) {
      const view = viewOf(site);
      if (view.at === null) return { kind: 'failed', why: view.why ?? 'not listed yet' };
      const value = [...view.byId.values()];
      const ageMs = clock.monotonic() - view.at;
      const at = Math.round(clock.now() - ageMs);
      if (view.why === null && ageMs <= STALE_AFTER_MS) return { kind: 'fresh', value, at };
      return { kind: 'stale', value, at, why: view.why ?? 'the last listing is too old' };
    },
    refresh(sites, machines) {
      const now = clock.monotonic();
      for (const site of sites) {
        const view = viewOf(site.key);
        if (now - view.triedAt >= SWEEP_EVERY_MS) start(`sweep ${site.key}`, () => sweep(site));
        else if (now - Math.max(view.lookedAt, view.at ?? Number.NEGATIVE_INFINITY) >= TRANSIT_EVERY_MS) {
          const moving = machines.filter((machine) => machine.site === site.key && isInTransit(machine));
          const tokens = [...new Set(moving.map((machine) => machine.launch))];
          if (tokens.length > 0) start(`look ${site.key}`, () => look(site, tokens));
        }
      }
    },
    add(site, instances) {
      const view = viewOf(site);
      for (const instance of instances) view.byId.set(instance.id, instance);
    },
  };
}
