// One request to GitLab and its answer as JSON: token, limits of size and time, redirects, what failed and how.
// Traps: the token goes to the configured host only, so redirects and page links never name another; an answer is read up
// to a bound and then dropped; nothing of a body is quoted before the token was cut out of it.
import { type Dispatcher, request } from 'undici';
import { HostlerError, messageOf } from '../../domain/error.ts';
import { gitlabError, gitlabFailure } from '../../domain/gitlab-failure.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CallGate, CallReport, GitlabAccess } from '../../ports/queue.ts';
import { type Cutter, createCutter } from './cut-token.ts';
import { createDispatcher, type ProxyEnvironment } from './dispatcher.ts';
import { nextPage } from './page-links.ts';
import { clockSkew, type Headers, header, rateSaid } from './rate-headers.ts';

/** Bytes of one answer: a page of 100 projects or jobs with all their fields has below 1 MB. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Milliseconds for one request with everything. */
const REQUEST_LIMIT_MS: DurationMs = 40 * SECOND_MS;
/** Hops within the same host: a renamed project is one. */
const MOST_REDIRECTS = 2;
/** Answers remembered by their ETag: pages of project lists … */
const MOST_REMEMBERED = 200;
/** … and characters of all of them: pages of 100 projects have some 400,000 each. */
const MOST_REMEMBERED_TEXT = 32 * 1024 * 1024;
/** Characters of GitLab's own words in a message. */
const MOST_WORDS = 200;

export type JsonAnswer = {
  json: unknown;
  /** Path and query of the next page, below the API's root; null = this is the last. */
  next: string | null;
  /** False: there is more, at a place that cannot be asked. */
  whole: boolean;
  sentAt: EpochMs;
  /** GitLab's clock minus ours. */
  skew: number;
};

export type Ask = {
  what: string;
  /** Below `/api/`, with its query: `v4/projects/7`. */
  path: string;
  /** Sent as a JSON POST. */
  body?: unknown;
  /** Remember the answer and ask with If-None-Match the next time. */
  remember?: boolean;
  /** Goes before the usual calls. */
  urgent?: boolean;
};

export type GitlabHttp = {
  ask(ask: Ask, signal: AbortSignal): Promise<JsonAnswer>;
  close(): void;
};

export type HttpDeps = { clock: Clock; gate: CallGate; env: ProxyEnvironment; version: string };

type Raw = { status: number; headers: Headers; text: string };

/** OAuth tokens are 64 hex digits; all others go in GitLab's own header. */
function authorization(token: string): Record<string, string> {
  return /^[0-9a-f]{64}$/.test(token) ? { authorization: `Bearer ${token}` } : { 'private-token': token };
}

async function readBounded(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      body.destroy();
      throw gitlabError('malformed', `the answer has more than ${MAX_ANSWER_BYTES} bytes and was dropped`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A stranger's words on one plain line. */
function oneLine(text: string): string {
  return text
    .replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .trim()
    .slice(0, MOST_WORDS);
}

/** GitLab's own words in an error body. */
function wordsOf(text: string): string {
  return oneLine(/"(?:message|error_description|error)"\s*:\s*"([^"\\]{1,400})"/.exec(text)?.[1] ?? '');
}

function statusError(what: string, raw: Raw): HostlerError {
  const { status } = raw;
  const words = wordsOf(raw.text);
  const said = words === '' ? '' : `: ${words}`;
  if (status === 401)
    return gitlabError(
      'token',
      `GitLab does not accept the token (${what}, 401): expired, revoked, or of another GitLab`,
      status,
    );
  if (status === 403)
    return gitlabError('denied', `GitLab does not allow ${what} to this token (403)${said}`, status);
  if (status === 404)
    return gitlabError('missing', `GitLab shows no such thing to this token (${what}, 404)${said}`, status);
  if (status === 429)
    return gitlabError('throttled', `GitLab asks for fewer requests (${what}, 429)${said}`, status);
  const kind = status >= 500 || status === 408 ? 'away' : 'malformed';
  return gitlabError(kind, `GitLab answered ${what} with status ${status}${said}`, status);
}

/** A failed request in words that help: certificates and proxies are what goes wrong in practice. */
function transportError(what: string, error: unknown, cut: Cutter): HostlerError {
  if (error instanceof HostlerError) return error;
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = inner instanceof Error && 'code' in inner ? String(inner.code) : '';
  const words = cut(messageOf(inner)).slice(0, MOST_WORDS);
  const hint = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)
    ? "; a private authority belongs into tls-ca-file of the runner's section"
    : '';
  return gitlabError(
    'away',
    `GitLab cannot be asked for ${what}: ${code === '' ? words : `${code} ${words}`}${hint}`,
  );
}

function outcomeOf(error: unknown): CallReport['outcome'] {
  const { kind } = gitlabFailure(error);
  if (kind === 'throttled') return 'throttled';
  return kind === 'away' || kind === 'malformed' ? 'failed' : 'refused';
}

function redirectTarget(location: string | null, from: URL, cut: Cutter): URL {
  const target = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (target === null) throw gitlabError('malformed', 'GitLab redirects to nowhere');
  if (target.origin !== from.origin) {
    const said = `GitLab redirects to ${cut(target.origin)}, and the token goes to ${from.origin} only: set url in the queue table`;
    throw gitlabError('malformed', said);
  }
  return target;
}

/** A path as people read it: what is percent-encoded there could be the token. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

/** `size`: characters of the answer as it came. */
type Remembered = { etag: string; answer: JsonAnswer; size: number };

type Etags = {
  remembered: ReadonlyMap<string, Remembered>;
  remember(path: string, etag: string | null, answer: JsonAnswer, size: number): void;
};

/** Answers by path, the newest ones. */
function createEtags(): Etags {
  const remembered = new Map<string, Remembered>();
  return {
    remembered,
    remember(path, etag, answer, size) {
      remembered.delete(path);
      if (etag === null || etag.length > 200) return;
      remembered.set(path, { etag, answer, size });
      let all = 0;
      for (const one of remembered.values()) all += one.size;
      for (const [oldest, one] of remembered) {
        if (remembered.size <= MOST_REMEMBERED && all <= MOST_REMEMBERED_TEXT) break;
        remembered.delete(oldest);
        all -= one.size;
      }
    },
  };
}

/** Requests to one GitLab under one token. */
export function createGitlabHttp(access: GitlabAccess, deps: HttpDeps): GitlabHttp {
  const { clock, gate } = deps;
  const dispatcher = createDispatcher(access, deps.env);
  const root = new URL(`${access.url}/api/`);
  const token = access.token.reveal();
  const cut = createCutter(token);
  const headers = {
    ...authorization(token),
    accept: 'application/json',
    'user-agent': `hostler/${deps.version}`,
  };
  const { remembered, remember } = createEtags();

  async function send(url: URL, ask: Ask, signal: AbortSignal, hops = 0): Promise<Raw> {
    const etag = ask.remember === true ? remembered.get(ask.path)?.etag : undefined;
    const body = ask.body === undefined ? null : JSON.stringify(ask.body);
    const answer = await request(url, {
      dispatcher,
      signal,
      method: body === null ? 'GET' : 'POST',
      headers: {
        ...headers,
        ...(body !== null && { 'content-type': 'application/json' }),
        ...(etag !== undefined && { 'if-none-match': etag }),
      },
      body,
    });
    const text = cut(await readBounded(answer.body));
    const raw = { status: answer.statusCode, headers: answer.headers, text };
    if (![301, 302, 303, 307, 308].includes(raw.status)) return raw;
    const target = redirectTarget(header(raw.headers, 'location'), url, cut);
    if (hops >= MOST_REDIRECTS || body !== null)
      throw gitlabError(
        'malformed',
        `GitLab redirects ${ask.what} to ${oneLine(cut(decoded(target.pathname)))}`,
      );
    return await send(target, ask, signal, hops + 1);
  }

  function read(ask: Ask, raw: Raw, sentAt: EpochMs): JsonAnswer {
    const known = ask.remember === true ? remembered.get(ask.path) : undefined;
    if (raw.status === 304 && known !== undefined) return { ...known.answer, sentAt };
    if (raw.status !== 200) throw statusError(ask.what, raw);
    let json: unknown;
    try {
      json = JSON.parse(raw.text);
    } catch {
      const said = `the answer to ${ask.what} is no JSON: something else than GitLab's API is at ${root.origin}${root.pathname}`;
      throw gitlabError('malformed', said, raw.status);
    }
    const page = nextPage(raw.headers, { root, asked: ask.path });
    const answer = { json, ...page, sentAt, skew: clockSkew(raw.headers, sentAt) };
    if (ask.remember === true) remember(ask.path, header(raw.headers, 'etag'), answer, raw.text.length);
    return answer;
  }

  return {
    async ask(ask, signal) {
      await gate.enter(signal, ask.urgent);
      const begun = clock.monotonic();
      const sentAt = clock.now();
      let raw: Raw | null = null;
      let outcome: CallReport['outcome'] = 'failed';
      try {
        // Put together as text: a path that looks like an address of its own must not become one.
        raw = await send(new URL(root.href + ask.path), ask, clock.timeout(REQUEST_LIMIT_MS, signal));
        const answer = read(ask, raw, sentAt);
        outcome = raw.status === 304 ? 'unchanged' : 'ok';
        return answer;
      } catch (error) {
        const failure = transportError(ask.what, error, cut);
        outcome = outcomeOf(failure);
        throw failure;
      } finally {
        const refused = outcome === 'throttled' || outcome === 'failed';
        const said = rateSaid(raw?.headers ?? {}, clock.now(), refused);
        gate.leave({ what: ask.what, outcome, ms: clock.monotonic() - begun, ...said });
      }
    },
    close: () => void dispatcher.destroy().catch(() => undefined),
  };
}
