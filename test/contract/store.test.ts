// What the store port promises, on the database and in memory: the simulator's proofs hold for the daemon only as far as both
// keep the same promises.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/adapters/sqlite/database.ts';
import { createStore } from '../../src/adapters/sqlite/store.ts';
import type { Store } from '../../src/ports/store.ts';
import { createMemoryDisk } from '../../src/simulator/daemon/memory-disk.ts';
import { openMemoryStore } from '../../src/simulator/daemon/memory-store.ts';
import {
  launch as aLaunch,
  lease as aLease,
  machine as aMachine,
  memory as aMemory,
} from '../support/builders.ts';

/** One place where a store can be opened, closed and opened again. */
type Place = { open(): Store; close(): void };

function onDisk(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-contract-'));
  return {
    open: () => createStore(openDatabase(join(folder, 'state.db'))),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function inMemory(): Place {
  const disk = createMemoryDisk();
  return { open: () => openMemoryStore(disk), close: () => undefined };
}

describe.each([
  ['on the database', onDisk],
  ['in memory', inMemory],
])('the store %s', (_name, make) => {
  let place: Place;
  beforeEach(() => {
    place = make();
  });
  afterEach(() => place.close());

  const event = (text: string, machine: string | null = null) =>
    ({ at: 1, code: 'launched', pool: 'build', machine, lease: null, text, detail: { n: 1 } }) as const;

  test('holds everything when it is opened again', () => {
    const first = place.open();
    const rest = {
      key: 'site/account',
      outcome: { kind: 'throttled', scope: 'account', code: 'X', message: 'm' },
      failures: 1,
      since: 1,
      until: 2,
    } as const;
    first.transaction(() => {
      first.putMachine(aMachine({ id: 'm-1' }));
      first.putLease(aLease({ name: 'runner-a-1' }));
      first.putLaunch(aLaunch({ token: 'token-1' }));
    });
    first.putRest(rest);
    first.putMemory(aMemory({ pool: 'build', reserve: 3 }));
    first.putMachineTls('m-1', { cert: 'C', key: 'K' });
    first.putFact('manager', 'uuid');
    first.addStore('/b');
    first.addStore('/a');
    first.addStore('/a');
    first.addBoot('build', 1234.6);
    first.addEvent(event('one'));
    first.close();
    const second = place.open();
    expect(second.machines()).toEqual([aMachine({ id: 'm-1' })]);
    expect(second.leases()).toEqual([aLease({ name: 'runner-a-1' })]);
    expect(second.launches()).toEqual([aLaunch({ token: 'token-1' })]);
    expect(second.rests()).toEqual([rest]);
    expect(second.memory('build')).toEqual(aMemory({ pool: 'build', reserve: 3 }));
    expect(second.machineTls('m-1')).toEqual({ cert: 'C', key: 'K', ca: null });
    expect(second.fact('manager')).toBe('uuid');
    expect(second.stores()).toEqual(['/a', '/b']);
    expect(second.boots('build')).toEqual([1235]);
    expect(second.events({ limit: 10 }).map(({ seq, text }) => [seq, text])).toEqual([[1, 'one']]);
    second.close();
  });

  test('knows nothing of what was never put', () => {
    const store = place.open();
    expect([
      store.machine('m'),
      store.lease('l'),
      store.launch('t'),
      store.memory('p'),
      store.fact('f'),
    ]).toEqual(Array.from({ length: 5 }, () => null));
    expect(store.machineTls('m')).toBeNull();
    expect([store.boots('p'), store.stores(), store.rests()]).toEqual([[], [], []]);
    expect(store.trouble()).toBeNull();
    store.close();
  });

  test('undoes a transaction that throws, the inner one with the outer', () => {
    const store = place.open();
    store.putMachine(aMachine({ id: 'm-1', builds: 1 }));
    store.putLease(aLease({ name: 'l-1' }));
    expect(() =>
      store.transaction(() => {
        store.putMachine(aMachine({ id: 'm-1', builds: 2 }));
        store.deleteLease('l-1');
        store.transaction(() => store.putMachine(aMachine({ id: 'm-2' })), 'crash');
        throw new Error('in between');
      }),
    ).toThrow('in between');
    expect(store.machine('m-1')?.builds).toBe(1);
    expect(store.machine('m-2')).toBeNull();
    expect(store.lease('l-1')).not.toBeNull();
    store.transaction(() => store.putMachine(aMachine({ id: 'm-3' })));
    expect(store.machine('m-3')).not.toBeNull();
    store.close();
  });

  test('answers with what the work answers, and reads its own writes inside', () => {
    const store = place.open();
    const builds = store.transaction(() => {
      store.putMachine(aMachine({ id: 'm-1', builds: 7 }));
      return store.machine('m-1')?.builds;
    }, 'crash');
    expect(builds).toBe(7);
    store.close();
  });

  test('forgets ended machines, their certificates and settled launches after their time, open intents never', () => {
    const store = place.open();
    store.putMachine(aMachine({ id: 'm-old', phase: 'gone', since: 1_000 }));
    store.putMachineTls('m-old', { cert: 'C', key: 'K' });
    store.putMachine(aMachine({ id: 'm-new', phase: 'gone', since: 9_000 }));
    store.putMachine(aMachine({ id: 'm-here', phase: 'ready', since: 1_000 }));
    store.putLaunch(aLaunch({ token: 'settled', state: 'launched', at: 1_000 }));
    store.putLaunch(aLaunch({ token: 'open', state: 'intended', at: 1_000 }));
    store.dropGone(5_000);
    expect(store.machines().map(({ id }) => id)).toEqual(['m-new', 'm-here']);
    expect(store.machineTls('m-old')).toBeNull();
    expect(store.launches().map(({ token }) => token)).toEqual(['open']);
    store.close();
  });

  test('drops rests and keeps the last 50 boots of each pool', () => {
    const store = place.open();
    const outcome = { kind: 'throttled', scope: 'account', code: 'X', message: 'm' } as const;
    store.putRest({ key: 'k', outcome, failures: 1, since: 1, until: 2 });
    store.deleteRest('k');
    expect(store.rests()).toEqual([]);
    for (let ms = 1; ms <= 60; ms++) store.addBoot('build', ms);
    expect(store.boots('build')).toEqual(Array.from({ length: 50 }, (_, index) => index + 11));
    store.close();
  });

  test('gives the newest events to a first look, what came after to one that follows, and those of one machine', () => {
    const store = place.open();
    for (let n = 1; n <= 5; n++) store.addEvent(event(`e${n}`, n === 3 ? 'm-1' : null));
    expect(store.events({ limit: 2 }).map(({ text }) => text)).toEqual(['e4', 'e5']);
    expect(store.events({ after: 2, limit: 2 }).map(({ text }) => text)).toEqual(['e3', 'e4']);
    expect(store.events({ limit: 10, machine: 'm-1' }).map(({ text }) => text)).toEqual(['e3']);
    expect(store.events({ limit: 10, pool: 'other' })).toEqual([]);
    store.close();
  });
});
