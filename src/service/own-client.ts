// The manager's own client certificate: with one for all hosts, looking at thousands of them needs one TLS context and
// not one a host, whose memory only a full collection gives back.
// Must not leave the process: the runner's folders get the machine's own certificate.
import { type DurationMs, HOUR_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { CertifiedKey, Keys } from '../ports/keys.ts';

/** A new one a day: a daemon that runs for months never shows one that is about to end … */
const RENEW_EVERY_MS: DurationMs = 24 * HOUR_MS;
/** … and a machine that slept over the weekend wakes up with one that is still good. */
const VALID_FOR_MS: DurationMs = 7 * 24 * HOUR_MS;

export type OwnClient = {
  current(): CertifiedKey;
  /** Renews it until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
};

/** Makes the first one. Throws what the keys throw; a renewal that fails leaves the last one and is tried in an hour. */
export async function createOwnClient({ keys, clock }: { keys: Keys; clock: Clock }): Promise<OwnClient> {
  const issue = () => keys.issueClient({ name: 'hostler-manager', notAfter: clock.now() + VALID_FOR_MS });
  let current = await issue();
  return {
    current: () => current,
    async run(signal) {
      let pause = RENEW_EVERY_MS;
      while (!signal.aborted) {
        await clock.sleep(pause, signal);
        if (signal.aborted) return;
        try {
          current = await issue();
          pause = RENEW_EVERY_MS;
        } catch {
          pause = HOUR_MS;
        }
      }
    },
  };
}
