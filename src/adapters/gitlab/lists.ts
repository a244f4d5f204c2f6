// Small rules that all readers of GitLab's lists share: what is a list, what is a refusal of one thing among many.
import { HostlerError } from '../../domain/error.ts';
import { gitlabError, gitlabFailure } from '../../domain/gitlab-failure.ts';

/** Entries of one page; GitLab gives at most 100, and a job may take some 10 KB. */
const MOST_ENTRIES = 200;

/** Throws `gitlab-unreachable` when the answer is no list. */
export function asList(what: string, json: unknown): readonly unknown[] {
  if (!Array.isArray(json)) throw gitlabError('malformed', `the answer to ${what} is no list`);
  if (json.length > MOST_ENTRIES)
    throw gitlabError('malformed', `the answer to ${what} has ${json.length} entries on one page`);
  return json as unknown[];
}

/** True when GitLab hides just this one thing from the token; a bad token or a limit concerns everything. */
export function isRefusal(error: unknown): error is HostlerError {
  if (!(error instanceof HostlerError)) return false;
  const { kind } = gitlabFailure(error);
  return kind === 'missing' || kind === 'denied';
}

/** What to throw for several failures: the first tells most. */
export function firstFailure(failures: readonly unknown[]): Error {
  const [first] = failures;
  return first instanceof Error ? first : gitlabError('away', 'GitLab cannot be asked');
}
