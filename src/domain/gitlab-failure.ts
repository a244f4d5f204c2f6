// What a call to GitLab can fail with, in a few named kinds, carried over the port by HostlerError.
// Trap: messages quote GitLab's words only after the token was cut out of them; a hostile answer may echo it.
import { HostlerError } from './error.ts';

export type GitlabFailureKind =
  | 'token' // 401: expired, revoked, of another GitLab
  | 'denied' // 403: scope or role is missing
  | 'missing' // 404, or a project that GraphQL shows as null: not there, or hidden from this token
  | 'throttled' // 429
  | 'malformed' // an answer, but none of GitLab's
  | 'away'; // no answer, 5xx, TLS, proxy

export type GitlabFailure = { kind: GitlabFailureKind; status: number | null };

const refusals: ReadonlySet<GitlabFailureKind> = new Set(['token', 'denied', 'missing', 'throttled']);

/** The error for a failed call; `gitlab-refused` when GitLab said no, else `gitlab-unreachable`. */
export function gitlabError(
  kind: GitlabFailureKind,
  message: string,
  status: number | null = null,
): HostlerError {
  const failure: GitlabFailure = { kind, status };
  const code = refusals.has(kind) ? 'gitlab-refused' : 'gitlab-unreachable';
  return new HostlerError(code, message, { cause: failure });
}

/** The kind behind an error made by `gitlabError`; `away` for anything else. */
export function gitlabFailure(error: unknown): GitlabFailure {
  const cause = error instanceof HostlerError ? error.cause : undefined;
  const isOurs = typeof cause === 'object' && cause !== null && 'kind' in cause && 'status' in cause;
  return isOurs ? (cause as GitlabFailure) : { kind: 'away', status: null };
}
