// The runner's folders that no lease knows, by what they say of their machine. Asked for every adopted or doubtful machine
// after a start, so a look is shared: reading all folders for each of thousands of machines would take minutes.
// Trap: a folder is only ever made for a machine that we granted, so an old look misses none of a machine without a lease.
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
  /** Those whose mark has that url. */
  byUrl(url: string): Promise<readonly UnknownFolder[]>;
};

type Deps = { store: Store; runnerStore: RunnerStore; clock: Clock; paths(): readonly string[] };

async function read({ store, runnerStore, paths }: Deps): Promise<Map<string, UnknownFolder[]>> {
  const found = new Map<string, UnknownFolder[]>();
  for (const path of paths()) {
    const names = await runnerStore.names(path).catch(() => []);
    const unknown = names.filter((name) => store.lease(name) === null);
    for (let at = 0; at < unknown.length; at += AT_ONCE) {
      const part = unknown.slice(at, at + AT_ONCE);
      const marks = await Promise.all(part.map((name) => runnerStore.mark(path, name)));
      for (const [index, mark] of marks.entries())
        if (mark !== null)
          found.set(mark.url, [...(found.get(mark.url) ?? []), { name: part[index] ?? '', path, ...mark }]);
    }
  }
  return found;
}

/** The look of one daemon. */
export function createUnknownFolders(deps: Deps): UnknownFolders {
  let last: { at: DurationMs; folders: Promise<Map<string, UnknownFolder[]>> } | null = null;
  return {
    async byUrl(url) {
      const now = deps.clock.monotonic();
      if (last === null || now - last.at > SHARED_FOR_MS) last = { at: now, folders: read(deps) };
      const folders = (await last.folders).get(url) ?? [];
      // A lease may have been relearned since the look.
      return folders.filter(({ name }) => deps.store.lease(name) === null);
    },
  };
}
