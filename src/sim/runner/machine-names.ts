// Machine names as the runner makes them: `runner-<short token>-<MachineName with %s as UNIXTIME-8HEX>`.
import type { Seeded } from '../seeded.ts';
import type { RunnerRelease } from './lifecycle-rules.ts';
import type { SectionSettings } from './runner-settings.ts';

/** Prefixes that release 19 cuts off a token. */
const tokenPrefix = /^(?:glrt-(?:t[123]_)?|t[123]_|glrtr-|glcbt-|GR[0-9a-fA-F]{7})/;

/** The short form: nine characters without prefix (release 19), the first eight (release 15); DNS-safe, lower case. */
export function shortToken(token: string, release: RunnerRelease): string {
  const kept = release === 19 ? token.replace(tokenPrefix, '').slice(0, 9) : token.slice(0, 8);
  return kept
    .toLowerCase()
    .replaceAll(/[^-a-z0-9]/g, '')
    .replace(/^[^a-z0-9]+/, '');
}

export type MachineNames = {
  next(now: number): string;
  /** Whether a folder of the store belongs to this section. */
  fits(name: string): boolean;
};

/** Names of one section. */
export function createMachineNames(
  section: Pick<SectionSettings, 'token' | 'machineName'>,
  random: Seeded,
  release: RunnerRelease,
): MachineNames {
  const pattern = `runner-${shortToken(section.token, release)}-${section.machineName}`;
  const [head = '', tail = ''] = pattern.split('%s');
  return {
    next: (now) => `${head}${Math.floor(now / 1_000)}-${random.hex(8)}${tail}`,
    fits: (name) => !name.startsWith('.') && name.startsWith(head) && name.endsWith(tail),
  };
}
