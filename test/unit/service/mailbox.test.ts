// What the daemon makes of folders that `rm` moved away: each release ends the lease it was made for, and no other; one
// that cannot be taken never holds up the rest; a host of hostler's own is never ended as another docker-machine's.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunnerStore } from '../../../src/adapters/runner-store/runner-store.ts';
import { openDatabase } from '../../../src/adapters/sqlite/database.ts';
import { createStore } from '../../../src/adapters/sqlite/store.ts';
import type { Log } from '../../../src/ports/log.ts';
import { createForeignMachines } from '../../../src/service/foreign-machines.ts';
import { createMailbox } from '../../../src/service/mailbox.ts';
import { lease as aLease, machine as aMachine, NOON } from '../../support/builders.ts';
import { createHandClock } from '../../support/hand-clock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-mailbox-'));
  mkdirSync(join(folder, 'machines', '.hostler', 'released'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const mine = 'tcp://10.0.0.1:2376\nm-1\n';

function put(path: string, files: Record<string, string>): void {
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
}
const released = (name: string) => join(folder, 'machines', '.hostler', 'released', name);
const release = (name: string, files: Record<string, string> = { hostler: mine, 'config.json': '{}' }) =>
  put(released(name), files);
const stand = (name: string, mark = mine) =>
  put(join(folder, 'machines', name), { hostler: mark, 'config.json': '{}' });

function aMailbox() {
  const clock = createHandClock(NOON);
  const warnings: string[] = [];
  const log: Log = {
    debug() {},
    info() {},
    error() {},
    warn: (message, fields) => void warnings.push(`${message} ${String(fields?.['lease'])}`),
    child: () => log,
  };
  const store = createStore(openDatabase(':memory:'));
  const runnerStore = createRunnerStore({ clock, log });
  const ended: string[] = [];
  const terminated: string[] = [];
  /** Ends leases as the service does, and tells which. */
  const leases = {
    end(name: string) {
      ended.push(name);
      store.deleteLease(name);
      return true;
    },
  };
  // A working model of EC2's answer, as the port has it.
  const cloud = {
    terminate(_site: unknown, instances: readonly string[]) {
      terminated.push(...instances);
      return Promise.resolve(instances.map((instance) => ({ instance, kind: 'accepted' })));
    },
  };
  const endForeign = createForeignMachines({
    cloud: cloud as never,
    runnerStore,
    clock,
    journal: () => undefined,
    sites: () => [{ region: 'eu-central-1' } as never],
    isOurs: (instance) => store.machines().some((machine) => machine.instance === instance),
  });
  const mailbox = createMailbox({
    store,
    leases: leases as never,
    runnerStore,
    clock,
    log,
    home: () => folder,
    retireByPerson: () => undefined,
    endForeign,
    nudge: () => undefined,
  });
  const hold = (name: string, more: Partial<ReturnType<typeof aLease>> = {}) =>
    store.putLease(aLease({ name, machine: 'm-1', state: 'held', store: folder, ...more }));
  return { store, runnerStore, mailbox, hold, ended, terminated, warnings };
}

describe('a release', () => {
  test('ends its lease and goes', async () => {
    const { mailbox, hold, ended } = aMailbox();
    hold('box-1');
    release('box-1');
    await mailbox.read();
    expect(ended).toEqual(['box-1']);
    expect(existsSync(released('box-1'))).toBe(false);
  });

  test('does not end a lease of that name whose own folder stands', async () => {
    const { mailbox, hold, ended } = aMailbox();
    hold('box-1');
    stand('box-1');
    release('box-1');
    await mailbox.read();
    expect(ended).toEqual([]);
    expect(existsSync(released('box-1'))).toBe(false);
  });

  test.each(['waiting', 'granted'] as const)(
    'does not end a %s lease: it never had a folder',
    async (state) => {
      const { mailbox, hold, ended } = aMailbox();
      hold('box-1', { state });
      release('box-1');
      await mailbox.read();
      expect(ended).toEqual([]);
      expect(existsSync(released('box-1'))).toBe(false);
    },
  );

  test('of a lease that came while the releases were read waits for the next round', async () => {
    const { mailbox, hold, ended } = aMailbox();
    release('box-1');
    const reading = mailbox.read();
    hold('box-1');
    await reading;
    expect(ended).toEqual([]);
    expect(existsSync(released('box-1'))).toBe(true);
    await mailbox.read();
    expect(ended).toEqual(['box-1']);
  });

  test('that cannot be taken does not hold up the others, and is said once', async () => {
    const { mailbox, hold, ended, warnings } = aMailbox();
    for (const name of ['box-1', 'box-2', 'box-3']) hold(name);
    for (const name of ['box-2', 'box-3']) release(name);
    // A folder of that name stands, and nobody can look into it.
    release('box-1');
    symlinkSync('box-1', join(folder, 'machines', 'box-1'));
    await mailbox.read();
    await mailbox.read();
    expect(ended.toSorted()).toEqual(['box-2', 'box-3']);
    expect(existsSync(released('box-1'))).toBe(true);
    expect(warnings).toEqual(['a release cannot be taken box-1']);
  });
});

describe("another docker-machine's release", () => {
  const config = (instance: string) =>
    JSON.stringify({ DriverName: 'amazonec2', Driver: { InstanceId: instance, Region: 'eu-central-1' } });

  test('ends the instance that it names', async () => {
    const { mailbox, terminated } = aMailbox();
    release('old-1', { 'config.json': config('i-old') });
    await mailbox.read();
    expect(terminated).toEqual(['i-old']);
    expect(existsSync(released('old-1'))).toBe(false);
  });

  test("ends nothing when the instance is hostler's own: the folder has lost its mark", async () => {
    const { mailbox, store, terminated } = aMailbox();
    store.putMachine(aMachine({ id: 'm-1', instance: 'i-own', phase: 'leased', lease: 'another' }));
    release('box-1', { 'config.json': config('i-own') });
    await mailbox.read();
    expect(terminated).toEqual([]);
    expect(existsSync(released('box-1'))).toBe(false);
  });
});
