// The ledger over a machine's life: every second of it belongs to one use, over restarts too.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import type { Config } from '../../../src/domain/config.ts';
import type { Offering } from '../../../src/domain/instance.ts';
import type { Price } from '../../../src/domain/price.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/units.ts';
import type { Metrics } from '../../../src/ports/metrics.ts';
import type { Store } from '../../../src/ports/store.ts';
import { createCostLedger } from '../../../src/service/cost-ledger.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { lease as aLease, machine as aMachine, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock, type HandClock } from '../../support/hand-clock.ts';

let clock: HandClock;
let store: Store;
let metrics: Metrics;
let rate: number | null;
let stop: AbortController;
let ledger: ReturnType<typeof createCostLedger>;
let ran: Promise<void>;

const spec = poolSpec();
const machine = (over: Partial<ReturnType<typeof aMachine>> = {}) =>
  aMachine({ id: 'm-1', pool: spec.id, instance: 'i-1', createdAt: NOON, ...over });
const job = {
  id: '42',
  url: 'https://gitlab.example/g/p/-/jobs/42',
  seenAt: NOON,
  project: '7',
  pipeline: '9',
};

function begin(): void {
  stop = new AbortController();
  const config = createCurrentConfig({ pools: [spec] } as unknown as Config, NOON);
  const priceOf = (_site: string, { market }: Offering): Price | null => {
    const usdPerHour = market === 'spot' ? rate : 1;
    return usdPerHour === null ? null : { usdPerHour, source: 'a test', asOf: '2026-11-23' };
  };
  const prices = { priceOf, bound: () => null, run: async () => undefined };
  ledger = createCostLedger({ store, config, clock, metrics, prices });
  ran = ledger.run(stop.signal);
}

beforeEach(() => {
  clock = createHandClock(NOON);
  store = createStore(openDatabase(':memory:'));
  metrics = createMetrics({ compat: false });
  rate = 0.4;
  begin();
});
afterEach(async () => {
  stop.abort();
  await ran;
  store.close();
});

const rows = (by: Parameters<typeof ledger.report>[0]) =>
  Object.fromEntries(ledger.report(by, NOON - HOUR_MS).rows.map((row) => [row.key, row]));

async function live(): Promise<void> {
  store.putMachine(machine({ phase: 'booting' }));
  await clock.advance(MINUTE_MS);
  store.putMachine(machine({ phase: 'ready' }));
  await clock.advance(9 * MINUTE_MS);
  store.putLease(
    aLease({ name: 'box', machine: 'm-1', state: 'held', urlAt: null, containers: 0, jobs: [] }),
  );
  store.putMachine(machine({ phase: 'leased', lease: 'box' }));
  await clock.advance(10 * MINUTE_MS);
  store.putLease(
    aLease({ name: 'box', machine: 'm-1', state: 'held', urlAt: clock.now(), containers: 1, jobs: [job] }),
  );
  await clock.advance(30 * MINUTE_MS);
}

async function end(): Promise<void> {
  store.deleteLease('box');
  store.putMachine(machine({ phase: 'terminating', endAskedAt: clock.now(), endAccepted: true }));
  await clock.advance(MINUTE_MS);
}

describe('a machine', () => {
  test('has every minute of its life entered once, by its use', async () => {
    await live();
    await end();
    const entries = store.costs(0);
    expect(entries.map(({ use }) => use)).toEqual(['boot', 'idle', 'held', 'job']);
    for (const [index, { from }] of entries.entries())
      expect(from).toBe(index === 0 ? NOON : entries[index - 1]?.until);
    expect(entries.at(-1)?.until).toBe(NOON + 50 * MINUTE_MS);
    expect(rows('project')['g/p']).toMatchObject({ jobs: 1, unpriced_hours: 0 });
    expect(rows('pipeline')['g/p 9']?.usd).toBeCloseTo(0.2, 1);
    expect(ledger.report('day', NOON).total.usd).toBeCloseTo((0.4 * 50) / 60);
    expect(ledger.report('day', NOON).total.saved_usd).toBeCloseTo((0.6 * 50) / 60);
  });

  test('that runs is in the report and in the gauges', async () => {
    await live();
    expect(ledger.report('pool', NOON).total.usd).toBeCloseTo((0.4 * 50) / 60);
    const text = await metrics.render();
    expect(text).toContain(`\nhostler_cost_running_usd_per_hour{pool="${spec.id}"} 0.4`);
    expect(text).toContain(`\nhostler_cost_on_demand_usd_per_hour{pool="${spec.id}"} 1`);
    expect(text).not.toMatch(/hostler_cost[^\n]*(m-1|42)/);
  });

  test('goes on where the last process stopped, or was killed', async () => {
    await live();
    stop.abort();
    await ran;
    await clock.advance(10 * MINUTE_MS);
    begin();
    await clock.advance(MINUTE_MS);
    await end();
    expect(ledger.report('pool', NOON).total.hours).toBeCloseTo(61 / 60, 3);
  });

  test('without a known price is counted, never priced', async () => {
    rate = null;
    await live();
    await end();
    expect(ledger.report('pool', NOON).total).toMatchObject({ usd: 0, saved_usd: 0 });
    expect(ledger.report('pool', NOON).total.unpriced_hours).toBeCloseTo(50 / 60, 3);
  });

  test('has an entry each hour, so that prices follow the market', async () => {
    store.putMachine(machine({ phase: 'ready' }));
    await clock.advance(3 * HOUR_MS + MINUTE_MS);
    expect(store.costs(0)).toHaveLength(3);
  });
});
