// Notices door calls and releases by file notification, so that a lease ends in milliseconds instead of at the next poll.
// Only a hint: the daemon polls anyway, since notification fails silently on some file systems.
// Trap: the reader's own renames cause notices too; only appended calls and changes among the releases count.
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { CALLS, RELEASED } from '../../contract/store-layout.ts';
import { messageOf } from '../../domain/error.ts';
import type { DurationMs } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/** Between attempts to watch a store that cannot be watched yet; polling serves meanwhile. */
const RETRY_MS: DurationMs = 10_000;

type WatchOrder = {
  clock: Clock;
  log: Log;
  mailbox: string;
  /** Makes the mailbox's folders. */
  open: () => Promise<unknown>;
  changed: () => void;
};

/** Watches until the returned function is called. Never throws. */
export function watchMailbox({ clock, log, mailbox, open, changed }: WatchOrder): () => void {
  const stop = new AbortController();
  let watchers: FSWatcher[] = [];

  const close = () => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };

  async function start(): Promise<void> {
    await open();
    if (stop.signal.aborted) return;
    const failed = (error: Error) => {
      if (watchers.length === 0) return;
      log.debug('a machine store is no longer watched, only polled', { mailbox, error: messageOf(error) });
      close();
      void keepTrying(RETRY_MS);
    };
    watchers.push(watch(join(mailbox, RELEASED), { persistent: false }, () => changed()));
    const calls = watch(mailbox, { persistent: false }, (event, file) => {
      if (event === 'change' && (file === CALLS || file === null)) changed();
    });
    watchers.push(calls);
    for (const watcher of watchers) watcher.on('error', failed);
  }

  async function keepTrying(delayMs: DurationMs): Promise<void> {
    if (delayMs > 0) await clock.sleep(delayMs, stop.signal);
    if (stop.signal.aborted) return;
    try {
      await start();
      changed();
    } catch (error) {
      close();
      log.debug('a machine store cannot be watched, only polled', { mailbox, error: messageOf(error) });
      void keepTrying(RETRY_MS);
    }
  }

  void keepTrying(0);
  return () => {
    stop.abort();
    close();
  };
}
