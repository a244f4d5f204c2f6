// A secret file that is made at the first need and never again, safe against parallel first starts of several
// processes: written beside, flushed, then linked to its name; `link` refuses when another was first, and its file wins.
// Must not: replace a file that stands, however broken. What it holds is on hosts already; a person has to decide.
import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HostlerError, messageOf } from '../../domain/error.ts';

/** PEM files of a key and a certificate take some 2 KB; more is not ours. */
const MAX_FILE_BYTES = 64 * 1024;

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

async function readPrivate(file: string): Promise<string | null> {
  try {
    const { mode, size } = await lstat(file);
    if (size > MAX_FILE_BYTES)
      throw new HostlerError(
        'state-unusable',
        `${file}: larger than ${MAX_FILE_BYTES} bytes, not a key file`,
      );
    if ((mode & 0o077) !== 0) await chmod(file, 0o600);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

async function writeNew(folder: string, file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  const opened = await open(folder, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/**
 * Text of `folder/name`, made by `make` if it is not there. The folder is 0700, the file 0600.
 * Throws `state-unusable` when it can be neither read nor made.
 */
export async function madeOnce(folder: string, name: string, make: () => Promise<string>): Promise<string> {
  const file = join(folder, name);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    const there = await readPrivate(file);
    if (there !== null) return there;
    await writeNew(folder, file, await make());
    const made = await readPrivate(file);
    if (made === null) throw new Error('it vanished right after it was made');
    return made;
  } catch (error) {
    if (error instanceof HostlerError) throw error;
    throw new HostlerError('state-unusable', `${file}: cannot be read or made: ${messageOf(error)}`, {
      where: file,
      cause: error,
    });
  }
}
