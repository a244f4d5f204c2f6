// Reads what the door's shell part left in docker-machine's store folder: `url` and `config` calls, and folders that
// `rm` moved away. Works the same after a day without a daemon: the folder is the queue.
// Trap: a release is deleted only after its lease's end is stored; a crash in between just ends it again.
// Trap: a name may be created anew while its old folder still waits here: a release ends the lease it was made for only.
import { messageOf } from '../domain/error.ts';
import type { Lease } from '../domain/lease.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { DoorNote, Release, RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';
import { isSameHold } from './lease-steps.ts';
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

/** The name was taken again since: a lease that is not held never had a folder, one whose folder stands keeps it. */
async function isTakenAgain(runnerStore: RunnerStore, lease: Lease): Promise<boolean> {
  if (lease.state !== 'held') return true;
  if (!(await runnerStore.stands(lease.store, lease.name))) return false;
  return (await runnerStore.mark(lease.store, lease.name))?.machine === lease.machine;
}

type Attempt = (what: string, about: Record<string, string>, step: () => Promise<void>) => Promise<void>;

/** Runs one step; what fails is said once, and never keeps the others from their turn. */
function createAttempts(log: Log): Attempt {
  const failing = new Set<string>();
  return async (what, about, step) => {
    const key = [what, ...Object.values(about)].join('\n');
    try {
      await step();
      failing.delete(key);
    } catch (error) {
      if (!failing.has(key)) log.warn(what, { ...about, error: messageOf(error) });
      failing.add(key);
    }
  };
}

/** The mailbox over all stores that doors have named. */
export function createMailbox(deps: MailboxDeps): Mailbox {
  const { store, leases, runnerStore, clock } = deps;
  const attempt = createAttempts(deps.log);
  const watches = new Map<string, () => void>();
  let wake: (() => void) | null = null;

  function applyNote(note: DoorNote): void {
    const lease = store.lease(note.name);
    if (lease === null || note.verb === 'release') return;
    const asked =
      note.verb === 'url' ? { urlAt: note.at, urls: (lease.urls ?? 0) + 1 } : { configAt: note.at };
    store.putLease({ ...lease, ...asked });
    // A host that a job takes is idle no more: its replacement need not wait for the next look.
    if (note.verb === 'url') deps.nudge();
  }

  /** `before`: the lease of that name before the releases were listed. What changed since is judged in the next round. */
  async function take(path: string, release: Release, before: Lease | null): Promise<void> {
    const { name, byPerson } = release;
    if (release.foreign) return deps.endForeign(path, name);
    const isOld = before === null || (await isTakenAgain(runnerStore, before));
    const lease = store.lease(name);
    if (lease !== null && (before === null || !isSameHold(lease, before))) return;
    if (lease !== null && !isOld) {
      leases.end(name, byPerson ? 'by-person' : 'lease-ended');
      if (byPerson && lease.machine !== null) deps.retireByPerson(lease.machine);
    }
    if (store.trouble() === null) await runnerStore.takeRelease(path, name);
  }

  async function readStore(path: string): Promise<void> {
    const before = store.leases();
    await attempt('a machine store cannot be read', { store: path, what: 'calls' }, async () => {
      for (const note of await runnerStore.notes(path)) applyNote(note);
    });
    await attempt('a machine store cannot be read', { store: path, what: 'releases' }, async () => {
      const releases = await runnerStore.releases(path);
      if (releases.length === 0) return;
      const byName = new Map(before.map((lease) => [lease.name, lease]));
      for (const release of releases) {
        const { name } = release;
        await attempt('a release cannot be taken', { store: path, lease: name }, () =>
          take(path, release, byName.get(name) ?? null),
        );
      }
    });
  }

  async function read(): Promise<void> {
    // What is read is gone from its folder, so until it can be stored the folder keeps it.
    if (store.trouble() !== null) return;
    for (const path of new Set([deps.home(), ...store.stores()])) {
      await readStore(path);
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
      let noticed = new AbortController();
      // With a reason of its own: the default one is an exception with a stack, made at each notice.
      wake = () => noticed.abort('noticed');
      signal.addEventListener('abort', wake);
      while (!signal.aborted) {
        noticed = new AbortController();
        await read();
        if (!signal.aborted) await clock.sleep(MAILBOX_POLL_MS, noticed.signal);
      }
      for (const stop of watches.values()) stop();
      watches.clear();
    },
  };
}
