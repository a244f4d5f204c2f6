// The one place where an error becomes what a user sees: one line on stderr and an exit code (docs/errors.md).
// Trap: a stack trace is shown only with HOSTLER_DEBUG=1.
import { errorCodes, HostlerError, messageOf } from '../../domain/error.ts';
import type { CliIo } from './io.ts';

/** Prints one line for anything thrown and gives its exit code. */
export function reportFailure(error: unknown, io: Pick<CliIo, 'err' | 'env'>): number {
  const isDebug = io.env['HOSTLER_DEBUG'] === '1';
  if (error instanceof HostlerError) {
    const place = error.where !== undefined && !error.message.includes(error.where) ? `${error.where}: ` : '';
    io.err(`hostler: ${place}${messageOf(error)} (${error.code})\n`);
  } else {
    const hint = isDebug ? '' : '; HOSTLER_DEBUG=1 shows the stack';
    io.err(`hostler: unexpected: ${messageOf(error)} (internal)${hint}\n`);
  }
  if (isDebug && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return errorCodes[error instanceof HostlerError ? error.code : 'internal'].exit;
}
