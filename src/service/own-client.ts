// The manager's own client certificate: with one for all hosts, looking at thousands of them needs one TLS context and
// not one a host, whose memory only a full collection gives back.
// Must not leave the process: the runner's folders get the machine's own certificate.
// Trap: dates in it are of the wall clock, which may be set while the pauses between renewals are not: a manager that starts
// before its clock is right would show all hosts an outdated one, and take them for dead.
import { type DurationMs, HOUR_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { CertifiedKey, Keys } from '../ports/keys.ts';

/** A new one a day: a daemon that runs for months never shows one that is about to end … */
const RENEW_AFTER_MS: DurationMs = 24 * HOUR_MS;
/** … and a manager that slept for weeks wakes up with one that is still good. */
const VALID_FOR_MS: DurationMs = 30 * 24 * HOUR_MS;
/** How often the wall clock is asked whether it is a day old, or was made in what is the future by now. */
const ASK_EVERY_MS: DurationMs = HOUR_MS / 4;

export type OwnClient = {
  current(): CertifiedKey;
  /** Renews it until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
};

/** Makes the first one. Throws what the keys throw; a renewal that fails leaves the last one and is tried again soon. */
export async function createOwnClient({ keys, clock }: { keys: Keys; clock: Clock }): Promise<OwnClient> {
  const issue = () => keys.issueClient({ name: 'hostler-manager', notAfter: clock.now() + VALID_FOR_MS });
  let madeAt = clock.now();
  let current = await issue();
  return {
    current: () => current,
    async run(signal) {
      for (;;) {
        await clock.sleep(ASK_EVERY_MS, signal);
        if (signal.aborted) return;
        const age = clock.now() - madeAt;
        if (age >= 0 && age < RENEW_AFTER_MS) continue;
        const now = clock.now();
        try {
          current = await issue();
          madeAt = now;
        } catch {
          // The last one is good for weeks; the next look is in a quarter of an hour.
        }
      }
    },
  };
}
