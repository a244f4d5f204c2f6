// Reaching a host that boots: attempts with growing pauses until it lets us in or the caller's signal ends.
// Must not give up because a host is slow; that is boot_timeout's decision (the signal).
// Trap: while cloud-init is still at work an AMI's own sshd may show another host key or refuse the user for a moment.
import { HostlerError, messageOf } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { HostAddress, HostSession, Hosts } from '../ports/host.ts';

/** Pauses between attempts: a host that just came up is found within a tenth of a second, one that boots is not bothered. */
const FIRST_PAUSE_MS: DurationMs = 100;
const LONGEST_PAUSE_MS: DurationMs = SECOND_MS;
const PAUSE_GROWTH = 1.5;

/** A wrong key or a refused login that lasts this long will not heal; cloud-init sets both within seconds of each other. */
export const REFUSAL_GRACE_MS: DurationMs = 45 * SECOND_MS;

/** The pause after `pause`, in ms. */
export function nextPause(pause: DurationMs): DurationMs {
  return Math.min(pause * PAUSE_GROWTH, LONGEST_PAUSE_MS);
}

/** Calls `attempt` until it gives something or the signal ends; null then. */
export async function persist<T>(
  clock: Clock,
  signal: AbortSignal,
  attempt: () => Promise<T | null>,
): Promise<T | null> {
  for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = nextPause(pause)) {
    const found = await attempt();
    if (found !== null) return found;
    await clock.sleep(pause, signal);
  }
  return null;
}

export type Connection =
  | { kind: 'connected'; session: HostSession }
  /** `fatal`: the host answered and will not let us in. Otherwise the signal ended. */
  | { kind: 'failed'; message: string; fatal: boolean };

function isRefusal(error: unknown): boolean {
  return (
    error instanceof HostlerError &&
    (error.code === 'host-key-mismatch' || error.code === 'host-login-refused')
  );
}

/** A session on the host, however long its boot takes; a refusal is believed after `graceMs`. */
export async function connectPatiently(
  deps: { hosts: Hosts; clock: Clock },
  host: HostAddress,
  signal: AbortSignal,
  graceMs: DurationMs = REFUSAL_GRACE_MS,
): Promise<Connection> {
  let last: string | null = null;
  let refusedSince: DurationMs | null = null;
  const found = await persist<Connection>(deps.clock, signal, async () => {
    try {
      return { kind: 'connected', session: await deps.hosts.connect(host, signal) };
    } catch (error) {
      // The end of the signal is not the host's fault: keep the words of the attempt before, if there was one.
      if (!signal.aborted || last === null) last = messageOf(error);
      if (!isRefusal(error)) {
        refusedSince = null;
        return null;
      }
      refusedSince ??= deps.clock.monotonic();
      const lasted = deps.clock.monotonic() - refusedSince >= graceMs;
      return lasted ? { kind: 'failed', message: last, fatal: true } : null;
    }
  });
  const untried = `SSH to ${host.address}:${host.port} was not tried`;
  return found ?? { kind: 'failed', message: last ?? untried, fatal: false };
}
