// What machines cost: prices of offerings, and the arithmetic of EC2's bills (by the second, a minute at least).
// Trap: an unknown price is null and stays null in every sum's `unpriced`; it is never guessed and never 0.
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from './units.ts';

/** USD an hour, where it comes from, and as of when (a date, or a time in ISO 8601). */
export type Price = { usdPerHour: number; source: string; asOf: string };

/** A row of the on-demand table. */
export type OnDemandPrice = { region: string; type: string; usdPerHour: number };

/** On-demand prices with where they come from and their date. Later tables win over earlier ones. */
export type PriceTable = { source: string; asOf: string; prices: readonly OnDemandPrice[] };

/** The shortest time that EC2 bills for a start of a Linux machine (EC2 pricing: "a minimum of 60 seconds"). */
export const LEAST_BILLED_MS: DurationMs = MINUTE_MS;

/** What EC2 bills for a machine that ran so long: whole seconds, a minute at least. USD; null = price unknown. */
export function costOf(price: Price | null, ranMs: DurationMs): number | null {
  if (price === null) return null;
  const billedMs = Math.max(LEAST_BILLED_MS, Math.ceil(ranMs / SECOND_MS) * SECOND_MS);
  return (price.usdPerHour * billedMs) / HOUR_MS;
}

/** A sum that says how much of it is not known. */
export type CostSum = { usd: number; machines: number; unpriced: number };

/** Adds up costs; those that are unknown are counted, not guessed. */
export function sumCosts(costs: readonly (number | null)[]): CostSum {
  const known = costs.filter((cost) => cost !== null);
  return {
    usd: known.reduce((sum, cost) => sum + cost, 0),
    machines: costs.length,
    unpriced: costs.length - known.length,
  };
}

/** The on-demand price of a type in a region; the last table that has it wins. */
export function onDemandPrice(tables: readonly PriceTable[], region: string, type: string): Price | null {
  for (const table of tables.toReversed()) {
    const row = table.prices.find((price) => price.region === region && price.type === type);
    if (row !== undefined) return { usdPerHour: row.usdPerHour, source: table.source, asOf: table.asOf };
  }
  return null;
}
