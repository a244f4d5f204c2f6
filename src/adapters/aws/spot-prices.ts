// Prices of offerings: spot from EC2's price history, on demand from the tables. The history is asked for the price in
// force only, for all wanted types at once, and remembered for minutes.
// Trap: what neither knows is null, never a guess; a failed look-up keeps the last prices, whose time says how old they are.
import type { _InstanceType } from '@aws-sdk/client-ec2';
import { type Offering, offeringKey } from '../../domain/instance.ts';
import { refusal } from '../../domain/outcome.ts';
import { onDemandPrice, type Price, type PriceTable } from '../../domain/price.ts';
import { type DurationMs, MINUTE_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import { unreadableAnswer } from './errors.ts';
import { onDemandTables } from './on-demand-prices.ts';
import type { SiteCalls } from './site-calls.ts';

/** Milliseconds: EC2's public price page renews every 5 minutes (EC2 user guide, spot pricing). */
const FRESH_MS: DurationMs = 5 * MINUTE_MS;

/** Prices a page; EC2's maximum. */
const PAGE = 1_000;

/** Pages: 60 types in 6 zones are one page; beyond this many it is a loop. */
const MAX_PAGES = 50;

const LINUX = 'Linux/UNIX';

type Known = { at: DurationMs; byPlace: Map<string, Price> };

type Deps = { site: string; region: string; calls: SiteCalls; signal: AbortSignal };

export type Prices = {
  of(
    asked: { offerings: readonly Offering[]; own: PriceTable | null },
    deps: Deps,
  ): Promise<Map<string, Price | null>>;
};

export function createPrices(clock: Clock): Prices {
  /** By site and type. */
  const known = new Map<string, Known>();

  const refresh = async (types: readonly string[], deps: Deps): Promise<void> => {
    const stale = types.filter((type) => {
      const entry = known.get(`${deps.site}/${type}`);
      return entry === undefined || clock.monotonic() - entry.at >= FRESH_MS;
    });
    if (stale.length === 0) return;
    try {
      const found = await pricesNow(stale, clock.now(), deps);
      const at = clock.monotonic();
      for (const type of stale)
        known.set(`${deps.site}/${type}`, { at, byPlace: found.get(type) ?? new Map<string, Price>() });
    } catch (error) {
      if (stale.some((type) => !known.has(`${deps.site}/${type}`))) throw error;
    }
  };

  return {
    of: async ({ offerings, own }, deps) => {
      const spot = offerings.filter(({ market }) => market === 'spot').map(({ type }) => type);
      await refresh([...new Set(spot)].toSorted(), deps);
      const tables = own === null ? onDemandTables() : [...onDemandTables(), own];
      return new Map(
        offerings.map((offering): [string, Price | null] => {
          const { type, zone, market } = offering;
          const price =
            market === 'spot'
              ? known.get(`${deps.site}/${type}`)?.byPlace.get(zone ?? '')
              : onDemandPrice(tables, deps.region, type);
          return [offeringKey(offering), price ?? null];
        }),
      );
    },
  };
}

/** The price in force by type and zone. Throws `cloud-refused`. */
async function pricesNow(
  types: readonly string[],
  now: number,
  deps: Deps,
): Promise<Map<string, Map<string, Price>>> {
  const action = 'DescribeSpotPriceHistory';
  const { DescribeSpotPriceHistoryCommand } = await import('@aws-sdk/client-ec2');
  const found = new Map<string, Map<string, Price>>();
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const command = new DescribeSpotPriceHistoryCommand({
      InstanceTypes: types as _InstanceType[],
      ProductDescriptions: [LINUX],
      // A start at this moment shows exactly the prices in force.
      StartTime: new Date(now),
      MaxResults: PAGE,
      ...(token !== undefined && { NextToken: token }),
    });
    const answer = await deps.calls.call({ action, signal: deps.signal }, (clients, signal) =>
      clients.describe.send(command, { abortSignal: signal }),
    );
    if (answer.SpotPriceHistory === undefined)
      throw refusal(action, unreadableAnswer(action, 'without a list'));
    for (const { InstanceType, AvailabilityZone, SpotPrice, Timestamp } of answer.SpotPriceHistory) {
      const usdPerHour = Number(SpotPrice);
      if (InstanceType === undefined || AvailabilityZone === undefined || !(usdPerHour > 0)) continue;
      const zones = found.get(InstanceType) ?? new Map<string, Price>();
      found.set(InstanceType, zones);
      const asOf = (Timestamp ?? new Date(now)).toISOString();
      const before = zones.get(AvailabilityZone);
      if (before === undefined || before.asOf < asOf)
        zones.set(AvailabilityZone, { usdPerHour, source: 'EC2 spot price history', asOf });
    }
    token = answer.NextToken || undefined;
    if (token === undefined) break;
  }
  return found;
}
