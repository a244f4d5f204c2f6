// Job Hooks of the emulated GitLab: a call to an address at each change of a job, signed from version 19 on.
// As GitLab's, the payload lacks the job's own tags, is sent once, and is lost when nobody takes it.
import { createHmac, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import type { Job } from '../../sim/gitlab/job.ts';
import type { GitlabParts } from './gitlab-parts.ts';

/** GitLab gives up after that. */
const ANSWER_LIMIT_MS = 10_000;
/** Calls that are remembered. */
const MOST_SENT = 1_000;

export type Hook = {
  url: string;
  /** Secret token, or a signing token (`whsec_…`). */
  token: string;
  /** null: of all projects, as a group's hook. */
  project: number | null;
};

export type SentHook = { url: string; job: number; status: string; answer: number | null };

export type JobHooks = {
  add(hook: Hook): void;
  /** The last calls with their answers; null = none came. */
  sent(): readonly SentHook[];
  close(): void;
};

function payloadOf({ gitlab }: GitlabParts, job: Job): string {
  const project = gitlab.project(job.project);
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return JSON.stringify({
    object_kind: 'build',
    ref: job.ref,
    tag: job.refIsTag,
    build_id: job.id,
    build_name: job.name,
    build_stage: job.stageName,
    build_status: job.status,
    build_created_at: iso(job.createdAt),
    build_started_at: iso(job.startedAt),
    build_finished_at: iso(job.endedAt),
    build_allow_failure: false,
    build_failure_reason: job.failure ?? 'unknown_failure',
    retries_count: 0,
    pipeline_id: job.pipeline,
    project_id: project.id,
    project_name: project.path,
    commit: { id: job.pipeline },
    project: { id: project.id, path_with_namespace: project.path },
    runner: job.runner === null ? null : { id: job.runner, tags: [...gitlab.runner(job.runner).tags] },
  });
}

function headersFor(
  { timeline, settings }: GitlabParts,
  token: string,
  body: string,
): Record<string, string> {
  const id = randomUUID();
  const timestamp = String(Math.floor(timeline.now() / 1_000));
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'x-gitlab-event': 'Job Hook',
    'x-gitlab-event-uuid': randomUUID(),
    'idempotency-key': id,
    'webhook-id': id,
    'webhook-timestamp': timestamp,
  };
  if (!token.startsWith('whsec_')) return { ...headers, 'x-gitlab-token': token };
  if (settings.major < 19) return headers;
  const key = Buffer.from(token.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}

/** Hooks of one GitLab; none is there yet. */
export function createJobHooks(parts: GitlabParts): JobHooks {
  const hooks: Hook[] = [];
  const sent: SentHook[] = [];

  function send(hook: Hook, job: Job): void {
    const body = payloadOf(parts, job);
    const call: SentHook = { url: hook.url, job: job.id, status: job.status, answer: null };
    sent.push(call);
    if (sent.length > MOST_SENT) sent.shift();
    const headers = headersFor(parts, hook.token, body);
    const asked = request(hook.url, { method: 'POST', headers, timeout: ANSWER_LIMIT_MS }, (answer) => {
      call.answer = answer.statusCode ?? null;
      answer.resume();
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => undefined);
    asked.end(body);
  }

  const off = parts.gitlab.on(({ job }) => {
    for (const hook of hooks) if (hook.project === null || hook.project === job.project) send(hook, job);
  });
  return { add: (hook) => void hooks.push(hook), sent: () => sent, close: off };
}
