// GraphQL calls to one GitLab: one operation or several in one request (multiplex), errors as failures.
// Traps: a refusal comes with status 200; a batch over GitLab's complexity fails as a whole and must come back smaller.
import { gitlabError } from '../../domain/gitlab-failure.ts';
import { graphAnswer } from './answers.ts';
import type { GitlabHttp, JsonAnswer } from './http-client.ts';
import { asList } from './lists.ts';

export type Operation = {
  operationName: string;
  query: string;
  variables?: Readonly<Record<string, unknown>>;
};
export type GraphData = { data: Readonly<Record<string, unknown>>; errors: readonly string[] };

/** GitLab's bound on one query text (facts: gitlab-queue 2). */
const MOST_QUERY = 10_000;
const MOST_WORDS = 300;

export const TOO_COMPLEX = /complexity|too complex/i;
/** Argument or field that this version of GitLab does not know. */
export const UNKNOWN_PART = /doesn't (accept|exist)|isn't defined|unknown (argument|field)/i;

function readOne(json: unknown): GraphData {
  const parsed = graphAnswer.safeParse(json);
  if (!parsed.success) throw gitlabError('malformed', 'the answer to graphql has neither data nor errors');
  const errors = (parsed.data.errors ?? []).map(({ message }) =>
    (message ?? 'no message').replaceAll(/\s+/g, ' ').slice(0, MOST_WORDS),
  );
  return { data: parsed.data.data ?? {}, errors };
}

/** The error for what GraphQL itself says. */
export function graphError(words: string): Error {
  if (/rate limit|too many/i.test(words))
    return gitlabError('throttled', `GitLab asks for fewer requests (graphql): ${words}`);
  return gitlabError('denied', `GitLab refuses a GraphQL query: ${words}`);
}

/** One operation. Throws on errors without data. */
export async function askGraph(
  http: GitlabHttp,
  operation: Operation,
  signal: AbortSignal,
  urgent = false,
): Promise<GraphData & { answer: JsonAnswer }> {
  if (operation.query.length > MOST_QUERY) throw gitlabError('malformed', 'a GraphQL query is too long');
  const answer = await http.ask({ what: 'graphql', path: 'graphql', body: operation, urgent }, signal);
  const { data, errors } = readOne(answer.json);
  const [first] = errors;
  if (first !== undefined && Object.values(data).every((value) => value === null)) throw graphError(first);
  return { data, errors, answer };
}

/** Several operations in one request, answers in their order. */
export async function askMany(
  http: GitlabHttp,
  operations: readonly Operation[],
  signal: AbortSignal,
  urgent = false,
): Promise<{ parts: GraphData[]; answer: JsonAnswer }> {
  const answer = await http.ask({ what: 'graphql', path: 'graphql', body: operations, urgent }, signal);
  // A refusal of the whole batch comes as one object.
  if (!Array.isArray(answer.json)) throw graphError(readOne(answer.json).errors[0] ?? 'no list of answers');
  const parts = asList('graphql', answer.json).map(readOne);
  if (parts.length !== operations.length)
    throw gitlabError('malformed', `graphql answered ${parts.length} of ${operations.length} operations`);
  return { parts, answer };
}
