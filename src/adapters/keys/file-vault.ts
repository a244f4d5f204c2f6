// Keys as files of one folder, safe against parallel first starts of several processes: a new one is written beside,
// flushed, then linked to its name; `link` refuses when another was first, and its file wins.
// Must not: replace a file that stands, however broken. What it holds is on hosts already; a person has to decide.
import { randomBytes } from 'node:crypto';
import { chmod, link, lstat, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HostlerError, messageOf } from '../../domain/error.ts';
import type { KeyVault } from '../../ports/key-vault.ts';

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

/** Writes a file of 0600 under another name, flushed to disk. Gives that name. */
async function writeDraft(file: string, text: string): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}

async function flushFolder(folder: string): Promise<void> {
  const opened = await open(folder, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

async function writeNew(folder: string, file: string, text: string): Promise<void> {
  const draft = await writeDraft(file, text);
  try {
    await link(draft, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  await flushFolder(folder);
}

/** Says what cannot be done with a file, once. */
async function orUnusable<T>(file: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HostlerError) throw error;
    throw new HostlerError('state-unusable', `${file}: cannot be ${what}: ${messageOf(error)}`, {
      where: file,
      cause: error,
    });
  }
}

/** The files of `folder`, 0600 in a folder 0700 that the first of them makes. Throws `state-unusable`. */
export function createFileVault(folder: string): KeyVault {
  return {
    place: folder,
    read(name) {
      const file = join(folder, name);
      return orUnusable(file, 'read', () => readPrivate(file));
    },
    make(name, text) {
      const file = join(folder, name);
      return orUnusable(file, 'read or made', async () => {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await chmod(folder, 0o700);
        await writeNew(folder, file, text);
        const made = await readPrivate(file);
        if (made === null) throw new Error('it vanished right after it was made');
        return made;
      });
    },
  };
}

/** A copy of a key that lives elsewhere, 0600, replaced whole: for programs that read a file. Throws `state-unusable`. */
export function putKeyFile(file: string, text: string): Promise<void> {
  return orUnusable(file, 'written', async () => {
    if ((await readPrivate(file)) === text) return;
    await rename(await writeDraft(file, text), file);
    await flushFolder(dirname(file));
  });
}
