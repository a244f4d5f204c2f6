// When leftovers in EC2 are removed: two looks apart, this manager's alone, for ever while it fails. The cloud is plain values.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import type { Config } from '../../../src/domain/config.ts';
import { TAG } from '../../../src/domain/instance.ts';
import type { Leftover } from '../../../src/domain/leftover.ts';
import { MINUTE_MS } from '../../../src/domain/units.ts';
import type { Cloud, RemovalAnswer } from '../../../src/ports/cloud.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { Metrics } from '../../../src/ports/metrics.ts';
import type { Store } from '../../../src/ports/store.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { createJournal } from '../../../src/service/journal.ts';
import { createLeftovers } from '../../../src/service/leftovers.ts';
import { launch, launchSpec, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock, type HandClock } from '../../support/hand-clock.ts';

const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};
const tags = { [TAG.owner]: 'me', [TAG.manager]: 'mine', [TAG.launch]: 'token' };
const volume = (id: string, over: Partial<Leftover> = {}): Leftover => ({
  kind: 'volume',
  id,
  detail: 'available',
  createdAt: NOON,
  tags,
  ...over,
});

let clock: HandClock;
let store: Store;
let stop: AbortController;
let metrics: Metrics;
let listed: Leftover[];
let refuse: boolean;
let removed: string[];
let looks: number;
let ran: Promise<void>;

beforeEach(() => {
  clock = createHandClock(NOON);
  store = createStore(openDatabase(':memory:'));
  stop = new AbortController();
  metrics = createMetrics({ compat: false });
  [listed, refuse, removed, looks] = [[], false, [], 0];
  const cloud = {
    listLeftovers: () => {
      looks += 1;
      return Promise.resolve([...listed]);
    },
    removeLeftovers: (_site: unknown, asked: readonly Leftover[]) => {
      removed.push(...asked.map(({ id }) => id));
      const outcome = {
        kind: 'denied',
        scope: 'call',
        code: 'UnauthorizedOperation',
        message: 'no',
      } as const;
      if (!refuse) listed = listed.filter((one) => !asked.includes(one));
      return Promise.resolve(
        asked.map(
          ({ id }): RemovalAnswer => (refuse ? { id, kind: 'failed', outcome } : { id, kind: 'done' }),
        ),
      );
    },
  } as unknown as Cloud;
  const spec = poolSpec({ launch: launchSpec() });
  const config = createCurrentConfig({ pools: [spec], settings: { owner: 'me' } } as unknown as Config, NOON);
  const journal = createJournal({ store, log: quiet, metrics, clock });
  const sites = () => [spec.launch.site];
  ran = createLeftovers({ store, config, cloud, clock, journal, metrics, manager: 'mine', sites }).run(
    stop.signal,
  );
});
afterEach(async () => {
  stop.abort();
  await ran;
  store.close();
});

const told = (code: string) => store.events({ limit: 100 }).filter((event) => event.code === code).length;

describe('what has outlived its use', () => {
  test('is removed at the second look, a minute after the first', async () => {
    listed = [volume('vol-1')];
    await clock.advance(MINUTE_MS);
    expect({ removed, looks }).toEqual({ removed: [], looks: 1 });
    expect(await metrics.render()).toContain('\nhostler_leftovers_found_items{kind="volume"} 1');
    await clock.advance(MINUTE_MS);
    expect(removed).toEqual(['vol-1']);
    expect(told('leftover-removed')).toBe(1);
    expect(await metrics.render()).toContain('\nhostler_leftovers_found_items{kind="volume"} 0');
  });

  test('is left alone when it belongs to another manager or to nobody', async () => {
    listed = [
      volume('vol-1', { tags: { ...tags, [TAG.manager]: 'theirs' } }),
      volume('vol-2', { tags: { [TAG.owner]: 'me' } }),
    ];
    await clock.advance(60 * MINUTE_MS);
    expect(removed).toEqual([]);
  });

  test('is forgotten when it is gone by the second look', async () => {
    listed = [volume('vol-1')];
    await clock.advance(MINUTE_MS);
    listed = [];
    await clock.advance(60 * MINUTE_MS);
    expect({ removed, events: told('leftover-removed') }).toEqual({ removed: [], events: 0 });
  });

  test('that cannot be removed is tried for ever, ever more rarely, and told once', async () => {
    listed = [volume('vol-1')];
    refuse = true;
    await clock.advance(24 * 60 * MINUTE_MS);
    expect(removed.length).toBeGreaterThan(10);
    expect(removed.length).toBeLessThan(50);
    expect(told('leftover-failed')).toBe(1);
    expect(await metrics.render()).toContain('\nhostler_leftovers_stuck_items 1');
    refuse = false;
    await clock.advance(70 * MINUTE_MS);
    expect(await metrics.render()).toContain('\nhostler_leftovers_stuck_items 0');
  });
});

describe('what looks like it', () => {
  test('an open request of a launch that is under way stays', async () => {
    store.putLaunch(launch({ token: 'token', state: 'intended' }));
    listed = [volume('sir-1', { kind: 'spot-request', detail: 'open' })];
    await clock.advance(60 * MINUTE_MS);
    expect(removed).toEqual([]);
    store.putLaunch(launch({ token: 'token', state: 'launched' }));
    await clock.advance(10 * MINUTE_MS);
    expect(removed).toEqual(['sir-1']);
  });

  test('a launch template goes when no pool needs fleets', async () => {
    listed = [volume('lt-1', { kind: 'launch-template', detail: 'hostler-me' })];
    await clock.advance(10 * MINUTE_MS);
    expect(removed).toEqual(['lt-1']);
  });
});
