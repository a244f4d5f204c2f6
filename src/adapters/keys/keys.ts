// The Keys port on a folder: authority and SSH user key are made once and stay; leaves and host keys are made per use
// and are not kept here. Must not log or return a secret in an error.
// Trap: files are read once per process; whoever replaces keys/ restarts the daemon.
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HostlerError, messageOf } from '../../domain/error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CertifiedKey, Keys } from '../../ports/keys.ts';
import { type Authority, issueLeaf, type LeafOrder, makeAuthority, readAuthority } from './certificates.ts';
import { madeOnce } from './made-once.ts';
import { newSshKey, readSshKey, type SshKeyPair } from './ssh-keys.ts';

/** File names below the folder. One file holds certificate and key, so that they cannot come from two parallel starts. */
export const AUTHORITY_FILE = 'authority.pem';
export const USER_KEY_FILE = 'ssh-user-key';
export const IDENTITY_FILE = 'manager-id';

/** Largest private key file taken; a 16384-bit RSA key has 13 KB. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/** One run at a time, kept when it succeeds and tried anew when it failed. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | null = null;
  return () => {
    kept ??= work().catch((error: unknown) => {
      kept = null;
      throw error;
    });
    return kept;
  };
}

function readIdentity(text: string): string {
  const id = text.trim();
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw new Error('it does not hold a uuid');
  return id;
}

async function readGivenKey(path: string): Promise<SshKeyPair> {
  try {
    const { size } = await stat(path);
    if (size > MAX_KEY_FILE_BYTES) throw new Error(`larger than ${MAX_KEY_FILE_BYTES} bytes`);
    return readSshKey(await readFile(path, 'utf8'));
  } catch (error) {
    throw new HostlerError('config-invalid', `SSH key ${path} cannot be used: ${messageOf(error)}`, {
      where: path,
      cause: error,
    });
  }
}

/**
 * Keys below `folder` (made 0700). Every method throws `state-unusable` when the folder's files cannot be used,
 * `readUserKey` throws `config-invalid`.
 */
export function createKeys(folder: string, deps: { clock: Clock }): Keys {
  async function kept<T>(name: string, make: () => Promise<string>, read: (text: string) => T | Promise<T>) {
    const text = await madeOnce(folder, name, make);
    try {
      return await read(text);
    } catch (error) {
      const file = join(folder, name);
      throw new HostlerError(
        'state-unusable',
        `${file} is damaged: ${messageOf(error)}; put its backup back, or move it away: machines made with it then end by themselves`,
        { where: file, cause: error },
      );
    }
  }

  const authority: () => Promise<Authority> = once(() =>
    kept(AUTHORITY_FILE, () => makeAuthority(deps.clock.now()), readAuthority),
  );
  const userKey = once(() => kept(USER_KEY_FILE, () => Promise.resolve(newSshKey().privateKey), readSshKey));

  const identity = once(() => kept(IDENTITY_FILE, () => Promise.resolve(`${randomUUID()}\n`), readIdentity));

  // One after the other: a leaf takes some 3 ms of the main thread, and 200 machines may be launched at once.
  let line: Promise<unknown> = Promise.resolve();
  function issue(order: Omit<LeafOrder, 'now'>): Promise<CertifiedKey> {
    const leaf = line.then(async () => issueLeaf(await authority(), { ...order, now: deps.clock.now() }));
    line = leaf.catch(() => undefined);
    return leaf;
  }

  return {
    async authority() {
      return (await authority()).pem;
    },
    issueServer: (subject) =>
      issue({
        commonName: subject.name,
        use: 'server',
        addresses: [...new Set([...subject.addresses, '127.0.0.1'])],
        names: [...new Set([...subject.names, 'localhost'])],
        notAfter: subject.notAfter,
      }),
    issueClient: (subject) =>
      issue({
        commonName: subject.name,
        use: 'client',
        addresses: [],
        names: [],
        notAfter: subject.notAfter,
      }),
    identity,
    userKey,
    readUserKey: readGivenKey,
    hostKey: () => Promise.resolve(newSshKey()),
    token: () => randomBytes(16).toString('hex'),
  };
}
