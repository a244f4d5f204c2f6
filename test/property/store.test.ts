// The store on disk against the simulator's store in memory: the same steps, the same answers, also after transactions that
// throw and after a restart. The simulator proves something about the daemon only as long as both are one.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/sqlite/open-store.ts';
import type { MachinePhase } from '../../src/domain/machine.ts';
import type { Store } from '../../src/ports/store.ts';
import { createMemoryDisk } from '../../src/simulator/daemon/memory-disk.ts';
import { openMemoryStore } from '../../src/simulator/daemon/memory-store.ts';
import { launch, lease, machine, memory, NOON } from '../support/builders.ts';

type Step = { name: string; run(store: Store): unknown };

const ids = fc.constantFrom('a', 'b', 'c');
const ages = fc.integer({ min: 0, max: 5 });
const phases = fc.constantFrom<MachinePhase>('ready', 'leased', 'terminating', 'gone');

/** One write or look; each gives what both stores must answer alike. */
const simple: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(ids, phases, ages).map(([id, phase, age]) => ({
    name: `machine ${id} ${phase} ${age}`,
    run: (store: Store) => store.putMachine(machine({ id, phase, since: NOON - age })),
  })),
  fc.tuple(ids, fc.boolean()).map(([id, withCa]) => ({
    name: `certificate ${id}`,
    run: (store: Store) =>
      store.putMachineTls(id, { cert: `cert ${id}`, key: 'key', ...(withCa ? { ca: 'ca' } : {}) }),
  })),
  fc.tuple(ids, ages).map(([name, age]) => ({
    name: `lease ${name} ${age}`,
    run: (store: Store) => store.putLease(lease({ name, since: NOON - age })),
  })),
  ids.map((name) => ({ name: `no lease ${name}`, run: (store: Store) => store.deleteLease(name) })),
  fc
    .tuple(ids, ages, fc.constantFrom('intended' as const, 'launched' as const))
    .map(([token, age, state]) => ({
      name: `launch ${token} ${age}`,
      run: (store: Store) => store.putLaunch(launch({ token, at: NOON - age, state })),
    })),
  fc.tuple(ids, fc.integer({ min: 0, max: 9 })).map(([pool, reserve]) => ({
    name: `memory ${pool}`,
    run: (store: Store) => store.putMemory(memory({ pool, reserve })),
  })),
  fc.tuple(ids, fc.double({ min: 0, max: 9e5, noNaN: true })).map(([pool, ms]) => ({
    name: `boot ${pool} ${ms}`,
    run: (store: Store) => store.addBoot(pool, ms),
  })),
  fc.tuple(ids, fc.integer({ min: 1, max: 9 })).map(([key, failures]) => ({
    name: `rest ${key} ${failures}`,
    run: (store: Store) => {
      const outcome = { kind: 'throttled', scope: 'account', code: 'x', message: 'x' } as const;
      return store.putRest({ key, outcome, failures, since: NOON, until: NOON + failures });
    },
  })),
  ids.map((key) => ({ name: `no rest ${key}`, run: (store: Store) => store.deleteRest(key) })),
  ids.map((path) => ({ name: `store /${path}`, run: (store: Store) => store.addStore(`/${path}`) })),
  fc.tuple(ids, ids).map(([name, value]) => ({
    name: `fact ${name}`,
    run: (store: Store) => store.putFact(name, value),
  })),
  fc.tuple(ids, ids).map(([pool, id]) => ({
    name: `event ${pool} ${id}`,
    run: (store: Store) =>
      store.addEvent({ at: NOON, code: 'demand', pool, machine: id, lease: null, text: 'x', detail: { id } }),
  })),
  ages.map((age) => ({ name: `drop gone ${age}`, run: (store: Store) => store.dropGone(NOON - age) })),
  fc.constant({ name: 'flush', run: (store: Store) => store.flush() }),
);

/** Several steps in one transaction, which may throw at its end; those inside one another join. */
const transaction: fc.Arbitrary<Step> = fc
  .record({
    steps: fc.array(simple, { maxLength: 5 }),
    inner: fc.array(simple, { maxLength: 2 }),
    throws: fc.boolean(),
    survives: fc.constantFrom('power-loss' as const, 'crash' as const),
  })
  .map(({ steps, inner, throws, survives }) => ({
    name: `${throws ? 'broken ' : ''}transaction of ${[...steps, ...inner].map(({ name }) => name).join(', ')}`,
    run: (store: Store) => {
      try {
        return store.transaction(() => {
          for (const step of steps) if (!step.name.startsWith('event')) step.run(store);
          store.transaction(() => inner.forEach((step) => !step.name.startsWith('event') && step.run(store)));
          if (throws) throw new Error('broken on purpose');
        }, survives);
      } catch (error) {
        return (error as Error).message;
      }
    },
  }));

const restart = fc.constant<Step>({ name: 'restart', run: () => undefined });
const steps = fc.array(
  fc.oneof({ weight: 6, arbitrary: simple }, { weight: 3, arbitrary: transaction }, restart),
  { maxLength: 30 },
);

/** Everything that a store tells. Order is the caller's affair where rows have none. */
function told(store: Store): unknown {
  const by = <T>(rows: readonly T[], key: (row: T) => string) =>
    rows.toSorted((one, other) => key(one).localeCompare(key(other)));
  const names = ['a', 'b', 'c'];
  return {
    machines: by(store.machines(), ({ id }) => id),
    leases: by(store.leases(), ({ name }) => name),
    launches: by(store.launches(), ({ token }) => token),
    rests: by(store.rests(), ({ key }) => key),
    stores: store.stores(),
    events: store.events({ limit: 100 }),
    ofA: store.events({ limit: 3, pool: 'a' }),
    since: store.events({ limit: 4, after: 2 }),
    each: names.map((name) => ({
      machine: store.machine(name),
      tls: store.machineTls(name),
      lease: store.lease(name),
      launch: store.launch(name),
      memory: store.memory(name),
      boots: store.boots(name),
      fact: store.fact(name),
    })),
    trouble: store.trouble(),
  };
}

describe('the store on disk and the one in memory', () => {
  let folder: string;
  let runs = 0;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hostler-store-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('tell the same after any steps, broken transactions and restarts', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        runs += 1;
        const place = join(folder, String(runs));
        const open = () => openMemoryStore(disk);
        const disk = createMemoryDisk();
        let model = open();
        let real = openStoreAt(place);
        for (const step of drawn) {
          if (step.name === 'restart') {
            model.close();
            real.close();
            model = open();
            real = openStoreAt(place);
          } else expect(step.run(real), step.name).toEqual(step.run(model));
        }
        expect(told(real)).toEqual(told(model));
        real.close();
      }),
      { numRuns: 60 },
    );
  });
});

function openStoreAt(folder: string): Store {
  mkdirSync(folder, { recursive: true });
  return openStore(folder, NOON).store;
}
