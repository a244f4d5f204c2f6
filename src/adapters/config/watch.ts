// Watches the configuration's files and says when they have changed and come to rest.
// The runner truncates its file and writes it anew in place, editors rename over it, mounted files are links that move:
// so folders are watched, and the files are looked at from time to time as well.
// Trap: a callback means "read again", not "it is good": an empty or broken file is refused by loadConfig.
import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';

/** How long size and times must stand still before a change counts as complete (design §10). */
const REST_MS: DurationMs = SECOND_MS;

/** Notification misses network and some bind mounts; one stat a file every five seconds costs nothing. */
const LOOK_MS: DurationMs = 5 * SECOND_MS;

/** Between two looks for nothing: a log beside the files would otherwise ask for one with every line. */
const CALM_MS: DurationMs = 250;

export type WatchOptions = {
  files: readonly string[];
  changed(): void;
  clock: Pick<Clock, 'sleep'>;
};

/** What tells one state of a file from another; links are followed. */
function signature(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return 'absent';
  }
}

function watchFolders(files: readonly string[], changed: () => void): () => void {
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    try {
      const watcher = watch(folder, { persistent: false }, changed);
      // A folder that goes away is seen by the looks from time to time.
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch {
      // Without notification the looks are enough.
    }
  }
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}

/**
 * Calls `changed` after each change of one of the files, once it has been still for a second. Returns the end; after
 * it `changed` is not called any more.
 */
export function watchConfig({ files, changed, clock }: WatchOptions): () => void {
  const stop = new AbortController();
  const look = (): string => files.map(signature).join('|');
  let known = look();
  let wake = new AbortController();
  const unwatch = watchFolders(files, () => wake.abort());

  const untilStill = async (seen: string): Promise<string> => {
    let last = seen;
    while (!stop.signal.aborted) {
      await clock.sleep(REST_MS, stop.signal);
      const now = look();
      if (now === last) break;
      last = now;
    }
    return last;
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await clock.sleep(LOOK_MS, wake.signal);
      wake = new AbortController();
      const seen = look();
      if (stop.signal.aborted) return;
      if (seen === known) {
        await clock.sleep(CALM_MS, stop.signal);
        continue;
      }
      const still = await untilStill(seen);
      if (stop.signal.aborted || still === known) continue;
      known = still;
      changed();
    }
  };

  void run();
  return () => {
    stop.abort();
    wake.abort();
    unwatch();
  };
}
