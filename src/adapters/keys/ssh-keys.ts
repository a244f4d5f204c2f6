// SSH keys in OpenSSH's own format: fresh ed25519 pairs, and private keys that people bring.
// Trap: the SSH library does not read PKCS8 PEM files ("BEGIN PRIVATE KEY"); the message says how to convert one.
// Trap: ssh2 is CommonJS without named exports that Node could see: import its default.
import ssh2 from 'ssh2';

export type SshKeyPair = { privateKey: string; publicKey: string };

/** Wire length of an ed25519 public key: two lengths of 4, the name's 11 and the key's 32 bytes. */
const ED25519_WIRE_BYTES = 4 + 11 + 4 + 32;

/** A new ed25519 pair: OpenSSH private text and `ssh-ed25519 BASE64`. */
export function newSshKey(): SshKeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    const publicKey = pair.public.trim();
    // One key in 256 begins with a zero byte, which ssh2 drops: such a pair is unusable everywhere, so another is made.
    if (Buffer.from(publicKey.split(' ')[1] ?? '', 'base64').length === ED25519_WIRE_BYTES)
      return { privateKey: pair.private, publicKey };
  }
}

/** The pair of a private key's text. Throws a plain error that says what is wrong with it; it never quotes the key. */
export function readSshKey(text: string): SshKeyPair {
  if (text.includes('-----BEGIN PRIVATE KEY-----'))
    throw new Error('a PKCS8 key; convert a copy of it with `ssh-keygen -p -N "" -f FILE`');
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) {
    throw new Error(
      /encrypted|passphrase/i.test(parsed.message)
        ? 'protected by a passphrase; hostler needs one without'
        : 'not an SSH private key in OpenSSH or PEM format',
    );
  }
  if (!parsed.isPrivateKey()) throw new Error('a public key; name the private one');
  return {
    privateKey: text,
    publicKey: `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`,
  };
}
