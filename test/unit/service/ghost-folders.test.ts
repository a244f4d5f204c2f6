// Folders that no lease knows say so and go; those that may still mean a host with a job, or that nobody can judge, stay.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunnerStore } from '../../../src/adapters/runner-store/runner-store.ts';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import { createLog } from '../../../src/adapters/telemetry/log.ts';
import type { Docker, JobContainer } from '../../../src/ports/docker.ts';
import { createGhostFolders, LOOKS } from '../../../src/service/ghost-folders.ts';
import { lease as aLease, machine as aMachine, NOON } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-ghosts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NAME = 'runner-a-1';
const at = (file = '') => join(folder, 'machines', NAME, file);

/** A folder of ours for machine m-1 at 10.0.0.1, and the watch over it. */
function aWatch() {
  mkdirSync(at(), { recursive: true });
  writeFileSync(at('config.json'), '{}');
  writeFileSync(at('hostler'), 'tcp://10.0.0.1:2376\nm-1\n');
  const clock = createHandClock(NOON);
  const store = createStore(openDatabase(':memory:'));
  const log = createLog({ level: 'error', pretty: false, clock });
  const world = { seesAll: true, containers: [] as readonly JobContainer[] | null };
  const docker: Docker = {
    ping: () => Promise.resolve(world.containers !== null),
    jobContainers: () =>
      world.containers === null ? Promise.reject(new Error('no answer')) : Promise.resolve(world.containers),
    clean: () => Promise.resolve({ containers: [] }),
    prune: () => Promise.resolve(),
    forget: () => undefined,
  };
  const said: string[] = [];
  const watch = createGhostFolders({
    store,
    runnerStore: createRunnerStore({ clock, log }),
    docker,
    clock,
    journal: ({ code }) => void said.push(code),
    hostOf: () => ({ address: '10.0.0.1', port: 2376, tls: { ca: '', cert: '', key: '' } }),
    paths: () => [folder],
    seesAll: () => world.seesAll,
  });
  const look = async (count: number) => {
    for (let left = count; left > 0; left -= 1) await watch.look();
  };
  return { store, world, said, look };
}

const job: JobContainer = { id: 'c', running: true, jobId: '7', jobUrl: null };

describe('a folder without a lease', () => {
  test('whose machine is gone says so after ten minutes in which EC2 could be seen, and goes at the next look', async () => {
    const it = aWatch();
    await it.look(LOOKS - 1);
    it.world.seesAll = false;
    await it.look(5);
    expect(existsSync(at('hostler-health'))).toBe(false);
    it.world.seesAll = true;
    await it.look(1);
    expect(readFileSync(at('hostler-health'), 'utf8')).toMatch(/^gone /);
    expect(it.said).toEqual(['lease-abandoned']);
    await it.look(1);
    expect(existsSync(at())).toBe(false);
  });

  test('goes too when its host stands and is free or has another lease', async () => {
    for (const over of [{}, { phase: 'leased', lease: 'runner-b-2' }] as const) {
      const it = aWatch();
      it.store.putMachine(aMachine({ id: 'm-1', ...over }));
      it.world.containers = over.lease === undefined ? [] : [job];
      await it.look(LOOKS + 1);
      expect(existsSync(at())).toBe(false);
    }
  });

  test('stays while a job runs on its host, while the host is silent, and while EC2 cannot be seen', async () => {
    const it = aWatch();
    // Taken back under another id after the database was lost: its address tells.
    it.store.putMachine(aMachine({ id: 'm-9', phase: 'booting', address: '10.0.0.1' }));
    for (const now of [
      { containers: [job], seesAll: true },
      { containers: null, seesAll: true },
      { containers: [], seesAll: false },
    ]) {
      Object.assign(it.world, now);
      await it.look(2 * LOOKS);
    }
    expect(existsSync(at('hostler-health'))).toBe(false);
    expect(it.said).toEqual([]);
  });

  test('that is known again in between begins anew', async () => {
    const it = aWatch();
    await it.look(LOOKS - 1);
    it.store.putLease(aLease({ name: NAME, machine: 'm-1', state: 'held', store: folder }));
    await it.look(1);
    it.store.deleteLease(NAME);
    await it.look(LOOKS - 1);
    expect(existsSync(at('hostler-health'))).toBe(false);
  });
});
