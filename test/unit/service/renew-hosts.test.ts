// The rounds of renewals on a hand clock and a real store: when who is visited, and what failing comes to.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createKeys } from '../../../src/adapters/keys/keys.ts';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createLog } from '../../../src/adapters/telemetry/log.ts';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import type { Config } from '../../../src/domain/config.ts';
import { HostlerError } from '../../../src/domain/error.ts';
import type { Machine } from '../../../src/domain/machine.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { createJournal } from '../../../src/service/journal.ts';
import { createRenewals, renewEvery } from '../../../src/service/renew-hosts.ts';
import { machine as aMachine, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

const store = createStore(openDatabase(':memory:'));
const log = createLog({ level: 'fatal' as 'error', pretty: false, clock: createHandClock(NOON) });
let stop = new AbortController();

/** A daemon's renewals that start at noon, and a network that answers as told. */
function renewing({ isSlow = false, fails = [] }: { isSlow?: boolean; fails?: readonly string[] } = {}) {
  const clock = createHandClock(NOON);
  const metrics = createMetrics({ compat: false });
  const visits: { id: string; at: number }[] = [];
  const down = new Set(fails);
  /** Visits that do not end before they are let go. */
  const slow: (() => void)[] = [];
  let nudges = 0;
  const renewals = createRenewals({
    store,
    clock,
    random: { float: () => 0.5, id: () => 'x' },
    config: createCurrentConfig({ pools: [poolSpec({ deadManMs: 2 * HOUR_MS })] } as unknown as Config, NOON),
    journal: createJournal({ store, log, metrics, clock }),
    nudge: () => {
      nudges++;
    },
    async visit(machine) {
      visits.push({ id: machine.id, at: (clock.now() - NOON) / MINUTE_MS });
      if (isSlow) await new Promise<void>((resolve) => slow.push(resolve));
      if (down.has(machine.id)) throw new HostlerError('host-unreachable', 'SSH to 10.0.0.7:22: no answer');
    },
  });
  void renewals.run(stop.signal);
  return {
    clock,
    renewals,
    visits,
    down,
    slow,
    nudges: () => nudges,
    codes: () => store.events({ limit: 100 }).map(({ code }) => code),
  };
}

const known = (id: string, over: Partial<Machine> = {}) =>
  aMachine({ id, readyAt: NOON - HOUR_MS, hostKeys: ['ssh-ed25519 AAAA'], ...over });

beforeEach(() => {
  for (const { id } of store.machines()) store.putMachine(aMachine({ id, phase: 'gone', since: 0 }));
  store.dropGone(NOON);
  return () => {
    stop.abort();
    stop = new AbortController();
  };
});

describe('a host', () => {
  test('that stands at the start is visited at once, then four times within dead_man, half an hour apart at most', async () => {
    store.putMachine(known('m-1'));
    const { clock, visits } = renewing();
    await clock.advance(2 * HOUR_MS);
    expect(visits.map(({ at }) => Math.round(at))).toEqual([0, 26, 53, 79, 105]);
    expect([renewEvery(2 * HOUR_MS), renewEvery(24 * HOUR_MS), renewEvery(MINUTE_MS)]).toEqual([
      30 * MINUTE_MS,
      30 * MINUTE_MS,
      15 * SECOND_MS,
    ]);
  });

  test('that became ready under this daemon was renewed by its provisioning', async () => {
    const { clock, visits } = renewing();
    await clock.advance(10 * MINUTE_MS);
    store.putMachine(known('m-1', { readyAt: NOON + 5 * MINUTE_MS }));
    await clock.advance(20 * MINUTE_MS);
    expect(visits).toEqual([]);
    await clock.advance(2 * MINUTE_MS);
    expect(visits.map(({ at }) => Math.round(at))).toEqual([31]);
  });

  test('that another visit renewed is left alone for a while', async () => {
    store.putMachine(known('m-1', { readyAt: NOON + 1 }));
    const { clock, visits, renewals } = renewing();
    await clock.advance(20 * MINUTE_MS);
    renewals.renewed('m-1');
    await clock.advance(20 * MINUTE_MS);
    expect(visits).toEqual([]);
  });

  test.each(['booting', 'provisioning', 'terminating', 'gone'] as const)(
    'is not visited while %s',
    async (phase) => {
      store.putMachine(known('m-1', { phase }));
      const { clock, visits } = renewing();
      await clock.advance(HOUR_MS);
      expect(visits).toEqual([]);
    },
  );

  test('is visited while it is leased and while it drains: a job may be on it', async () => {
    store.putMachine(known('m-1', { phase: 'leased', lease: 'a' }));
    store.putMachine(known('m-2', { phase: 'draining', lease: 'b' }));
    const { clock, visits } = renewing();
    await clock.advance(SECOND_MS);
    expect(visits.map(({ id }) => id)).toEqual(['m-1', 'm-2']);
  });

  test('of a pool that left the configuration is left alone: nobody knows how to reach it', async () => {
    store.putMachine(known('m-1', { pool: 'gone' }));
    const { clock, visits } = renewing();
    await clock.advance(HOUR_MS);
    expect(visits).toEqual([]);
  });
});

test('hosts that stand at the start are visited four at a time', async () => {
  for (let index = 0; index < 10; index++) store.putMachine(known(`m-${index}`));
  const { clock, visits, slow } = renewing({ isSlow: true });
  await clock.advance(10 * SECOND_MS);
  expect(visits).toHaveLength(4);
  for (const end of slow.splice(0)) end();
  await clock.advance(SECOND_MS);
  expect(visits).toHaveLength(8);
});

describe('a visit that fails', () => {
  test('is tried again soon, with growing pauses, and told at the third time', async () => {
    store.putMachine(known('m-1'));
    const { clock, visits, down, codes } = renewing({ fails: ['m-1'] });
    const before = codes().length;
    await clock.advance(SECOND_MS);
    await clock.advance(11 * SECOND_MS);
    expect(codes().slice(before)).toEqual([]);
    await clock.advance(10 * MINUTE_MS);
    // 10, 20, 40, 80 and 160 s apart, seen with a grain of 4 s.
    expect(visits.map(({ at }) => Math.round(at * 60))).toEqual([0, 12, 33, 73, 153, 313]);
    expect(codes().slice(before)).toEqual(['renew-failed']);
    down.clear();
    await clock.advance(10 * MINUTE_MS);
    expect(codes().slice(before)).toEqual(['renew-failed', 'renewed']);
    expect(store.machine('m-1')?.ending).toBe(null);
  });

  test('for half of dead_man takes the host out of use, whoever holds it', async () => {
    store.putMachine(known('m-1'));
    store.putMachine(known('m-2', { phase: 'leased', lease: 'a' }));
    const { clock, down, nudges } = renewing();
    await clock.advance(SECOND_MS);
    down.add('m-1').add('m-2');
    await clock.advance(HOUR_MS - MINUTE_MS);
    expect([store.machine('m-1')?.ending, store.machine('m-2')?.ending]).toEqual([null, null]);
    await clock.advance(9 * MINUTE_MS);
    expect([store.machine('m-1')?.ending, store.machine('m-2')?.ending]).toEqual([
      'not-renewed',
      'not-renewed',
    ]);
    expect(store.machine('m-2')).toMatchObject({ phase: 'leased', lease: 'a' });
    expect(nudges()).toBe(2);
  });
});

test('a host leaves use half a day before its certificate ends, as after max_machine_life was raised', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-renew-'));
  const keys = createKeys(folder, { clock: createHandClock(NOON) });
  for (const [id, hours] of [
    ['m-1', 11],
    ['m-2', 48],
  ] as const) {
    store.putMachine(known(id));
    store.putMachineTls(id, await keys.issueClient({ name: id, notAfter: NOON + hours * HOUR_MS }));
  }
  const { clock } = renewing();
  await clock.advance(SECOND_MS);
  expect([store.machine('m-1')?.ending, store.machine('m-2')?.ending]).toEqual(['max-life', null]);
  rmSync(folder, { recursive: true });
});
