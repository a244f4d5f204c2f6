// Prices of what stands and of what pools may launch, looked up behind the loop and kept; what running costs, and what
// `max_cost_per_hour` leaves. Trap: what is not known is null; a failed look-up keeps the last prices.
import type { PoolSpec } from '../domain/config.ts';
import type { CostBound } from '../domain/cost.ts';
import { type Offering, offeringKey } from '../domain/instance.ts';
import type { Machine } from '../domain/machine.ts';
import type { Place } from '../domain/offering.ts';
import type { Price } from '../domain/price.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cloud } from '../ports/cloud.ts';
import type { Store } from '../ports/store.ts';
import type { CurrentConfig } from './current-config.ts';

/** What nobody has asked about yet is looked up within this. */
const LOOK_MS: DurationMs = 5 * SECOND_MS;
/** The cloud port remembers prices for minutes itself. */
const REFRESH_MS: DurationMs = 5 * MINUTE_MS;
const CALL_LIMIT_MS: DurationMs = 30 * SECOND_MS;

type Deps = {
  store: Store;
  config: CurrentConfig;
  cloud: Cloud;
  clock: Clock;
  placesOf(pool: PoolSpec): readonly Place[] | null;
  /** Prices have come: a plan may wait for them. */
  nudge(): void;
};

export type PriceBook = {
  run(signal: AbortSignal): Promise<void>;
  priceOf(site: string, offering: Offering): Price | null;
  /** null: no bound is configured. */
  bound(machines: readonly Machine[]): CostBound | null;
};

/** EC2 bills from the start of an instance to its accepted end. */
export function isBilled({ instance, phase, endAccepted }: Machine): boolean {
  return phase !== 'gone' && instance !== null && !(phase === 'terminating' && endAccepted);
}

/** Counts against the bound: also what is still asked for. */
function isBound(machine: Machine): boolean {
  return isBilled(machine) || machine.phase === 'requested';
}

function candidates({ launch }: PoolSpec, places: readonly Place[] | null): Offering[] {
  // Types by need have no name before their places are looked up.
  if (places === null && launch.needs !== null) return [];
  if (places !== null) return places.map(({ type, zone, market }) => ({ type, zone, market }));
  return launch.markets.map((market) => ({ type: launch.instanceType, zone: launch.zone, market }));
}

/** What is paid, and what it is measured against. Spot prices of what runs on demand are nobody's question. */
function comparedOf(offering: Offering): Offering[] {
  return [offering, { ...offering, market: 'on-demand' }];
}

/** The prices of one daemon. */
export function createPriceBook(deps: Deps): PriceBook {
  const { store, config, cloud, clock } = deps;
  const known = new Map<string, Price | null>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let askedFor: unknown = null;
  let hasFailed = false;

  function wanted(): Map<string, Map<string, Offering>> {
    const bySite = new Map<string, Map<string, Offering>>();
    const add = (site: string, offering: Offering) => {
      const mine = bySite.get(site) ?? new Map<string, Offering>();
      bySite.set(site, mine);
      if (mine.has(offeringKey(offering))) return;
      for (const one of comparedOf(offering)) mine.set(offeringKey(one), one);
    };
    for (const pool of config.get().pools)
      for (const one of candidates(pool, deps.placesOf(pool))) add(pool.launch.site.key, one);
    for (const machine of store.machines()) if (isBound(machine)) add(machine.site, machine.offering);
    return bySite;
  }

  async function look(signal: AbortSignal): Promise<void> {
    const current = config.get();
    const { pools, settings } = current;
    const all = wanted();
    const isNew = [...all].some(([site, some]) =>
      [...some.keys()].some((key) => !known.has(`${site}/${key}`)),
    );
    // A new configuration may bring a new table.
    const isOld = askedFor !== current || clock.monotonic() - askedAt >= REFRESH_MS;
    // A look-up that failed is not repeated every 5 s; an instance's zone may be news a moment after its launch.
    if (!isOld && (!isNew || (hasFailed && clock.monotonic() - askedAt < MINUTE_MS))) return;
    askedAt = clock.monotonic();
    askedFor = current;
    hasFailed = false;
    const sites = new Map(pools.map(({ launch }) => [launch.site.key, launch.site]));
    for (const [key, offerings] of all) {
      const site = sites.get(key);
      if (site === undefined) continue;
      const asked = { offerings: [...offerings.values()], own: settings.prices };
      const prices = await cloud.prices(site, asked, clock.timeout(CALL_LIMIT_MS, signal)).catch(() => null);
      hasFailed ||= prices === null;
      for (const [offering, price] of prices ?? []) known.set(`${key}/${offering}`, price);
    }
    if (!signal.aborted) deps.nudge();
  }

  // On demand a type costs the same in all zones of its region.
  const zoneless = (site: string, { type }: Offering) => {
    for (const [key, price] of known)
      if (price !== null && key.startsWith(`${site}/${type}:`) && key.endsWith(':on-demand')) return price;
    return null;
  };
  const priceOf = (site: string, offering: Offering) =>
    known.get(`${site}/${offeringKey(offering)}`) ??
    (offering.market === 'on-demand' ? zoneless(site, offering) : null);
  return {
    priceOf,
    bound(machines) {
      const { maxCostPerHour } = config.get().settings;
      if (maxCostPerHour <= 0) return null;
      const prices = machines.filter(isBound).map(({ site, offering }) => priceOf(site, offering));
      const running = prices.reduce((sum, price) => sum + (price?.usdPerHour ?? 0), 0);
      return {
        leftUsdPerHour: maxCostPerHour - running,
        unpriced: prices.filter((price) => price === null).length,
        prices: new Map([...known].map(([key, price]) => [key, price?.usdPerHour ?? null])),
      };
    },
    async run(signal) {
      while (!signal.aborted) {
        await look(signal).catch(() => undefined);
        await clock.sleep(LOOK_MS, signal);
      }
    },
  };
}
