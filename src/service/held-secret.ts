// A secret of the configuration as it is used: as it stands there, or read from SSM, and read again now and then, so that a
// changed one is taken up without a restart.
// Trap: SSM may be away: a value that is known goes on until whoever asked for it says that it was refused.
import type { Secret } from '../domain/config.ts';
import type { QueueSecret } from '../domain/queue.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { SecretParameters } from '../ports/queue.ts';

/** What stands in SSM is read again so often. */
const READ_EVERY_MS: DurationMs = 10 * MINUTE_MS;
/** … and after a read that failed. */
const RETRY_MS: DurationMs = MINUTE_MS;
/** SSM answers in well under a second. */
const READ_LIMIT_MS: DurationMs = 20 * SECOND_MS;

export type HeldSecret = {
  /** Throws what reading throws, where no value is known or the known one was refused. */
  get(signal: AbortSignal): Promise<Secret>;
  /** It was refused: what stands in SSM is read anew before the next use. */
  doubt(): void;
};

/** Equal for equal secrets. Holds the value: for comparing only. */
export function secretText(secret: QueueSecret): string {
  return secret.kind === 'ssm' ? `ssm ${secret.site.key} ${secret.name}` : `value ${secret.value.reveal()}`;
}

/** A secret that was not read yet. */
export function createHeldSecret(
  secret: QueueSecret,
  { secrets, clock }: { secrets: SecretParameters; clock: Clock },
): HeldSecret {
  let known: Secret | null = null;
  /** null = not read, or refused. */
  let dueAt: DurationMs | null = null;
  return {
    async get(signal) {
      if (secret.kind === 'value') return secret.value;
      if (known !== null && dueAt !== null && clock.monotonic() < dueAt) return known;
      try {
        known = await secrets.read(secret, clock.timeout(READ_LIMIT_MS, signal));
        dueAt = clock.monotonic() + READ_EVERY_MS;
      } catch (error) {
        if (known === null || dueAt === null) throw error;
        dueAt = clock.monotonic() + RETRY_MS;
      }
      return known;
    },
    doubt() {
      dueAt = null;
    },
  };
}
