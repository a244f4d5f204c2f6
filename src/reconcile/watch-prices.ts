// What rests because its price was above the pool's cap: the price history says when a try is worth it. Only asked while
// something rests for its price, once a minute.
// Must not open anything that rests for another reason.
// Trap: a price that is not known decides nothing; the rest then ends by its own time.
import type { PoolSpec } from '../domain/config.ts';
import { type Offering, offeringKey } from '../domain/instance.ts';
import type { Rest } from '../domain/outcome.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { touchesPool } from '../planner/rest.ts';
import type { ActDeps } from './act-deps.ts';

/** Spot prices move by the hour; the adapter remembers them for minutes. */
const ASK_EVERY_MS: DurationMs = MINUTE_MS;
/** A rest whose price is still above the cap is kept closed beyond the next two questions. */
const KEEP_CLOSED_MS: DurationMs = 2 * MINUTE_MS;
/** Some pages of price history. */
const ASK_LIMIT_MS: DurationMs = 30 * SECOND_MS;

/** The offering that a rest is about; null when it names none. */
function offeringOf({ key }: Rest): Offering | null {
  const [, type, zone, market] = /\/offering:([^:/]+):([^:/]+):(spot|on-demand)$/.exec(key) ?? [];
  if (type === undefined || zone === undefined || market !== 'spot') return null;
  return { type, zone: zone === 'any' ? null : zone, market };
}

/** The highest cap of the pools that a rest reaches; null = one has none, so that the price is no obstacle. */
function capOf(pools: readonly PoolSpec[], rest: Rest): number | null {
  const caps = pools.filter((pool) => touchesPool(pool, rest)).map(({ launch }) => launch.maxPriceUsd);
  return caps.length === 0 || caps.includes(null) ? null : Math.max(...caps.map(Number));
}

type Priced = { rest: Rest; offering: Offering };

async function ask(
  deps: ActDeps,
  site: PoolSpec['launch']['site'],
  priced: readonly Priced[],
): Promise<void> {
  const { store, clock, config, stop } = deps;
  const asked = { offerings: priced.map(({ offering }) => offering), own: config.get().settings.prices };
  const prices = await deps.cloud.prices(site, asked, clock.timeout(ASK_LIMIT_MS, stop));
  for (const { rest, offering } of priced) {
    const price = prices.get(offeringKey(offering)) ?? null;
    const cap = capOf(config.get().pools, rest);
    const known = store.rests().find(({ key }) => key === rest.key);
    if (price === null || cap === null || known?.since !== rest.since) continue;
    const now = clock.now();
    // The planner cuts rests short for waiting jobs by the time they began: that moves along while the price is too high.
    if (price.usdPerHour > cap) store.putRest({ ...known, since: now, until: now + KEEP_CLOSED_MS });
    else if (known.until > now) store.putRest({ ...known, until: now });
  }
  deps.nudge();
}

/** Asks for prices when something rests for its price and a minute has passed; starts work, waits for nothing. */
export function createPriceWatch(deps: ActDeps): () => void {
  let askedAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = deps.clock.monotonic();
    if (now - askedAt < ASK_EVERY_MS) return;
    const priced = deps.store.rests().flatMap((rest): Priced[] => {
      const offering = rest.outcome.kind === 'price' ? offeringOf(rest) : null;
      return offering === null ? [] : [{ rest, offering }];
    });
    if (priced.length === 0) return;
    askedAt = now;
    const sites = new Map(deps.config.get().pools.map(({ launch }) => [launch.site.key, launch.site]));
    for (const [key, site] of sites) {
      const own = priced.filter(({ rest }) => rest.key.startsWith(`${key}/`));
      // Without prices the rests end by their own time.
      if (own.length > 0) deps.track(ask(deps, site, own).catch(() => undefined));
    }
  };
}
