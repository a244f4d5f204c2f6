// A booted host as provisioning sees it: one SSH session with pinned keys. ssh2 stays inside adapters/ssh.

export type HostAddress = {
  address: string;
  port: number;
  user: string;
  /** OpenSSH private key text. */
  privateKey: string;
  /** Accepted host keys, `ssh-ed25519 BASE64`; any other key ends the connection with `host-key-mismatch`. */
  pins: readonly string[];
};

/** `code` null: the link was lost, so nothing is known about the command. Only 0 is success. */
export type RunResult = { code: number | null; stdout: string; stderr: string };

export interface HostSession {
  /** Runs a shell script as root (`sudo -n`), script on stdin; output is cut at 64 KiB a stream. */
  run(script: string, signal: AbortSignal): Promise<RunResult>;
  close(): void;
}

export interface Hosts {
  /** One attempt. Throws HostlerError `host-unreachable` or `host-key-mismatch`. */
  connect(host: HostAddress, signal: AbortSignal): Promise<HostSession>;
}
