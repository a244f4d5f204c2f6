// The calls by which gitlab-runner itself speaks to GitLab: who it is, its next job, how that job goes, its log.
// Any runner token is let in: one that nobody made becomes an instance runner that takes untagged jobs.
// Trap: a runner that cannot cancel gracefully (before 17.0) is told `canceled` and has nothing more to say of the job.
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { failureReasons, type GitlabRunner, type Job, type JobFailure } from '../../sim/gitlab/job.ts';
import { isActive } from '../../sim/gitlab/runner-book.ts';
import type { GitlabParts } from './gitlab-parts.ts';
import { jobPayload } from './job-payload.ts';

export type RunnerCall = { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer };
export type RunnerReply = { status: number; headers?: Readonly<Record<string, string>>; body: unknown };

export type RunnerApi = {
  /** Answers a runner's call below /api/v4/; null = no call of a runner. */
  answer(call: RunnerCall): RunnerReply | null;
};

/** Seconds between two pieces of a log, as GitLab asks for while somebody watches it. */
const TRACE_INTERVAL_S = 3;
/** GitLab's `ci_jobs_trace_size_limit`. */
const MOST_TRACE = 100 * 1_048_576;

type Body = Readonly<Record<string, unknown>>;

function objectOf(body: Buffer): Body {
  if (body.length === 0) return {};
  try {
    const read: unknown = JSON.parse(body.toString('utf8'));
    return typeof read === 'object' && read !== null ? (read as Body) : {};
  } catch {
    return {};
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const notFound: RunnerReply = { status: 404, body: { message: '404 Not Found' } };
const forbidden: RunnerReply = { status: 403, body: { message: '403 Forbidden' } };

/** Nobody guesses it, the same job always has the same. */
function jobToken(job: Job): string {
  return `glcbt-64_${createHash('sha256').update(`job ${job.id}`).digest('base64url').slice(0, 20)}`;
}

function hasGracefulCancel(body: Body): boolean {
  const { info } = body as { info?: { features?: { cancelable?: unknown } } };
  return info?.features?.cancelable === true;
}

function failureOf(body: Body): JobFailure {
  const said = textOf(body['failure_reason']);
  return failureReasons.find((reason) => reason === said) ?? 'unknown_failure';
}

export function createRunnerApi(parts: GitlabParts): RunnerApi {
  const { gitlab, traces } = parts;
  const graceful = new Set<number>();

  const runnerOf = (token: string): GitlabRunner | null => {
    if (token === '') return null;
    return gitlab.runners().find((one) => one.token === token) ?? gitlab.addRunner({ token });
  };

  function request(call: RunnerCall): RunnerReply {
    const body = objectOf(call.body);
    const runner = runnerOf(textOf(body['token']));
    if (runner === null) return forbidden;
    const queueSize = gitlab.queueSize(runner.id);
    const job = gitlab.request(runner.id);
    if (job === null) return { status: 204, headers: { 'x-gitlab-last-update': '' }, body: null };
    if (hasGracefulCancel(body)) graceful.add(job.id);
    const place = { project: gitlab.project(job.project), url: parts.url(), token: jobToken(job) };
    return { status: 201, body: jobPayload(job, place, queueSize) };
  }

  /** The job that a runner speaks of, or why it may not. */
  function find(id: number, call: RunnerCall, body: Body = {}): { job: Job } | { refused: RunnerReply } {
    const job = gitlab.job(id);
    if (job === null) return { refused: notFound };
    const sent = textOf(call.headers['job-token']) || textOf(body['token']);
    if (sent !== jobToken(job)) return { refused: forbidden };
    if (gitlab.touch(id) === 'canceling' && !graceful.has(id)) gitlab.finish(id, { ok: true });
    if (isActive(job.status)) return { job };
    return { refused: { ...forbidden, headers: { 'job-status': job.status } } };
  }

  const told = (job: Job): Record<string, string> => ({
    'job-status': job.status,
    'x-gitlab-trace-update-interval': String(TRACE_INTERVAL_S),
  });

  function update(id: number, call: RunnerCall): RunnerReply {
    const body = objectOf(call.body);
    const found = find(id, call, body);
    if ('refused' in found) return found.refused;
    if (body['state'] === 'success') gitlab.finish(id, { ok: true });
    if (body['state'] === 'failed') gitlab.finish(id, { ok: false, failure: failureOf(body) });
    return { status: 200, headers: told(found.job), body: 200 };
  }

  function patchTrace(id: number, call: RunnerCall): RunnerReply {
    const found = find(id, call);
    if ('refused' in found) return found.refused;
    const { job } = found;
    const [, from] = /^(\d{1,12})-\d{1,12}$/.exec(textOf(call.headers['content-range'])) ?? [];
    if (from === undefined) return { status: 400, body: { message: '400 Missing header Content-Range' } };
    const before = traces.get(id) ?? Buffer.alloc(0);
    if (Number(from) !== before.length)
      return { status: 416, headers: { range: `0-${before.length}` }, body: null };
    if (before.length + call.body.length > MOST_TRACE) {
      gitlab.finish(id, { ok: false, failure: 'trace_size_exceeded' });
      return { ...forbidden, headers: { 'job-status': job.status } };
    }
    const whole = Buffer.concat([before, call.body]);
    traces.set(id, whole);
    return { status: 202, headers: { ...told(job), range: `0-${whole.length}` }, body: 202 };
  }

  function verify(call: RunnerCall): RunnerReply {
    const runner = runnerOf(textOf(objectOf(call.body)['token']));
    if (runner === null) return forbidden;
    return { status: 200, body: { id: runner.id, token: runner.token, token_expires_at: null } };
  }

  /** Uploads are taken and thrown away: nothing here reads them. */
  function artifacts(id: number, call: RunnerCall): RunnerReply {
    const found = find(id, call);
    if ('refused' in found) return found.refused;
    return call.method === 'POST' ? { status: 201, body: {} } : notFound;
  }

  return {
    answer(call) {
      const { method, path } = call;
      if (method === 'POST' && path === 'jobs/request') return request(call);
      if (method === 'POST' && path === 'runners/verify') return verify(call);
      const [, job = '', what = ''] = /^jobs\/(\d{1,15})(?:\/(trace|artifacts))?$/.exec(path) ?? [];
      if (job === '') return null;
      if (method === 'PUT' && what === '') return update(Number(job), call);
      if (method === 'PATCH' && what === 'trace') return patchTrace(Number(job), call);
      return what === 'artifacts' ? artifacts(Number(job), call) : null;
    },
  };
}
