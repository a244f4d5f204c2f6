// Leases that nobody holds any more end by themselves; a job on the host, or a host that cannot be asked, keeps them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunnerStore } from '../../../src/adapters/runner-store/runner-store.ts';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createLog } from '../../../src/adapters/telemetry/log.ts';
import type { Config, PoolSpec } from '../../../src/domain/config.ts';
import { MINUTE_MS } from '../../../src/domain/units.ts';
import type { Docker, JobContainer } from '../../../src/ports/docker.ts';
import {
  ABANDONED_AFTER_MS,
  createAbandonedLeases,
  SILENT_FOR_MS,
} from '../../../src/service/abandoned-leases.ts';
import { createCurrentConfig } from '../../../src/service/current-config.ts';
import { findHolder } from '../../../src/service/relearn-leases.ts';
import { createUnknownFolders } from '../../../src/service/unknown-folders.ts';
import { lease as aLease, machine as aMachine, NOON, poolSpec } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-abandoned-'));
  mkdirSync(join(folder, 'machines'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const job = (id: string, running = true): JobContainer => ({
  id: `c-${id}`,
  running,
  jobId: id,
  jobUrl: null,
});

function stand(name: string, url = 'tcp://10.0.0.1:2376', machine = 'm-1'): void {
  mkdirSync(join(folder, 'machines', name), { recursive: true });
  writeFileSync(join(folder, 'machines', name, 'config.json'), '{}');
  writeFileSync(join(folder, 'machines', name, 'hostler'), `${url}\n${machine}\n`);
}

function aWatch(pools: readonly PoolSpec[] = [poolSpec()]) {
  const clock = createHandClock(NOON);
  const store = createStore(openDatabase(':memory:'));
  const log = createLog({ level: 'error', pretty: false, clock });
  const config = createCurrentConfig({ pools } as unknown as Config, NOON);
  const runnerStore = createRunnerStore({ clock, log });
  let containers: readonly JobContainer[] | null = [];
  // A working model of one host's Docker, as the port has it.
  const docker: Docker = {
    ping: () => Promise.resolve(containers !== null),
    jobContainers: () =>
      containers === null ? Promise.reject(new Error('no answer')) : Promise.resolve(containers),
    clean: () => Promise.resolve({ containers: [] }),
    prune: () => Promise.resolve(),
    forget: () => undefined,
  };
  const ended: string[] = [];
  const leases = {
    end(name: string) {
      ended.push(name);
      store.deleteLease(name);
      return true;
    },
  };
  const hostOf = () => ({ address: '10.0.0.1', port: 2376, tls: { ca: '', cert: '', key: '' } });
  const watch = createAbandonedLeases({
    store,
    config,
    runnerStore,
    docker,
    clock,
    leases: leases as never,
    journal: () => undefined,
    hostOf,
  });
  const prefix = pools[0]?.namePrefixes[0] ?? '';
  const hold = (name: string, pool = pools[0]?.id ?? '') => {
    store.putMachine(aMachine({ id: 'm-1', pool, phase: 'leased', lease: name }));
    store.putLease(aLease({ name, pool, machine: 'm-1', state: 'held', store: folder }));
  };
  const rounds = async (ms: number) => {
    await watch.look();
    await clock.advance(ms);
    await watch.look();
  };
  return {
    clock,
    store,
    docker,
    runnerStore,
    hostOf,
    prefix,
    ended,
    hold,
    rounds,
    watch,
    run: (now: typeof containers) => (containers = now),
  };
}

describe('a held lease', () => {
  test('without its folder and without a job ends after ten minutes, not before', async () => {
    const it = aWatch();
    it.hold(`${it.prefix}1`);
    await it.rounds(ABANDONED_AFTER_MS - 1);
    expect(it.ended).toEqual([]);
    await it.clock.advance(1);
    await it.watch.look();
    expect(it.ended).toEqual([`${it.prefix}1`]);
  });

  test('with its folder stays', async () => {
    const it = aWatch();
    it.hold(`${it.prefix}1`);
    stand(`${it.prefix}1`);
    await it.rounds(10 * ABANDONED_AFTER_MS);
    expect(it.ended).toEqual([]);
  });

  test('without its folder stays while a job runs on its host, and while the host cannot be asked', async () => {
    const it = aWatch();
    it.hold(`${it.prefix}1`);
    it.run([job('7')]);
    await it.rounds(ABANDONED_AFTER_MS);
    it.run(null);
    await it.rounds(ABANDONED_AFTER_MS);
    expect(it.ended).toEqual([]);
    it.run([job('7', false)]);
    await it.rounds(ABANDONED_AFTER_MS);
    expect(it.ended).toHaveLength(1);
  });

  test('without its folder ends after an hour in which nobody could speak to its host, not before', async () => {
    const it = aWatch();
    it.hold(`${it.prefix}1`);
    it.run(null);
    await it.rounds(SILENT_FOR_MS - MINUTE_MS);
    it.run([job('7')]);
    await it.rounds(MINUTE_MS);
    it.run(null);
    await it.rounds(SILENT_FOR_MS - MINUTE_MS);
    expect(it.ended).toEqual([]);
    await it.rounds(MINUTE_MS);
    await it.rounds(ABANDONED_AFTER_MS);
    expect(it.ended).toHaveLength(1);
  });

  test('of a section that left the configuration ends, folder or not', async () => {
    const it = aWatch();
    stand('runner-old-1');
    it.hold('runner-old-1', 'removed-pool');
    await it.rounds(ABANDONED_AFTER_MS);
    expect(it.ended).toEqual(['runner-old-1']);
    expect(await it.runnerStore.names(folder)).toEqual([]);
  });

  test('whose token changed ends; one that was served by its options from the first stays', async () => {
    const it = aWatch();
    stand('runner-oldtoken-box-1');
    it.hold('runner-oldtoken-box-1');
    await it.rounds(ABANDONED_AFTER_MS);
    expect(it.ended).toEqual(['runner-oldtoken-box-1']);
    stand('my-own-name');
    it.hold('my-own-name');
    await it.rounds(ABANDONED_AFTER_MS);
    expect(it.ended).toHaveLength(1);
  });

  test('in a store that cannot be read stays', async () => {
    const it = aWatch();
    it.hold(`${it.prefix}1`);
    rmSync(join(folder, 'machines'), { recursive: true });
    await it.rounds(ABANDONED_AFTER_MS);
    expect(it.ended).toEqual([]);
  });
});

describe('an adopted machine', () => {
  const adopt = (it: ReturnType<typeof aWatch>) => {
    it.store.putMachine(aMachine({ id: 'm-9', phase: 'provisioning', lease: null, address: '10.0.0.1' }));
    const paths = () => [folder];
    return findHolder({ ...it, paths, folders: createUnknownFolders({ ...it, paths }) }, 'm-9');
  };

  test('goes back to the lease whose folder names its address', async () => {
    const it = aWatch();
    stand('runner-a-1', 'tcp://10.0.0.2:2376');
    stand('runner-a-2', 'tcp://10.0.0.1:2376');
    it.run([job('7')]);
    expect(await adopt(it)).toMatchObject({
      name: 'runner-a-2',
      machine: 'm-9',
      state: 'held',
      store: folder,
      jobs: [{ id: '7' }],
    });
  });

  test('with a running job and no folder is held by a lease of its own', async () => {
    const it = aWatch();
    it.run([job('7')]);
    expect(await adopt(it)).toMatchObject({ name: 'unknown-m-9', machine: 'm-9', containers: 1 });
  });

  test('with nothing on it is free; one that cannot be asked is not guessed about', async () => {
    const it = aWatch();
    it.run([job('7', false)]);
    expect(await adopt(it)).toBeNull();
    it.run(null);
    await expect(adopt(it)).rejects.toThrow('no answer');
  });

  test('is not taken for free while the folders cannot be read; a job that runs holds it meanwhile', async () => {
    const it = aWatch();
    rmSync(join(folder, 'machines'), { recursive: true });
    await expect(adopt(it)).rejects.toThrow();
    it.run([job('7')]);
    expect(await adopt(it)).toMatchObject({ name: 'unknown-m-9', containers: 1 });
  });

  test('that is silent is held by the folder that names it: a job may run there all the same', async () => {
    const it = aWatch();
    it.run(null);
    stand(`${it.prefix}9`, 'tcp://10.0.0.1:2376', 'm-9');
    expect(await adopt(it)).toMatchObject({ name: `${it.prefix}9`, machine: 'm-9', containers: 0 });
  });
});
