// Reads what the door's shell part left in docker-machine's store folder: `url` and `config` calls, and folders that
// `rm` moved away. Works the same after a day without a daemon: the folder is the queue.
// Trap: a release is deleted only after its lease's end is stored; a crash in between just ends it again.
import { messageOf } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { DoorNote, RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import type { Leases } from './leases.ts';

/** File notification can fail silently (network file systems, full queues), so the folder is read this often anyway. */
export const MAILBOX_POLL_MS: DurationMs = 2 * SECOND_MS;

export type Mailbox = {
  /** Reads every known store once. */
  read(): Promise<void>;
  /** Reads on every notice and every poll until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
};

type MailboxDeps = {
  store: Store;
  leases: Leases;
  runnerStore: RunnerStore;
  clock: Clock;
  log: Log;
  /** The configured store, known before any door called. */
  home(): string;
  /** A person's `rm` ends the machine as well. */
  retireByPerson(machine: string): void;
  /** A machine made by another docker-machine was removed: end what it stood for, then take the release. */
  endForeign(path: string, name: string): Promise<void>;
  /** Look again soon. */
  nudge(): void;
};

/** The mailbox over all stores that doors have named. */
export function createMailbox(deps: MailboxDeps): Mailbox {
  const { store, leases, runnerStore, clock, log } = deps;
  const watches = new Map<string, () => void>();
  const failing = new Set<string>();
  let wake: (() => void) | null = null;

  function applyNote(note: DoorNote): void {
    const lease = store.lease(note.name);
    if (lease === null || note.verb === 'release') return;
    store.putLease(note.verb === 'url' ? { ...lease, urlAt: note.at } : { ...lease, configAt: note.at });
    // A host that a job takes is idle no more: its replacement need not wait for the next look.
    if (note.verb === 'url') deps.nudge();
  }

  async function readStore(path: string): Promise<void> {
    for (const note of await runnerStore.notes(path)) applyNote(note);
    for (const release of await runnerStore.releases(path)) {
      if (release.foreign) {
        await deps.endForeign(path, release.name);
        continue;
      }
      const machine = store.lease(release.name)?.machine ?? null;
      const known = leases.end(release.name, release.byPerson ? 'by-person' : 'lease-ended');
      if (known && release.byPerson && machine !== null) deps.retireByPerson(machine);
      await runnerStore.takeRelease(path, release.name);
    }
  }

  async function read(): Promise<void> {
    for (const path of new Set([deps.home(), ...store.stores()])) {
      try {
        await readStore(path);
        failing.delete(path);
      } catch (error) {
        if (!failing.has(path))
          log.warn('a machine store cannot be read', { store: path, error: messageOf(error) });
        failing.add(path);
      }
      if (!watches.has(path))
        watches.set(
          path,
          runnerStore.watch(path, () => wake?.()),
        );
    }
  }

  return {
    read,
    async run(signal) {
      while (!signal.aborted) {
        const noticed = new AbortController();
        wake = () => noticed.abort();
        await read();
        await clock.sleep(MAILBOX_POLL_MS, AbortSignal.any([signal, noticed.signal]));
      }
      for (const stop of watches.values()) stop();
      watches.clear();
    },
  };
}
