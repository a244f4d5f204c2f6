// The steps of a lease while the store takes nothing: what a create has is kept, nothing new is handed over, and a commit
// that could not be stored may be asked again. A real store whose database refuses writes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createLog } from '../../../src/adapters/telemetry/log.ts';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import type { Config } from '../../../src/domain/config.ts';
import { MINUTE_MS, SECOND_MS } from '../../../src/domain/units.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { createJournal } from '../../../src/service/journal.ts';
import { createLeaseBook } from '../../../src/service/lease-book.ts';
import { createStateWatch } from '../../../src/service/state-watch.ts';
import { createWaitingLine } from '../../../src/service/waiting-line.ts';
import { machine as aMachine, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

function aBook() {
  const clock = createHandClock(NOON);
  const database = openDatabase(':memory:');
  const store = createStore(database);
  const log = createLog({ level: 'error', pretty: false, clock, destination: { write: () => undefined } });
  const metrics = createMetrics({ compat: false });
  const config = createCurrentConfig({ pools: [poolSpec()] } as unknown as Config, NOON);
  const journal = createJournal({ store, log, metrics, clock });
  const book = createLeaseBook({ store, config, clock, journal, line: createWaitingLine() });
  let wentOn = 0;
  const watch = createStateWatch({ store, clock, journal, metrics, goOn: () => void wentOn++ });
  const request = (name: string) => ({
    name: `runner-linux-machine-${name}`,
    driver: 'amazonec2',
    options: [],
    store: '/store',
    pid: 1,
    runnerPid: 1,
  });
  return {
    clock,
    store,
    book,
    metrics,
    request,
    look() {
      store.flush();
      watch.look();
    },
    wentOn: () => wentOn,
    codes: () => store.events({ limit: 100 }).map(({ code }) => code),
    refuse: () => database.exec('pragma query_only = on'),
    allow: () => database.exec('pragma query_only = off'),
  };
}

let it: ReturnType<typeof aBook>;
beforeEach(() => {
  it = aBook();
});
afterEach(() => it.store.close());

describe('a create', () => {
  test('is taken in and waits, though a machine stands ready', () => {
    it.store.putMachine(aMachine({ id: 'm-1' }));
    it.refuse();
    it.store.putFact('notices', 'it');
    const { lease, granted } = it.book.admit(it.request('1'));
    expect({ state: lease.state, granted }).toEqual({ state: 'waiting', granted: null });
    expect(it.book.grant(lease.name)).toBeNull();
    it.allow();
    it.look();
    expect(it.book.grant(lease.name)?.machine.id).toBe('m-1');
  });

  test('that was granted is not handed over before that is stored, and keeps its machine meanwhile', () => {
    it.store.putMachine(aMachine({ id: 'm-1' }));
    const { lease } = it.book.admit(it.request('1'));
    it.refuse();
    for (let round = 0; round < 2; round++)
      expect(() => it.book.commit(lease.name)).toThrow(expect.objectContaining({ code: 'state-unwritable' }));
    expect(it.store.lease(lease.name)).toMatchObject({ state: 'granted', machine: 'm-1' });
    expect(it.store.machine('m-1')).toMatchObject({ phase: 'leased', lease: lease.name });
    it.allow();
    it.look();
    expect(it.book.commit(lease.name).state).toBe('held');
  });

  test('that gives up leaves nothing behind when the disk is well again', () => {
    it.store.putMachine(aMachine({ id: 'm-1' }));
    const { lease } = it.book.admit(it.request('1'));
    it.refuse();
    it.store.putFact('notices', 'it');
    it.book.end(lease.name);
    it.allow();
    it.look();
    expect(it.store.leases()).toEqual([]);
    expect(it.store.machine('m-1')).toMatchObject({ phase: 'ready', lease: null });
  });
});

describe('the watch', () => {
  test('tells the beginning and the end once each, with the gauge, and lets what waits go on', async () => {
    it.look();
    it.refuse();
    it.store.putFact('notices', 'it');
    for (let round = 0; round < 3; round++) it.look();
    expect(it.codes()).toEqual(['state-unwritable']);
    expect(await it.metrics.render()).toContain('\nhostler_state_writable_state 0');
    expect(it.wentOn()).toBe(0);
    await it.clock.advance(90 * SECOND_MS);
    it.allow();
    for (let round = 0; round < 3; round++) it.look();
    expect(it.codes()).toEqual(['state-unwritable', 'state-writable']);
    expect(it.store.events({ limit: 1 })[0]?.detail).toEqual({ after_s: 90 });
    expect(await it.metrics.render()).toContain('\nhostler_state_writable_state 1');
    expect(it.wentOn()).toBe(1);
  });

  test('gives hosts that booted meanwhile their time from then on', async () => {
    it.store.putMachine(aMachine({ id: 'm-1', phase: 'booting', since: NOON, createdAt: NOON }));
    it.store.putMachine(aMachine({ id: 'm-2', phase: 'requested', since: NOON, createdAt: NOON }));
    it.refuse();
    it.store.putFact('notices', 'it');
    it.look();
    await it.clock.advance(20 * MINUTE_MS);
    it.allow();
    it.look();
    expect(it.store.machine('m-1')?.since).toBe(NOON + 20 * MINUTE_MS);
    expect(it.store.machine('m-2')?.since).toBe(NOON);
  });
});
