// The one error class that crosses layers, and the catalogue of its codes. Each code has an entry in docs/errors.md
// (a test compares both). Messages are one line: what is wrong, where, and what would be right.
// Trap: a message may reach a log or a user, so it never holds a secret.

/** Code → exit code of the command line and HTTP status of the socket. */
export const errorCodes = {
  'config-unreadable': { exit: 2, http: 422 },
  'config-syntax': { exit: 2, http: 422 },
  'config-invalid': { exit: 2, http: 422 },
  'config-no-pools': { exit: 2, http: 422 },
  usage: { exit: 64, http: 400 },
  'bad-request': { exit: 64, http: 400 },
  'version-refused': { exit: 64, http: 400 },
  'too-large': { exit: 64, http: 413 },
  'not-found': { exit: 3, http: 404 },
  'lease-exists': { exit: 4, http: 409 },
  'lease-gone': { exit: 4, http: 409 },
  'machine-busy': { exit: 4, http: 409 },
  'create-timeout': { exit: 1, http: 504 },
  'job-ended': { exit: 1, http: 409 },
  'pool-unknown': { exit: 3, http: 422 },
  'pool-draining': { exit: 1, http: 409 },
  'daemon-away': { exit: 69, http: 503 },
  'daemon-stopping': { exit: 69, http: 503 },
  'already-running': { exit: 75, http: 409 },
  'state-unusable': { exit: 74, http: 500 },
  'state-unwritable': { exit: 74, http: 503 },
  'port-in-use': { exit: 71, http: 500 },
  'cloud-refused': { exit: 5, http: 502 },
  'host-unreachable': { exit: 6, http: 502 },
  'host-key-mismatch': { exit: 6, http: 502 },
  'host-login-refused': { exit: 6, http: 502 },
  'provision-failed': { exit: 6, http: 502 },
  'gitlab-refused': { exit: 7, http: 502 },
  'gitlab-unreachable': { exit: 7, http: 502 },
  'docker-unusable': { exit: 69, http: 503 },
  internal: { exit: 70, http: 500 },
} as const satisfies Record<string, { exit: number; http: number }>;

export type ErrorCode = keyof typeof errorCodes;

/** An expected failure with a code. `where` names the place (file:line:column, key, argument) if there is one. */
export class HostlerError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;

  constructor(code: ErrorCode, message: string, options: { where?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HostlerError';
    this.code = code;
    this.where = options.where;
  }
}

/** One line that says what happened, for logs and answers; works for anything that was thrown. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text
    .slice(0, 2_000)
    .replaceAll(/\s*[\p{Cc}\u2028\u2029]+\s*/gu, ' ')
    .slice(0, 500);
}
