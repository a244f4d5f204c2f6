// What machines cost by EC2's own rules, and that nothing unknown is ever counted as a number.
import { describe, expect, test } from 'vitest';
import { onDemandTables } from '../../../src/adapters/aws/on-demand-prices.ts';
import { costOf, onDemandPrice, type PriceTable, sumCosts } from '../../../src/domain/price.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';

const price = { usdPerHour: 0.36, source: 'test', asOf: '2026-11-01' };

describe('costOf', () => {
  test.each([
    ['an hour', HOUR_MS, 0.36],
    ['a minute at least', 1, 0.006],
    ['a minute at least, also for nothing', 0, 0.006],
    ['whole seconds beyond', MINUTE_MS + 1, 0.0061],
    ['61 seconds', 61 * SECOND_MS, 0.0061],
  ])('bills %s', (_what, ranMs, usd) => {
    expect(costOf(price, ranMs)).toBeCloseTo(usd, 10);
  });

  test('of an unknown price is unknown, and a sum says how many are', () => {
    expect(costOf(null, HOUR_MS)).toBeNull();
    expect(sumCosts([0.5, null, 0.25])).toEqual({ usd: 0.75, machines: 3, unpriced: 1 });
    expect(sumCosts([])).toEqual({ usd: 0, machines: 0, unpriced: 0 });
  });
});

describe('the on-demand tables', () => {
  test('know common types of the main regions, and say where and when from', () => {
    const source = 'AWS price list, Linux on demand';
    expect(onDemandPrice(onDemandTables(), 'us-east-1', 'm5.large')).toEqual({
      usdPerHour: 0.096,
      source,
      asOf: '2026-07-20',
    });
    expect(onDemandPrice(onDemandTables(), 'us-east-1', 'c5.9xlarge')?.usdPerHour).toBe(1.53);
    expect(onDemandPrice(onDemandTables(), 'eu-central-1', 'm5.large')).toEqual({
      usdPerHour: 0.115,
      source,
      asOf: '2025-04-04',
    });
    expect(onDemandPrice(onDemandTables(), 'eu-central-1', 'm4.2xlarge')?.usdPerHour).toBe(0.48);
    expect(onDemandPrice(onDemandTables(), 'ap-northeast-1', 'c7i.xlarge')?.usdPerHour).toBe(0.2247);
  });

  test('do not stand in for another region or type', () => {
    expect(onDemandPrice(onDemandTables(), 'af-south-1', 'm5.large')).toBeNull();
    expect(onDemandPrice(onDemandTables(), 'us-east-1', 'm5.huge')).toBeNull();
    // Not sold there when the list was made.
    expect(onDemandPrice(onDemandTables(), 'eu-central-2', 'c8g.large')).toBeNull();
  });

  test('have plausible rows only, each once', () => {
    const rows = onDemandTables().flatMap(({ prices }) => prices);
    const keys = rows.map(({ region, type }) => `${region} ${type}`);
    expect(rows.length).toBeGreaterThan(2_000);
    expect(new Set(keys).size).toBe(keys.length);
    expect(rows.filter(({ usdPerHour }) => !(usdPerHour > 0.003 && usdPerHour < 5))).toEqual([]);
  });

  test('give way to a later table', () => {
    const own: PriceTable = {
      source: 'ours',
      asOf: '2026-11-01',
      prices: [{ region: 'us-east-1', type: 'm5.large', usdPerHour: 0.05 }],
    };
    const all = [...onDemandTables(), own];
    expect(onDemandPrice(all, 'us-east-1', 'm5.large')?.usdPerHour).toBe(0.05);
    expect(onDemandPrice(all, 'us-east-1', 'm5.xlarge')?.usdPerHour).toBe(0.192);
  });
});
