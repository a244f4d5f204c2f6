// What machines cost by EC2's own rules, and that nothing unknown is ever counted as a number.
import { describe, expect, test } from 'vitest';
import { onDemandPrices } from '../../../src/adapters/aws/on-demand-prices.ts';
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

describe('the on-demand table', () => {
  test('knows common types of its region, and says where and when from', () => {
    expect(onDemandPrice([onDemandPrices], 'us-east-1', 'm5.large')).toEqual({
      usdPerHour: 0.096,
      source: 'AWS price list, Linux on demand',
      asOf: '2026-07-20',
    });
    expect(onDemandPrice([onDemandPrices], 'us-east-1', 'c5.9xlarge')?.usdPerHour).toBe(1.53);
  });

  test('does not stand in for another region or type', () => {
    expect(onDemandPrice([onDemandPrices], 'eu-central-1', 'm5.large')).toBeNull();
    expect(onDemandPrice([onDemandPrices], 'us-east-1', 'm5.huge')).toBeNull();
  });

  test('has plausible rows only, each once', () => {
    const types = onDemandPrices.prices.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    expect(onDemandPrices.prices.filter(({ usdPerHour }) => !(usdPerHour > 0.003 && usdPerHour < 5))).toEqual(
      [],
    );
  });

  test('gives way to a later table', () => {
    const own: PriceTable = {
      source: 'ours',
      asOf: '2026-11-01',
      prices: [{ region: 'us-east-1', type: 'm5.large', usdPerHour: 0.05 }],
    };
    expect(onDemandPrice([onDemandPrices, own], 'us-east-1', 'm5.large')?.usdPerHour).toBe(0.05);
    expect(onDemandPrice([onDemandPrices, own], 'us-east-1', 'm5.xlarge')?.usdPerHour).toBe(0.192);
  });
});
