// `file:/path` in place of a secret, so that the secret itself stays out of the configuration.
// Trap: nothing of what was read may be quoted, not even when it is wrong.
import { isAbsolute } from 'node:path';
import type { Spot } from './findings.ts';
import { type Reading, readSmall } from './reading.ts';

/** Bytes; keys and tokens are far shorter, a larger file is the wrong one. */
const MAX_SECRET_BYTES = 16 * 1024;

/** The secret as written, or the first line of the file it names; null after an error. */
export async function readSecret(
  reading: Reading,
  written: string,
  spot: Spot,
  pool?: string,
): Promise<string | null> {
  if (!written.startsWith('file:')) return written;
  const path = written.slice('file:'.length);
  if (!isAbsolute(path)) {
    reading.findings.error(
      'secret-file',
      'a secret in a file is named by an absolute path: "file:/path"',
      spot,
      pool,
    );
    return null;
  }
  const read = await readSmall(reading, path, MAX_SECRET_BYTES);
  if ('problem' in read) {
    reading.findings.error('secret-file', read.problem, spot, pool);
    return null;
  }
  const [line = ''] = read.bytes.toString('utf8').trim().split('\n');
  if (line === '') reading.findings.error('secret-file', `${path} is empty`, spot, pool);
  return line === '' ? null : line;
}
