// When connections to a host may be closed: the evidence, by a store, a clock moved by hand and a network of plain values.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import type { Config } from '../../../src/domain/config.ts';
import type { InstanceState } from '../../../src/domain/instance.ts';
import type { Connections, Hail } from '../../../src/ports/connections.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { Store } from '../../../src/ports/store.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { judgeSilence } from '../../../src/service/host-silence.ts';
import { createJournal } from '../../../src/service/journal.ts';
import { createConnectionResets } from '../../../src/service/reset-connections.ts';
import { lease as aLease, machine as aMachine, instanceOf, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock, type HandClock } from '../../support/hand-clock.ts';

const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

let clock: HandClock;
let store: Store;
let stop: AbortController;
let net: { hail: Hail; heardMs: number | null; trouble: string | null; resets: string[] };
let cloud: { state: InstanceState; isAway: boolean; asked: number; at: number };
let ran: Promise<void>;

const busy = (over: Partial<ReturnType<typeof aMachine>> = {}) =>
  aMachine({
    id: 'm-1',
    phase: 'leased',
    lease: 'box',
    instance: 'i-1',
    address: '10.0.0.1',
    failedPings: 1,
    ...over,
  });

beforeEach(() => {
  clock = createHandClock(NOON);
  store = createStore(openDatabase(':memory:'));
  stop = new AbortController();
  net = { hail: 'deaf', heardMs: null, trouble: null, resets: [] };
  cloud = { state: 'running', isAway: false, asked: 0, at: NOON - 1 };
  store.putMachine(busy());
  const jobs = [{ id: '42', url: 'https://gitlab.example/g/p/-/jobs/42', seenAt: NOON }];
  store.putLease(aLease({ name: 'box', machine: 'm-1', state: 'held', urlAt: NOON, containers: 1, jobs }));
  const connections: Connections = {
    reset(addresses) {
      if (net.trouble !== null) return Promise.resolve({ kind: 'failed', why: net.trouble });
      net.resets.push(...addresses);
      return Promise.resolve({ kind: 'done', ended: addresses.length });
    },
    heardMs: () => Promise.resolve(net.heardMs),
    hail: () => Promise.resolve(net.hail),
    trouble: () => Promise.resolve(net.trouble),
  };
  const config = createCurrentConfig({ pools: [poolSpec()] } as unknown as Config, NOON);
  const metrics = createMetrics({ compat: false });
  const journal = createJournal({ store, log: quiet, metrics, clock });
  const watch = createConnectionResets({
    store,
    config,
    connections,
    clock,
    metrics,
    journal,
    viewOf: () => ({
      kind: 'fresh',
      value: [instanceOf(busy(), { state: cloud.state })],
      at: cloud.at,
    }),
    askCloud() {
      cloud.asked += 1;
      if (!cloud.isAway) cloud.at = clock.now();
      return Promise.resolve();
    },
  });
  ran = watch.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await ran;
  store.close();
});

const told = () => store.events({ limit: 100 }).map(({ code }) => code);

describe('a busy host that gives no sign of life', () => {
  test('keeps its connections for a minute, then they are closed, and once more while it stays so', async () => {
    await clock.advance(55_000);
    expect(net.resets).toEqual([]);
    await clock.advance(25_000);
    expect(net.resets.length).toBeGreaterThan(1);
    expect(told().filter((code) => code === 'connections-reset')).toHaveLength(1);
    const [event] = store.events({ limit: 100, machine: 'm-1' });
    expect(event?.detail).toMatchObject({ job: '42', url: 'https://gitlab.example/g/p/-/jobs/42' });
    expect(cloud.asked).toBeLessThan(6);
  });

  test('is cut off each second from then on: the runner dials a lost host ten times before it gives its job up', async () => {
    await clock.advance(70_000);
    const { length } = net.resets;
    expect(length).toBeGreaterThan(0);
    await clock.advance(10_000);
    expect(net.resets.length - length).toBeGreaterThanOrEqual(9);
    net.hail = 'speaks';
    store.putMachine(busy({ failedPings: 0 }));
    await clock.advance(6_000);
    const spoken = net.resets.length;
    await clock.advance(10_000);
    expect(net.resets).toHaveLength(spoken);
  });

  test('whose kernel takes connections gets longer, but no more than 90 s in all', async () => {
    net.hail = 'mute';
    await clock.advance(66_000);
    expect(net.resets).toEqual([]);
    await clock.advance(12_000);
    expect(net.resets).not.toEqual([]);
  });

  test('keeps them while a job prints, however slow its host is', async () => {
    net.hail = 'mute';
    net.heardMs = 20_000;
    await clock.advance(600_000);
    expect(net.resets).toEqual([]);
  });

  test.each(['speaks', 'refused'] as const)('keeps them when its SSH port %s', async (hail) => {
    net.hail = hail;
    await clock.advance(600_000);
    expect(net.resets).toEqual([]);
  });

  test('keeps them while EC2 cannot be heard either: the trouble may be our own', async () => {
    cloud = { ...cloud, isAway: true, at: NOON - 1 };
    await clock.advance(600_000);
    expect(net.resets).toEqual([]);
    cloud.isAway = false;
    await clock.advance(30_000);
    expect(net.resets).not.toEqual([]);
  });

  test('loses them after two looks once EC2 says that its instance leaves', async () => {
    cloud.state = 'shutting-down';
    await clock.advance(12_000);
    expect(net.resets).not.toEqual([]);
  });

  test('begins anew when it answered in between', async () => {
    await clock.advance(50_000);
    store.putMachine(busy({ failedPings: 0 }));
    await clock.advance(3_000);
    store.putMachine(busy({ failedPings: 1 }));
    await clock.advance(50_000);
    expect(net.resets).toEqual([]);
  });

  test('is left alone when no job uses it', async () => {
    store.putLease(aLease({ name: 'box', machine: 'm-1', state: 'held', urlAt: null, containers: 0 }));
    await clock.advance(600_000);
    expect(net.resets).toEqual([]);
  });
});

describe('a host that is gone', () => {
  test('under a lease loses its connections within a second', async () => {
    store.putMachine(busy({ failedPings: 0 }));
    await clock.advance(2_000);
    store.putMachine(busy({ phase: 'gone', failedPings: 0 }));
    store.deleteLease('box');
    await clock.advance(1_000);
    expect(net.resets).toEqual(['10.0.0.1']);
    expect(told()).toContain('connections-reset');
  });

  test('loses what the runner opens to it anew, for two minutes', async () => {
    store.putMachine(busy({ failedPings: 0 }));
    await clock.advance(2_000);
    store.putMachine(busy({ phase: 'gone', failedPings: 0 }));
    store.deleteLease('box');
    await clock.advance(11_000);
    expect(net.resets.length).toBeGreaterThanOrEqual(9);
    await clock.advance(120_000);
    const { length } = net.resets;
    await clock.advance(20_000);
    expect(net.resets).toHaveLength(length);
    expect(told().filter((code) => code === 'connections-reset')).toHaveLength(1);
  });

  test('whose address a new host has already is left alone', async () => {
    store.putMachine(busy({ failedPings: 0 }));
    await clock.advance(2_000);
    store.putMachine(busy({ phase: 'gone' }));
    store.putMachine(aMachine({ id: 'm-2', phase: 'booting', address: '10.0.0.1' }));
    store.deleteLease('box');
    await clock.advance(10_000);
    expect(net.resets).toEqual([]);
  });

  test('after the runner gave it back is nobody to reset anything for', async () => {
    store.putMachine(busy({ failedPings: 0 }));
    await clock.advance(2_000);
    store.deleteLease('box');
    store.putMachine(busy({ phase: 'terminating', lease: null, ending: 'max-builds' }));
    await clock.advance(5_000);
    store.putMachine(busy({ phase: 'gone', lease: null }));
    await clock.advance(5_000);
    expect(net.resets).toEqual([]);
  });
});

describe('a machine that may not close connections', () => {
  test('says so once, and again never', async () => {
    net.trouble = 'ss -K is not permitted';
    await clock.advance(300_000);
    expect(told().filter((code) => code === 'reset-failed')).toHaveLength(1);
    expect(told()).not.toContain('connections-reset');
  });
});

test('silence of a second is never enough, whatever the number of hails', () => {
  const evidence = {
    silentMs: 1_000,
    hails: 50,
    hail: 'deaf',
    state: 'running',
    isCloudHeard: true,
  } as const;
  expect(judgeSilence(evidence)).toBe('wait');
  expect(judgeSilence({ ...evidence, silentMs: 600_000, hails: 3 })).toBe('wait');
});
