// The Keys port on a vault (a folder, or SSM): authority, SSH user key and identity are made once and stay; leaves and host
// keys are made per use and are not kept. Must not log or return a secret in an error.
// Traps: keys are read once per process, so whoever replaces them restarts the daemon; keys of two managers must never
// mix, so the identity is settled before anything else is carried from one vault to another.
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { HostlerError, messageOf } from '../../domain/error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeyVault } from '../../ports/key-vault.ts';
import type { CertifiedKey, Keys } from '../../ports/keys.ts';
import { type Authority, issueLeaf, type LeafOrder, makeAuthority, readAuthority } from './certificates.ts';
import { createFileVault } from './file-vault.ts';
import { newSshKey, readSshKey, type SshKeyPair } from './ssh-keys.ts';

/** Names in the vault. One text holds certificate and key, so that they cannot come from two parallel starts. */
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

/** Keys that know how they were found. */
export type FoundKeys = Keys & {
  /** Whether this process made the identity: nothing was kept under it before. */
  areNew(): Promise<boolean>;
};

type KeyDeps = {
  clock: Clock;
  /** Vaults that kept the keys before, nearest first: what is not in the present one is carried over from there. */
  earlier?: readonly KeyVault[];
};

function twoManagers(vault: KeyVault, other: KeyVault): HostlerError {
  return new HostlerError(
    'state-unusable',
    `${other.place} holds the keys of another manager than ${vault.place}; move them away to use those of ${vault.place} (machines made with them then end by themselves), or name another place in keys`,
    { where: other.place },
  );
}

/** What is kept: read once, carried over, or made. */
function createKeepsakes(vault: KeyVault, { clock, earlier = [] }: KeyDeps) {
  let madeIdentity = false;

  async function carried(name: string): Promise<string | null> {
    for (const other of earlier) {
      const text = await other.read(name);
      if (text !== null) return text;
    }
    return null;
  }

  async function kept<T>(name: string, make: () => Promise<string>, read: (text: string) => T | Promise<T>) {
    const text =
      (await vault.read(name)) ?? (await vault.make(name, (await carried(name)) ?? (await make())));
    try {
      return await read(text);
    } catch (error) {
      const where = `${vault.place}/${name}`;
      throw new HostlerError(
        'state-unusable',
        `${where} is damaged: ${messageOf(error)}; put its backup back, or move it away: machines made with it then end by themselves`,
        { where, cause: error },
      );
    }
  }

  const identity = once(async () => {
    const make = () => {
      madeIdentity = true;
      return Promise.resolve(`${randomUUID()}\n`);
    };
    const id = await kept(IDENTITY_FILE, make, readIdentity);
    for (const other of earlier) {
      const text = await other.read(IDENTITY_FILE);
      if (text !== null && text.trim() !== id) throw twoManagers(vault, other);
    }
    return id;
  });
  /** With one vault nothing can mix, and a key may be made before anybody asks who this is. */
  const settled = () => (earlier.length === 0 ? Promise.resolve() : identity().then(() => undefined));

  const authority: () => Promise<Authority> = once(async () => {
    await settled();
    return kept(AUTHORITY_FILE, () => makeAuthority(clock.now()), readAuthority);
  });
  const userKey = once(async () => {
    await settled();
    return kept(USER_KEY_FILE, () => Promise.resolve(newSshKey().privateKey), readSshKey);
  });
  const areNew = async () => {
    await identity();
    return madeIdentity;
  };
  return { identity, authority, userKey, areNew };
}

/**
 * Keys of a vault; a path names a folder. Every method throws `state-unusable` when what is kept cannot be used (from SSM
 * also `cloud-refused`), `readUserKey` throws `config-invalid`.
 */
export function createKeys(from: KeyVault | string, deps: KeyDeps): FoundKeys {
  const vault = typeof from === 'string' ? createFileVault(from) : from;
  const { identity, authority, userKey, areNew } = createKeepsakes(vault, deps);

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
    areNew,
    userKey,
    readUserKey: readGivenKey,
    hostKey: () => Promise.resolve(newSshKey()),
    token: () => randomBytes(16).toString('hex'),
  };
}
