// Certificates and SSH keys. They live under keys/ of the state folder, 0600, made once and atomically (design §8).

export type CertifiedKey = { cert: string; key: string };

export interface Keys {
  /**
   * uuid of this manager (the `hostler:manager` tag); made at the first call. It lives with the keys and not in the
   * database: who lost the database still knows its hosts, who lost the keys cannot prove them and leaves them alone.
   */
  identity(): Promise<string>;
  /** PEM of the authority that signs new machines; made at the first call. */
  authority(): Promise<string>;
  /** Server certificate of one host: SAN addresses and names, valid until `notAfter` (epoch ms), from one hour back. */
  issueServer(subject: {
    name: string;
    addresses: readonly string[];
    names: readonly string[];
    notAfter: number;
  }): Promise<CertifiedKey>;
  /** Client certificate with the machine's id as common name. */
  issueClient(subject: { name: string; notAfter: number }): Promise<CertifiedKey>;
  /** The manager's SSH user key: OpenSSH private text and the `ssh-ed25519 …` public line. */
  userKey(): Promise<{ privateKey: string; publicKey: string }>;
  /** A private key named by `amazonec2-ssh-keypath`. Throws `config-invalid` when unreadable. */
  readUserKey(path: string): Promise<{ privateKey: string; publicKey: string }>;
  /** A fresh SSH host key for one launch call. */
  hostKey(): Promise<{ privateKey: string; publicKey: string }>;
  /** Idempotency token for a launch: 32 hex digits from the system's entropy. */
  token(): string;
}
