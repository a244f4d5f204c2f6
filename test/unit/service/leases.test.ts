// The lease service on a real store and a real folder: who gets a machine, what every kind of end leaves behind.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createRunnerStore } from '../../../src/adapters/runner-store/runner-store.ts';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createLog } from '../../../src/adapters/telemetry/log.ts';
import { createMetrics } from '../../../src/adapters/telemetry/metrics.ts';
import type { LeaseEvent } from '../../../src/contract/api.ts';
import type { Config, PoolSpec } from '../../../src/domain/config.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import type { LeaseConnection } from '../../../src/service/door-connections.ts';
import { createJournal } from '../../../src/service/journal.ts';
import { createLeases, HEARTBEAT_MS, RECONNECT_GRACE_MS } from '../../../src/service/leases.ts';
import { createWaitingLine } from '../../../src/service/waiting-line.ts';
import { machine as aMachine, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock, settle } from '../../support/hand-clock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-leases-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function aService(over: Partial<PoolSpec> = {}) {
  const pool = poolSpec(over);
  const clock = createHandClock(NOON);
  const store = createStore(openDatabase(':memory:'));
  const log = createLog({ level: 'error', pretty: false, clock });
  const metrics = createMetrics({ compat: false });
  const config = createCurrentConfig({ pools: [pool] } as unknown as Config, NOON);
  const journal = createJournal({ store, log, metrics, clock });
  const cleaning: string[] = [];
  const runnerStore = createRunnerStore({ clock, log });
  let stopping = false;
  const leases = createLeases({
    store,
    config,
    clock,
    log,
    journal,
    metrics,
    line: createWaitingLine(),
    runnerStore,
    filesFor: (_lease, machine) => ({ url: `tcp://${machine.address}:2376`, files: { 'config.json': '{}' } }),
    startCleaning: (id) => void cleaning.push(id),
    nudge: () => undefined,
    isStopping: () => stopping,
    waitReason: () => 'a machine is booting',
  });
  const prefix = pool.namePrefixes[0] ?? 'runner-';
  let pid = 100;

  function open(
    name: string,
    from = pid++,
  ): {
    name: string;
    pid: number;
    events: LeaseEvent[];
    ended(): boolean;
    close(): Promise<void>;
  } {
    const events: LeaseEvent[] = [];
    let isOver = false;
    let closed = () => {};
    const connection: LeaseConnection = {
      send: (event) => void events.push(event),
      end: () => {
        isOver = true;
      },
      onClosed: (then) => {
        closed = then;
      },
    };
    void leases.open(
      { name: `${prefix}${name}`, driver: 'amazonec2', options: [], store: folder, pid: from, runnerPid: 1 },
      connection,
    );
    return {
      name: `${prefix}${name}`,
      pid: from,
      events,
      ended: () => isOver,
      close: () => (closed(), settle()),
    };
  }
  const ready = (id: string, more: Parameters<typeof aMachine>[0] = {}) => {
    store.putMachine(aMachine({ id, pool: pool.id, phase: 'ready', lease: null, ...more }));
    leases.grantReady(pool.id);
  };
  const stand = (name: string) => {
    mkdirSync(join(folder, 'machines', name), { recursive: true });
    writeFileSync(join(folder, 'machines', name, 'config.json'), '{}');
    writeFileSync(join(folder, 'machines', name, 'hostler'), 'tcp://1.2.3.4:2376\nm\n');
  };
  /** As a door leaves it that has its grant and not yet its commit. */
  const halfMake = (name: string) => {
    const path = join(folder, 'machines', `.${name}.tmp`);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'key.pem'), 'key');
  };
  return {
    pool,
    clock,
    store,
    runnerStore,
    leases,
    cleaning,
    open,
    ready,
    stand,
    halfMake,
    left: () => readdirSync(join(folder, 'machines')),
    stop: () => (stopping = true),
  };
}

describe('a create', () => {
  test('gets a ready machine at once, with the files of its folder', async () => {
    const service = aService();
    service.ready('m-1');
    const door = service.open('a');
    await settle();
    expect(door.events).toMatchObject([{ event: 'granted', machine: 'm-1', files: { 'config.json': '{}' } }]);
    expect(service.store.machine('m-1')).toMatchObject({ phase: 'leased', lease: door.name });
  });

  test('waits with its place and the reason, and is told of life every 15 s', async () => {
    const service = aService();
    const first = service.open('a');
    await service.clock.advance(1);
    const second = service.open('b');
    await settle();
    expect(second.events).toEqual([
      { event: 'waiting', pool: service.pool.id, place: 2, reason: 'a machine is booting' },
    ]);
    await service.clock.advance(HEARTBEAT_MS);
    service.leases.sweep();
    expect(first.events).toHaveLength(2);
  });

  test('that waits longest is served first', async () => {
    const service = aService();
    const doors = [service.open('b')];
    await service.clock.advance(10);
    doors.push(service.open('a'));
    await settle();
    service.ready('m-1');
    expect(doors[0]?.events.at(-1)).toMatchObject({ event: 'granted', machine: 'm-1' });
    expect(doors[1]?.events.at(-1)).toMatchObject({ event: 'waiting' });
  });

  test('never gets a machine that is being cleaned, ending, unhealthy or leased', async () => {
    const service = aService();
    service.ready('m-1', { cleaning: true, phase: 'leased' });
    service.ready('m-2', { ending: 'max-builds' });
    service.ready('m-3', { failedPings: 1 });
    service.ready('m-4', { phase: 'leased', lease: 'other' });
    const door = service.open('a');
    await settle();
    expect(door.events).toMatchObject([{ event: 'waiting' }]);
  });

  test('of a name that is being created is refused; the first one goes on', async () => {
    const service = aService();
    const first = service.open('a');
    await settle();
    const second = service.open('a');
    await settle();
    expect(second.events).toMatchObject([{ event: 'failed', code: 'lease-exists' }]);
    service.ready('m-1');
    expect(first.events.at(-1)).toMatchObject({ event: 'granted' });
  });

  test('gives up after create_wait with the reason, and its place goes to the next create', async () => {
    const service = aService({ createWaitMs: 60_000 });
    const old = service.open('a');
    await service.clock.advance(30_000);
    const other = service.open('b');
    await service.clock.advance(30_000);
    service.leases.sweep();
    expect(old.events.at(-1)).toMatchObject({ event: 'failed', code: 'create-timeout' });
    expect(old.ended()).toBe(true);
    const retry = service.open('c');
    await settle();
    expect(retry.events).toMatchObject([{ event: 'waiting', place: 1 }]);
    service.leases.sweep();
    expect(retry.events.at(-1)).toMatchObject({ event: 'waiting' });
    expect(other.ended()).toBe(false);
  });
});

describe('the end of a lease', () => {
  test('a caller that dies while it waits leaves nothing', async () => {
    const service = aService();
    const door = service.open('a');
    await settle();
    await door.close();
    expect(service.store.leases()).toEqual([]);
    service.ready('m-1');
    expect(service.store.machine('m-1')?.phase).toBe('ready');
  });

  test('a caller that dies between grant and commit gives the machine back, unused', async () => {
    const service = aService();
    service.ready('m-1', { idleSince: NOON - 5 });
    const door = service.open('a');
    await settle();
    await door.close();
    expect(service.store.machine('m-1')).toMatchObject({
      phase: 'ready',
      lease: null,
      builds: 0,
      idleSince: NOON - 5,
    });
    expect(service.cleaning).toEqual([]);
    expect(() => service.leases.commit(door.name)).toThrow(/taken back/);
  });

  test('a caller that dies after commit without its folder gives the machine back; with its folder it keeps it', async () => {
    const service = aService();
    service.ready('m-1');
    const ghost = service.open('a');
    await settle();
    service.leases.commit(ghost.name);
    await ghost.close();
    await vi.waitFor(() => expect(service.store.lease(ghost.name)).toBeNull());
    const kept = service.open('b');
    await settle();
    service.leases.commit(kept.name);
    service.stand(kept.name);
    await kept.close();
    // The service looks at the folder first; the same looks here end after its own.
    for (let look = 0; look < 5; look++) await service.runnerStore.stands(folder, kept.name);
    expect(service.store.lease(kept.name)).toMatchObject({ state: 'held', machine: 'm-1' });
  });

  test('after a use the machine is cleaned before anyone else gets it, and its jobs count', async () => {
    const service = aService({ maxBuilds: 10 });
    service.ready('m-1');
    const door = service.open('a');
    await settle();
    service.leases.commit(door.name);
    const lease = service.store.lease(door.name);
    if (lease === null) throw new Error('the lease stands');
    service.store.putLease({
      ...lease,
      urlAt: NOON,
      jobs: [1, 2].map((id) => ({ id: String(id), url: null, seenAt: NOON })),
    });
    expect(service.leases.end(door.name, 'lease-ended')).toBe(true);
    expect(service.store.machine('m-1')).toMatchObject({
      phase: 'leased',
      lease: null,
      cleaning: true,
      builds: 2,
      ending: null,
    });
    expect(service.cleaning).toEqual(['m-1']);
    const next = service.open('b');
    await settle();
    expect(next.events.at(-1)).toMatchObject({ event: 'waiting' });
  });

  test('a machine that has run MaxBuilds jobs is not handed out again', async () => {
    const service = aService({ maxBuilds: 1 });
    service.ready('m-1');
    const door = service.open('a');
    await settle();
    service.leases.commit(door.name);
    const lease = service.store.lease(door.name);
    if (lease === null) throw new Error('the lease stands');
    service.store.putLease({ ...lease, urlAt: NOON });
    service.leases.end(door.name, 'lease-ended');
    expect(service.store.machine('m-1')).toMatchObject({ builds: 1, ending: 'max-builds' });
  });

  test('rm during a create ends it: the commit is refused', async () => {
    const service = aService();
    service.ready('m-1');
    const door = service.open('a');
    await settle();
    service.leases.end(door.name, 'lease-ended');
    expect(door.events.at(-1)).toMatchObject({ event: 'failed', code: 'lease-gone' });
    expect(() => service.leases.commit(door.name)).toThrow(/taken back/);
  });

  test('while the daemon stops, closing connections ends no lease', async () => {
    const service = aService();
    const door = service.open('a');
    await settle();
    service.stop();
    await door.close();
    expect(service.store.lease(door.name)?.state).toBe('waiting');
  });
});

describe('a name in two hands', () => {
  const taken = (name: string) => join(folder, 'machines', '.hostler', 'released', name);

  test('goes to the door that asks again before the end of its first connection was heard', async () => {
    const service = aService();
    const first = service.open('a');
    await settle();
    const second = service.open('a', first.pid);
    await settle();
    expect(second.events).toMatchObject([{ event: 'waiting' }]);
    await first.close();
    service.ready('m-1');
    expect(second.events.at(-1)).toMatchObject({ event: 'granted', machine: 'm-1' });
  });

  test('keeps its machine for the door whose commit got no answer', async () => {
    const service = aService();
    service.ready('m-1');
    const first = service.open('a');
    await settle();
    service.leases.commit(first.name);
    service.ready('m-2', { idleSince: NOON + 1 });
    const second = service.open('a', first.pid);
    await vi.waitFor(() =>
      expect(second.events).toMatchObject([{ event: 'granted', machine: 'm-1', pool: service.pool.id }]),
    );
    expect(service.store.lease(first.name)).toMatchObject({ state: 'granted', machine: 'm-1', heldAt: null });
    service.leases.commit(second.name);
    expect(service.store.lease(first.name)).toMatchObject({ state: 'held', machine: 'm-1' });
  });

  test('is a new lease when the old one was given back and nobody has read that yet', async () => {
    const service = aService();
    service.ready('m-1');
    const first = service.open('a');
    await settle();
    service.leases.commit(first.name);
    service.stand(first.name);
    await first.close();
    mkdirSync(join(taken('x'), '..'), { recursive: true });
    renameSync(join(folder, 'machines', first.name), taken(first.name));
    await service.clock.advance(1_000);
    const second = service.open('a');
    await vi.waitFor(() => expect(second.events.at(-1)).toMatchObject({ event: 'granted' }));
    expect(existsSync(taken(first.name))).toBe(false);
    expect(service.store.lease(first.name)).toMatchObject({ state: 'granted', since: NOON + 1_000 });
  });

  test('stays with the folder that stands', async () => {
    const service = aService();
    service.ready('m-1');
    const first = service.open('a');
    await settle();
    service.leases.commit(first.name);
    service.stand(first.name);
    await first.close();
    const second = service.open('a');
    await vi.waitFor(() => expect(second.events).toMatchObject([{ event: 'failed', code: 'lease-exists' }]));
    expect(service.store.lease(first.name)).toMatchObject({ state: 'held', machine: 'm-1' });
  });
});

describe('a half-made folder', () => {
  test('goes with the lease that ends while its door is at work', async () => {
    const service = aService();
    service.ready('m-1');
    const granted = service.open('a');
    await settle();
    service.halfMake(granted.name);
    service.leases.end(granted.name, 'lease-ended');
    await service.leases.folderSettled(granted.name);
    expect(service.left()).toEqual([]);
    const committed = service.open('b');
    await settle();
    service.halfMake(committed.name);
    service.leases.commit(committed.name);
    service.leases.end(committed.name, 'lease-ended');
    await service.leases.folderSettled(committed.name);
    expect(service.left()).toEqual([]);
  });

  test('goes with the lease of a door that never came back after a restart', async () => {
    const service = aService();
    const door = service.open('a');
    await settle();
    const lease = service.store.lease(door.name);
    if (lease === null) throw new Error('the lease stands');
    // Of the daemon before: nobody is connected.
    service.store.putLease({ ...lease, name: 'of-before', state: 'granted', grantedAt: NOON });
    service.halfMake('of-before');
    await service.clock.advance(RECONNECT_GRACE_MS + 1);
    service.leases.sweep();
    expect(service.store.lease('of-before')).toBeNull();
    await service.leases.folderSettled('of-before');
    expect(service.left()).toEqual([]);
  });
});

describe('a store that cannot be read', () => {
  test('keeps the lease of a door that ended', async () => {
    const service = aService();
    service.ready('m-1');
    const door = service.open('a');
    await settle();
    service.leases.commit(door.name);
    mkdirSync(join(folder, 'machines'), { recursive: true });
    symlinkSync(door.name, join(folder, 'machines', door.name));
    await door.close();
    await service.leases.folderSettled(door.name);
    expect(service.store.lease(door.name)).toMatchObject({ state: 'held', machine: 'm-1' });
  });

  test('is said to the create that needs it', async () => {
    const service = aService();
    service.ready('m-1');
    const door = service.open('a');
    await settle();
    service.leases.commit(door.name);
    mkdirSync(join(folder, 'machines'), { recursive: true });
    symlinkSync(door.name, join(folder, 'machines', door.name));
    await door.close();
    await service.leases.folderSettled(door.name);
    const second = service.open('a');
    await vi.waitFor(() => expect(second.events).toMatchObject([{ event: 'failed', code: 'internal' }]));
    expect(second.ended()).toBe(true);
  });
});
