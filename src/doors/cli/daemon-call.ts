// What all verbs that talk to the daemon share: which socket, the client's end, JSON or words.
// A verb file parses, calls, prints; it holds no policy.
import type { Command } from 'commander';
import { type Client, createClient, DEFAULT_SOCKET } from '../../contract/client.ts';
import { HostlerError } from '../../domain/error.ts';
import type { CliIo } from './io.ts';

export type CallOptions = { socket?: string };
export type ReadOptions = CallOptions & { json?: boolean };

/** Adds `--socket`. */
export function withSocket(command: Command): Command {
  return command.option('--socket <path>', `socket of the daemon (HOSTLER_SOCKET, else ${DEFAULT_SOCKET})`);
}

/** Adds `--socket` and `--json`. */
export function withReading(command: Command): Command {
  return withSocket(command).option('--json', 'print the documented JSON instead of text');
}

/** Runs `work` with a client of the daemon that options and environment name. */
export async function callDaemon<T>(
  io: CliIo,
  options: CallOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const named = options.socket ?? io.env['HOSTLER_SOCKET'] ?? '';
  const client = createClient({ socket: named === '' ? DEFAULT_SOCKET : named });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** One JSON value on stdout, indented for people unless it is a line of a stream. */
export function printJson(io: CliIo, value: unknown, shape: 'whole' | 'line' = 'whole'): void {
  io.out(`${shape === 'line' ? JSON.stringify(value) : JSON.stringify(value, null, 2)}\n`);
}

/** Lines on stdout. */
export function printLines(io: CliIo, lines: readonly string[]): void {
  if (lines.length > 0) io.out(`${lines.join('\n')}\n`);
}

/** Goes on only with `--yes` or a person's "yes". Throws `usage` otherwise: nothing was changed. */
export async function confirm(io: CliIo, isYes: boolean | undefined, what: string): Promise<void> {
  if (isYes === true) return;
  if (io.ask === undefined) throw new HostlerError('usage', `${what}: add --yes to do it`);
  const answer = (await io.ask(`${what}. Go on? [y/N] `)).trim().toLowerCase();
  if (answer !== 'y' && answer !== 'yes')
    throw new HostlerError('usage', 'not confirmed: nothing was changed');
}

/** Waits without a clock port: verbs that follow live in real time. */
export function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Seconds from an option, at least 0.1 so that a daemon is not flooded. Throws `usage`. */
export function readSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds < 0.1)
    throw new HostlerError('usage', `${JSON.stringify(text)} is no number of seconds from 0.1 up`);
  return seconds;
}
