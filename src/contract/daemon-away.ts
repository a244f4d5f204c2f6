// Says why the socket cannot be used, and what to do about it: no daemon, no permission, no answer.
// It only reads the socket's owner and group; it never starts or changes anything.
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { HostlerError, messageOf } from '../domain/error.ts';
import type { DurationMs } from '../domain/units.ts';

function groupName(gid: number): string {
  try {
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((entry) => entry.split(':')[2] === String(gid));
    return line?.split(':')[0] ?? String(gid);
  } catch {
    return String(gid);
  }
}

/** The nearest of socket and folders above it that can be looked at: its group is the one that is missing. */
function holderOf(path: string): { path: string; group: string } | null {
  try {
    return { path, group: groupName(statSync(path).gid) };
  } catch {
    const above = dirname(path);
    return above === path ? null : holderOf(above);
  }
}

function denied(socket: string): string {
  const holder = holderOf(socket);
  const group = holder === null ? 'its group' : `group ${holder.group} (of ${holder.path})`;
  return `this user may not open ${socket}: it needs ${group}; join it, or run as root`;
}

/** `daemon-away` with words for a failed connection. */
export function explainAway(error: unknown, at: { socket: string; limitMs: DurationMs }): HostlerError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const words: Record<string, () => string> = {
    ENOENT: () =>
      `no daemon at ${at.socket}: is it running? start it with "hostler run --config FILE", or name its socket in HOSTLER_SOCKET`,
    ECONNREFUSED: () =>
      `no daemon behind ${at.socket}: its socket was left behind; start it again with "hostler run --config FILE"`,
    ENOTSOCK: () => `${at.socket} is no socket; name the daemon's socket in HOSTLER_SOCKET`,
    EACCES: () => denied(at.socket),
    EPERM: () => denied(at.socket),
    ETIMEDOUT: () => `the daemon at ${at.socket} did not answer within ${at.limitMs / 1000} s; see its log`,
    ECONNRESET: () => `the daemon at ${at.socket} went away before it answered; see its log`,
    EPIPE: () => `the daemon at ${at.socket} went away before it answered; see its log`,
  };
  const text = words[code]?.() ?? `the daemon at ${at.socket} cannot be reached: ${messageOf(error)}`;
  return new HostlerError('daemon-away', text, { cause: error });
}
