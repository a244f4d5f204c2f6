// What one reading of the configuration carries along: the world it may look at, and what it collects.
// Must not keep anything from one reading to the next.
import { readFile, stat } from 'node:fs/promises';
import type { ConfigValue } from '../../domain/config.ts';
import { messageOf } from '../../domain/error.ts';
import type { Findings } from './findings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Reading = {
  env: Environment;
  /** The home folder, as the runner resolves it: HOME or nothing. */
  home: string | null;
  /** Zone of this machine, for `Timezone = "Local"` or none. */
  zone: string;
  findings: Findings;
  values: ConfigValue[];
  /** Absolute paths of every file that was looked at, present or not. */
  files: Set<string>;
  /** Origin of the GitLab that the token for all pools is for: the first one that it was taken for. */
  tokenOrigin: string | null;
};

/** Configuration files are some kilobytes; above this one somebody named the wrong file. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Reads a small file and notes it as one of the configuration's. Gives words instead of throwing. */
export async function readSmall(
  reading: Reading,
  path: string,
  most: number,
): Promise<{ bytes: Buffer } | { problem: string }> {
  reading.files.add(path);
  try {
    const found = await stat(path);
    if (!found.isFile()) return { problem: `${path} is not a file` };
    if (found.size > most) return { problem: `${path} has ${found.size} bytes, more than ${most}` };
    return { bytes: await readFile(path) };
  } catch (error) {
    return { problem: `${path} cannot be read: ${plainReason(error)}` };
  }
}

/** A system error in words; its path is already in the sentence. */
function plainReason(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const words: Record<string, string> = {
    ENOENT: 'no such file',
    EACCES: 'permission denied',
    EISDIR: 'is a folder',
    ENOTDIR: 'a part of the path is not a folder',
    ELOOP: 'too many links',
    ENAMETOOLONG: 'the name is too long',
  };
  return words[code] ?? messageOf(error);
}
