// The runner's folders that no lease knows, by what they say of their machine. Asked for every adopted or doubtful machine
// after a start, so a look is shared: reading all folders for each of thousands of machines would take minutes.
// Trap: a folder is only ever made for a machine that we granted, so an old look misses none of a machine without a lease.
// Trap: a store that cannot be read is not an empty one: taken for free, a host that the runner holds would end under its job.
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { RunnerStore } from '../ports/runner-store.ts';
import type { Store } from '../ports/store.ts';

/** One look serves those who ask within this time: a burst of adoptions, a round over all ready machines. */
const SHARED_FOR_MS: DurationMs = 5 * SECOND_MS;
/** Folders read at once. */
const AT_ONCE = 32;

export type UnknownFolder = { name: string; path: string; url: string; machine: string };

export type UnknownFolders = {
  /** Those whose mark has that url. Throws when there is none, but a store could not be read. */
  byUrl(url: string): Promise<readonly UnknownFolder[]>;
};

type Deps = { store: Store; runnerStore: RunnerStore; clock: Clock; paths(): readonly string[] };

type Look = { found: Map<string, UnknownFolder[]>; unread: { error: unknown } | null };

async function read({ store, runnerStore, paths }: Deps): Promise<Look> {
  const found = new Map<string, UnknownFolder[]>();
  let unread: Look['unread'] = null;
  for (const path of paths()) {
    const names = await runnerStore.names(path).catch((error: unknown) => {
      unread = { error };
      return [];
    });
    const unknown = names.filter((name) => store.lease(name) === null);
    for (let at = 0; at < unknown.length; at += AT_ONCE) {
      const part = unknown.slice(at, at + AT_ONCE);
      const marks = await Promise.all(part.map((name) => runnerStore.mark(path, name)));
      for (const [index, mark] of marks.entries())
        if (mark !== null)
          found.set(mark.url, [...(found.get(mark.url) ?? []), { name: part[index] ?? '', path, ...mark }]);
    }
  }
  return { found, unread };
}

/** The look of one daemon. */
export function createUnknownFolders(deps: Deps): UnknownFolders {
  let last: { at: DurationMs; look: Promise<Look> } | null = null;
  return {
    async byUrl(url) {
      const now = deps.clock.monotonic();
      if (last === null || now - last.at > SHARED_FOR_MS) last = { at: now, look: read(deps) };
      const { found, unread } = await last.look;
      const folders = found.get(url) ?? [];
      if (folders.length === 0 && unread !== null) throw unread.error;
      // A lease may have been relearned since the look.
      return folders.filter(({ name }) => deps.store.lease(name) === null);
    },
  };
}
