// Key pairs of one region: imported or made, found by name or id, deleted. Describe knows only those; a launch may name
// any unless the world is strict, and then brings no key.
// Trap: docker-machine asks for a pair of its machine's name first and goes on only when it does not exist, so that none
// may come into being by mention.
import { createHash, createPublicKey } from 'node:crypto';
import { refuse } from './ec2-error.ts';
import { type Fields, matching, pageOf, type Query } from './search.ts';
import type { Seeded } from './seeded.ts';
import { checkTags, type Tag, tagMap } from './tags.ts';

export type KeyPair = {
  order: number;
  id: string;
  name: string;
  type: 'rsa' | 'ed25519';
  fingerprint: string;
  /** A line of authorized_keys: algorithm, base64, the pair's name. */
  publicKey: string;
  createdAt: number;
  tags: Map<string, string>;
};

type PublicKey = Pick<KeyPair, 'type' | 'fingerprint'> & { line: string };

const fields: Fields<KeyPair> = {
  'key-pair-id': (pair) => [pair.id],
  'key-name': (pair) => [pair.name],
  fingerprint: (pair) => [pair.fingerprint],
};

/** A public key is a few hundred bytes, in base64; EC2 takes no RSA key over 4,096 bits. */
const KEY_CHARACTERS_AT_MOST = 2_048;
const RSA_BITS = [1_024, 2_048, 4_096];

const badKey = (): never => refuse('InvalidKey.Format', 'Key is not in valid OpenSSH public key format');

/** The parts of an SSH public key: each behind its length in four bytes. */
function partsOf(blob: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 4 <= blob.length) {
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return badKey();
    parts.push(blob.subarray(at + 4, end));
    at = end;
  }
  return parts;
}

function rsaFingerprint(exponent: Buffer, modulus: Buffer): string {
  // A leading zero keeps the number positive; it is no part of its size.
  const n = modulus[0] === 0 ? modulus.subarray(1) : modulus;
  if (!RSA_BITS.includes(n.length * 8)) return badKey();
  const jwk = { kty: 'RSA', n: n.toString('base64url'), e: exponent.toString('base64url') };
  const der = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
  return (createHash('md5').update(der).digest('hex').match(/../g) ?? []).join(':');
}

/** Reads a public key in OpenSSH's format. Throws InvalidKey.Format. */
function readKey(text: string, name: string): PublicKey {
  const [, algorithm = '', base64 = ''] =
    /^(ssh-rsa|ssh-ed25519)[ \t]+([A-Za-z0-9+/]+={0,2})([ \t].*)?\r?\n?$/.exec(text) ?? [];
  if (base64 === '' || base64.length > KEY_CHARACTERS_AT_MOST) return badKey();
  const blob = Buffer.from(base64, 'base64');
  const [kind, first, second] = partsOf(blob);
  if (kind?.toString('latin1') !== algorithm || first === undefined) return badKey();
  const line = `${algorithm} ${blob.toString('base64')} ${name.replaceAll(/\s/g, '_')}`;
  if (algorithm === 'ssh-ed25519') {
    if (first.length !== 32) return badKey();
    return { type: 'ed25519', line, fingerprint: createHash('sha256').update(blob).digest('base64') };
  }
  return second === undefined ? badKey() : { type: 'rsa', line, fingerprint: rsaFingerprint(first, second) };
}

export type KeyPairs = ReturnType<typeof createKeyPairs>;

export function createKeyPairs(parts: { random: Seeded; now: () => number; strict: boolean }) {
  const { random, now, strict } = parts;
  const pairs = new Map<string, KeyPair>();
  let order = 0;

  const absent = (name: string): never =>
    refuse('InvalidKeyPair.NotFound', `The key pair '${name.slice(0, 255)}' does not exist`);
  const byId = (id: string): KeyPair | undefined => [...pairs.values()].find((pair) => pair.id === id);

  return {
    /** ImportKeyPair; `publicKey` as written in a file. Throws InvalidKey.Format, InvalidKeyPair.Duplicate. */
    add(wish: { name: string; publicKey: string; tags: readonly Tag[] }): KeyPair {
      const { name, tags } = wish;
      if (!/^[\x20-\x7e]{1,255}$/.test(name)) {
        refuse('InvalidParameterValue', 'Invalid value for KeyName: 1 to 255 ASCII characters.');
      }
      checkTags(tags);
      const { line, ...key } = readKey(wish.publicKey, name);
      if (pairs.has(name)) refuse('InvalidKeyPair.Duplicate', `The keypair '${name}' already exists.`);
      const id = `key-${random.hex(17)}`;
      const pair = {
        order: order++,
        id,
        name,
        ...key,
        publicKey: line,
        createdAt: now(),
        tags: tagMap(tags),
      };
      pairs.set(name, pair);
      return pair;
    },

    byId,

    /** DeleteKeyPair: a name that is not there is no error, an id that is not there is one. */
    remove(which: { name: string | null; id: string | null }): KeyPair | null {
      const { name, id } = which;
      if (name === null && id === null) {
        refuse('MissingParameter', 'The request must contain the parameter KeyName or KeyPairId');
      }
      const found = id === null ? pairs.get(name ?? '') : (byId(id) ?? absent(id));
      if (found !== undefined) pairs.delete(found.name);
      return found ?? null;
    },

    /** The public key that a launch brings, or null where only the name is known. Throws InvalidKeyPair.NotFound. */
    forLaunch(name: string | null): string | null {
      if (name === null) return null;
      const found = pairs.get(name);
      return found === undefined && strict ? absent(name) : (found?.publicKey ?? null);
    },

    /** DescribeKeyPairs. */
    describe(query: Query & { names: readonly string[] }) {
      const named = [
        ...query.names.map((name) => pairs.get(name) ?? absent(name)),
        ...query.ids.map((id) => byId(id) ?? absent(id)),
      ];
      const some = query.names.length + query.ids.length > 0 ? named : pairs.values();
      return pageOf(matching(some, query.filters, fields), query.page);
    },
  };
}
