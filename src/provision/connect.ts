// Reaching a host that boots: attempts with growing pauses until it lets us in or the caller's signal ends.
// Must not give up because a host is slow; that is boot_timeout's decision (the signal).
// Trap: while cloud-init is still at work an AMI's own sshd may show another host key or refuse the user for a moment.
import { HostlerError, messageOf } from '../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { HostAddress, HostSession, Hosts } from '../ports/host.ts';
import { FIRST_PAUSE_MS, nextPause } from './boot-pace.ts';

/** A wrong key or a refused login that lasts this long will not heal; cloud-init sets both within seconds of each other. */
export const REFUSAL_GRACE_MS: DurationMs = 45 * SECOND_MS;

/** The pause after a pause. */
export type Pace = (pause: DurationMs) => DurationMs;

/** Calls `attempt` until it gives something or the signal ends; null then. */
export async function persist<T>(
  clock: Clock,
  signal: AbortSignal,
  attempt: () => Promise<T | null>,
  pace: Pace = nextPause,
): Promise<T | null> {
  for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = pace(pause)) {
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
  { graceMs = REFUSAL_GRACE_MS, pace = nextPause }: { graceMs?: DurationMs; pace?: Pace } = {},
): Promise<Connection> {
  let last: string | null = null;
  let refusedSince: DurationMs | null = null;
  const attempt = async (): Promise<Connection | null> => {
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
  };
  const found = await persist(deps.clock, signal, attempt, pace);
  const untried = `SSH to ${host.address}:${host.port} was not tried`;
  return found ?? { kind: 'failed', message: last ?? untried, fatal: false };
}
