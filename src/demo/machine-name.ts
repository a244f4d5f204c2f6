// Machine names as gitlab-runner builds them: `runner-<short token>-<MachineName with %s as UNIXTIME-8HEX>`.
// Only newer releases' way of shortening; hostler itself knows all of them (adapters/config).
import { randomBytes } from 'node:crypto';
import type { EpochMs } from '../domain/units.ts';
import { SECOND_MS } from '../domain/units.ts';

/** Prefixes that runner 19 cuts off a token before it keeps nine characters. */
const tokenPrefix = /^(?:glrt-(?:t[123]_)?|t[123]_|glrtr-|glcbt-|GR[0-9a-f]{7})/;

/** The token's short form: nine characters, lower case, DNS-safe. */
export function shortToken(token: string): string {
  return token
    .replace(tokenPrefix, '')
    .slice(0, 9)
    .toLowerCase()
    .replaceAll(/[^-a-z0-9]/g, '')
    .replace(/^[^a-z0-9]+/, '');
}

export type MachineNames = {
  /** A new name. */
  next(now: EpochMs): string;
  /** Whether a folder of the store belongs to this section. */
  fits(name: string): boolean;
};

/** Names of one section. `machineName` is MachineName as the file has it, with its `%s`. */
export function createMachineNames(section: { token: string; machineName: string }): MachineNames {
  const pattern = `runner-${shortToken(section.token)}-${section.machineName}`;
  const [head = '', tail = ''] = pattern.split('%s');
  return {
    next: (now) => pattern.replace('%s', `${Math.floor(now / SECOND_MS)}-${randomBytes(4).toString('hex')}`),
    fits: (name) => !name.startsWith('.') && name.startsWith(head) && name.endsWith(tail),
  };
}
