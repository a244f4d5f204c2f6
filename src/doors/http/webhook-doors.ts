// The open webhook addresses, as the configuration names them: opens new ones, closes old ones, reports how it goes.
// Trap: an address that cannot be opened keeps nothing else from working; it is said, and tried again at each reload.
import type { FastifyInstance } from 'fastify';
import type { Config, Secret } from '../../domain/config.ts';
import { messageOf } from '../../domain/error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { type WebhookBook, webhooksOf } from '../../service/webhook-book.ts';
import { listenOn } from './listen-address.ts';
import { createWebhookApp } from './webhook-app.ts';
import { createHookGuard } from './webhook-proof.ts';

export type WebhookDoors = {
  /** Takes over a configuration; resolves when all of its addresses were tried. */
  follow(config: Config): Promise<void>;
  close(): Promise<void>;
};

export type WebhookDoorDeps = {
  book: WebhookBook;
  clock: Clock;
  log: Log;
  /** A project changed. */
  changed(project: number): void;
};

/** No address is open yet. */
export function createWebhookDoors({ book, clock, log, changed }: WebhookDoorDeps): WebhookDoors {
  let wanted: ReadonlyMap<string, readonly Secret[]> = new Map();
  const open = new Map<string, FastifyInstance>();
  let last: Promise<void> = Promise.resolve();
  let isClosed = false;

  async function openOne(listen: string): Promise<void> {
    const app = createWebhookApp({
      guard: createHookGuard(() => wanted.get(listen) ?? []),
      now: () => clock.now(),
      changed,
      taken: () => book.taken(listen, clock.now()),
      refused: (why) => book.refused(listen, why),
    });
    try {
      book.opened(listen, await listenOn(app, listen, 'webhook_listen'));
      open.set(listen, app);
    } catch (error) {
      await app.close();
      book.failed(listen, messageOf(error));
      log.error('webhooks are not taken; the queue is polled all the same', { error: messageOf(error) });
    }
  }

  async function apply(config: Config): Promise<void> {
    if (isClosed) return;
    wanted = webhooksOf(config);
    for (const [listen, app] of open) {
      if (wanted.has(listen)) continue;
      open.delete(listen);
      await app.close();
      book.closed(listen);
    }
    for (const listen of wanted.keys()) if (!open.has(listen)) await openOne(listen);
  }

  return {
    follow(config) {
      last = last.then(() => apply(config));
      return last;
    },
    async close() {
      isClosed = true;
      await last;
      await Promise.all([...open.values()].map((app) => app.close()));
    },
  };
}
