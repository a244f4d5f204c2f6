// The open webhook addresses, as the configuration names them: opens new ones, closes old ones, reports how it goes.
// Traps: an address that cannot be opened keeps nothing else from working; it is said, and tried again at each reload; one
// whose secrets stand in SSM opens when the first of them was read, for without any it could only refuse.
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../domain/config.ts';
import { messageOf } from '../../domain/error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { WebhookBook } from '../../service/webhook-book.ts';
import { ROUND_MS, type WebhookSecrets } from '../../service/webhook-secrets.ts';
import { listenOn } from './listen-address.ts';
import { createWebhookApp } from './webhook-app.ts';
import { createHookGuard } from './webhook-proof.ts';

export type WebhookDoors = {
  /** Takes over a configuration; resolves when all addresses were tried whose secrets are known without SSM. */
  follow(config: Config): Promise<void>;
  close(): Promise<void>;
};

export type WebhookDoorDeps = {
  book: WebhookBook;
  secrets: WebhookSecrets;
  clock: Clock;
  log: Log;
  /** A project changed. */
  changed(project: number): void;
};

type Context = WebhookDoorDeps & { wanted: readonly string[]; open: Map<string, FastifyInstance> };

async function openOne({ book, secrets, clock, log, changed, open }: Context, listen: string): Promise<void> {
  const app = createWebhookApp({
    guard: createHookGuard(() => secrets.of(listen)),
    now: () => clock.now(),
    changed,
    taken: () => book.taken(listen, clock.now()),
    refused(why) {
      secrets.doubt(listen);
      book.refused(listen, why);
    },
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

async function closeUnwanted({ book, wanted, open }: Context): Promise<void> {
  for (const [listen, app] of open) {
    if (wanted.includes(listen)) continue;
    open.delete(listen);
    await app.close();
    book.closed(listen);
  }
}

/** Opens what can be opened now. */
async function openWanted(context: Context): Promise<void> {
  const { wanted, open, secrets } = context;
  for (const listen of wanted)
    if (!open.has(listen) && secrets.of(listen).length > 0) await openOne(context, listen);
}

/** Says once what keeps a secret in SSM from being read, and forgets it when it was. */
function createTroubles({ book, secrets, log }: WebhookDoorDeps): (listen: string, isOpen: boolean) => void {
  const said = new Map<string, string>();
  return (listen, isOpen) => {
    const trouble = secrets.trouble(listen);
    if (trouble === null) return void said.delete(listen);
    if (!isOpen) book.failed(listen, trouble);
    if (said.get(listen) === trouble) return;
    said.set(listen, trouble);
    log.error('a secret of webhooks cannot be read; the queue is polled all the same', { error: trouble });
  };
}

/** No address is open yet. */
export function createWebhookDoors(deps: WebhookDoorDeps): WebhookDoors {
  const { secrets, clock } = deps;
  const context: Context = { ...deps, wanted: [], open: new Map() };
  const stop = new AbortController();
  const tellTrouble = createTroubles(deps);
  let last: Promise<void> = Promise.resolve();

  async function readSecrets(): Promise<void> {
    await secrets.read(stop.signal);
    if (stop.signal.aborted) return;
    await openWanted(context);
    for (const listen of context.wanted) tellTrouble(listen, context.open.has(listen));
  }

  async function watch(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(ROUND_MS, stop.signal);
      if (!stop.signal.aborted) await inTurn(readSecrets);
    }
  }

  /** One after the other: two at once could open one address twice. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    last = last.then(() => (stop.signal.aborted ? undefined : work()));
    return last;
  }

  const watching = watch();
  return {
    async follow(config) {
      await inTurn(async () => {
        context.wanted = secrets.follow(config);
        await closeUnwanted(context);
        await openWanted(context);
      });
      void inTurn(readSecrets);
    },
    async close() {
      stop.abort('closed');
      await Promise.all([last, watching]);
      await Promise.all([...context.open.values()].map((app) => app.close()));
    },
  };
}
