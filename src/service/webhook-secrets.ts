// The secrets that prove webhooks, by address: those of the configuration at once, those in SSM when they were read.
// Must hold no secret's text longer than the configuration names it.
// Traps: one address may serve several pools, each with a secret of its own; anybody may send a call that fits none of
// them, so a refused one makes SSM be read again once a minute at most, and a value that is known stays until then.
import type { Config, Secret } from '../domain/config.ts';
import { messageOf } from '../domain/error.ts';
import { LEAST_HOOK_SECRET, type QueueSecret } from '../domain/queue.ts';
import { type DurationMs, MINUTE_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { SecretParameters } from '../ports/queue.ts';
import { createHeldSecret, type HeldSecret, secretText } from './held-secret.ts';

/** Secrets in SSM are looked after so often. */
export const ROUND_MS: DurationMs = MINUTE_MS;

type Held = { held: HeldSecret; value: Secret | null; trouble: string | null; isDoubted: boolean };

export type WebhookSecrets = {
  /** Takes over a configuration; gives its addresses. What it names in SSM is not read yet. */
  follow(config: Config): readonly string[];
  /** What proves a call at this address now; empty = none of its secrets was read yet. */
  of(listen: string): readonly Secret[];
  /** Why a secret of the address cannot be read; null = each can. */
  trouble(listen: string): string | null;
  /** A call fitted no secret: one in SSM may have been changed. */
  doubt(listen: string): void;
  /** Reads what is due in SSM. */
  read(signal: AbortSignal): Promise<void>;
};

/** Addresses that a configuration asks for, with the secrets of its pools. */
function wantedOf(config: Config): Map<string, QueueSecret[]> {
  const wanted = new Map<string, QueueSecret[]>();
  for (const { queue } of config.pools) {
    if (queue === undefined || queue.webhook === null) continue;
    const { listen, secret } = queue.webhook;
    wanted.set(listen, [...(wanted.get(listen) ?? []), secret]);
  }
  return wanted;
}

/** No configuration yet. */
export function createWebhookSecrets(deps: { secrets: SecretParameters; clock: Clock }): WebhookSecrets {
  let known = new Map<string, Held>();
  let byListen = new Map<string, Held[]>();

  function hold(secret: QueueSecret): Held {
    const value = secret.kind === 'value' ? secret.value : null;
    return { held: createHeldSecret(secret, deps), value, trouble: null, isDoubted: false };
  }

  async function readOne(one: Held, signal: AbortSignal): Promise<void> {
    if (one.isDoubted) one.held.doubt();
    one.isDoubted = false;
    try {
      const value = await one.held.get(signal);
      const isShort = value.reveal().length < LEAST_HOOK_SECRET;
      one.trouble = isShort ? `a webhook's secret has at least ${LEAST_HOOK_SECRET} characters` : null;
      if (!isShort) one.value = value;
    } catch (error) {
      one.trouble = messageOf(error);
    }
  }

  return {
    follow(config) {
      const next = new Map<string, Held>();
      byListen = new Map();
      for (const [listen, secrets] of wantedOf(config)) {
        const held = secrets.map((secret) => {
          const key = secretText(secret);
          const one = next.get(key) ?? known.get(key) ?? hold(secret);
          next.set(key, one);
          return one;
        });
        byListen.set(listen, held);
      }
      known = next;
      return [...byListen.keys()];
    },
    of: (listen) => (byListen.get(listen) ?? []).flatMap(({ value }) => value ?? []),
    trouble: (listen) => byListen.get(listen)?.find(({ trouble }) => trouble !== null)?.trouble ?? null,
    doubt(listen) {
      for (const one of byListen.get(listen) ?? []) one.isDoubted = true;
    },
    async read(signal) {
      await Promise.all([...known.values()].map((one) => readOne(one, signal)));
    },
  };
}
