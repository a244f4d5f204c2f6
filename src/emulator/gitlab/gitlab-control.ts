// The emulated GitLab's own calls below /_emulator/gitlab/: projects, runners, jobs, pipelines, what becomes of them, hooks,
// and what goes wrong. For people and tests; no part of GitLab.
import { messageOf } from '../../domain/error.ts';
import type { GitlabRunner, JobFailure, JobSpec } from '../../sim/gitlab/job.ts';
import type { GitlabParts } from './gitlab-parts.ts';
import type { JobHooks } from './job-hooks.ts';

type Answer = { status: number; body: unknown };
type Body = Readonly<Record<string, unknown>>;

/** Trouble of answers beside the world's weather. */
export type AnswerTrouble = {
  /** Share of answers that end in the middle, until then. */
  half: { share: number; until: number };
};

export type ControlParts = GitlabParts & {
  hooks: JobHooks;
  trouble: AnswerTrouble;
  calls(): Readonly<Record<string, number>>;
};

/** Jobs of one call. */
const MOST_JOBS = 10_000;

const bad = (error: string): Answer => ({ status: 400, body: { error } });
const number = (value: unknown, usual: number): number => (typeof value === 'number' ? value : usual);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function specOf(body: Body): JobSpec {
  const { project, ref, name, stage, script, image, retries } = body;
  const seconds = number(body['duration_s'], 60);
  return {
    durationMs: Math.max(0, seconds) * 1_000,
    tags: texts(body['tags']),
    ...(typeof project === 'number' && { project }),
    ...(typeof ref === 'string' && { ref }),
    ...(typeof name === 'string' && { name }),
    ...(typeof stage === 'string' && { stageName: stage }),
    ...(body['git_tag'] === true && { refIsTag: true }),
    ...(typeof body['protected'] === 'boolean' && { protectedRef: body['protected'] }),
    ...(typeof retries === 'number' && { retries }),
    ...(Array.isArray(script) && { script: texts(script) }),
    ...(typeof image === 'string' && { image }),
    ...(body['fails'] === true && { outcome: 'failed' as const }),
    ...(typeof body['timeout_s'] === 'number' && { timeoutMs: body['timeout_s'] * 1_000 }),
  };
}

function addJobs({ gitlab }: ControlParts, body: Body): Answer {
  const count = number(body['count'], 1);
  if (!Number.isInteger(count) || count < 1 || count > MOST_JOBS)
    return bad(`count is a whole number from 1 to ${MOST_JOBS}`);
  const jobs = Array.from({ length: count }, () => gitlab.enqueue(specOf(body)).id);
  return { status: 201, body: { jobs } };
}

function addProjects({ gitlab, hide }: ControlParts, body: Body): Answer {
  const count = number(body['count'], 1);
  if (!Number.isInteger(count) || count < 1 || count > MOST_JOBS)
    return bad(`count is a whole number from 1 to ${MOST_JOBS}`);
  const path = text(body['path']);
  const wish = {
    ...(typeof body['group_runners'] === 'boolean' && { groupRunners: body['group_runners'] }),
    ...(typeof body['instance_runners'] === 'boolean' && { instanceRunners: body['instance_runners'] }),
  };
  const projects = Array.from({ length: count }, (_, index) => {
    const named = path === undefined ? {} : { path: count === 1 ? path : `${path}-${index + 1}` };
    return gitlab.addProject({ ...wish, ...named }).id;
  });
  if (body['hidden'] === true) for (const id of projects) hide(id, true);
  return { status: 201, body: { projects } };
}

function addPipeline({ gitlab }: ControlParts, body: Body): Answer {
  const { stages, project } = body;
  if (!Array.isArray(stages)) return bad('stages is a list of lists of jobs');
  const specs = stages.map((stage, index) =>
    (Array.isArray(stage) ? stage : []).map((job) => ({
      stageName: `stage-${index}`,
      ...specOf(typeof job === 'object' && job !== null ? (job as Body) : {}),
    })),
  );
  const made = gitlab.addPipeline({ stages: specs, ...(typeof project === 'number' && { project }) });
  return { status: 201, body: { pipeline: made.id, jobs: made.jobs.map(({ id }) => id) } };
}

function runnerWish(body: Body): Partial<Omit<GitlabRunner, 'id'>> {
  const { group, projects, access_level: access } = body;
  const named = Array.isArray(projects) ? projects.filter((id) => typeof id === 'number') : null;
  const scope = typeof group === 'string' ? ({ kind: 'group', group } as const) : null;
  return {
    ...(typeof body['token'] === 'string' && { token: body['token'] }),
    ...('tags' in body && { tags: texts(body['tags']) }),
    ...(typeof body['run_untagged'] === 'boolean' && { runUntagged: body['run_untagged'] }),
    ...(typeof body['paused'] === 'boolean' && { paused: body['paused'] }),
    ...((access === 'ref_protected' || access === 'not_protected') && { accessLevel: access }),
    ...(named !== null && { scope: { kind: 'projects', projects: named } as const }),
    ...(scope !== null && { scope }),
  };
}

/** A runner takes its next job, as `POST /jobs/request` would. */
function claim({ gitlab }: ControlParts, body: Body): Answer {
  const job = gitlab.request(number(body['runner'], 1));
  return { status: job === null ? 200 : 201, body: { job: job?.id ?? null } };
}

function finish({ gitlab }: ControlParts, body: Body): Answer {
  const { job, failure } = body;
  const failed = text(failure) as JobFailure | undefined;
  gitlab.finish(number(job, 0), failed === undefined ? { ok: true } : { ok: false, failure: failed });
  return { status: 200, body: { job: gitlab.job(number(job, 0))?.status ?? null } };
}

function setTrouble({ gitlab, timeline, trouble }: ControlParts, body: Body): Answer {
  const { kind } = body;
  const until = timeline.now() + number(body['seconds'], 60) * 1_000;
  const share = number(body['share'], 1);
  if (kind === 'away') gitlab.weather.awayUntil(until);
  else if (kind === 'slow') gitlab.weather.slowUntil(until, number(body['delay_s'], 5) * 1_000);
  else if (kind === 'throttled') gitlab.weather.throttledUntil(until, share);
  else if (kind === 'half') trouble.half = { share, until };
  else return bad('kind is away, slow, throttled or half');
  return { status: 200, body: { kind, until: new Date(until).toISOString() } };
}

function addHook({ hooks }: ControlParts, body: Body): Answer {
  const { url, token, project } = body;
  if (typeof url !== 'string' || !URL.canParse(url) || typeof token !== 'string')
    return bad('expected {"url": "http://…", "token": text, "project": id or absent for all}');
  hooks.add({ url, token, project: typeof project === 'number' ? project : null });
  return { status: 201, body: { url } };
}

const posts: Readonly<Record<string, (parts: ControlParts, body: Body) => Answer>> = {
  jobs: addJobs,
  projects: addProjects,
  pipelines: addPipeline,
  hooks: addHook,
  claim,
  finish,
  trouble: setTrouble,
  runners: ({ gitlab }, body) => ({ status: 201, body: { runner: gitlab.addRunner(runnerWish(body)).id } }),
  'change-runner'({ gitlab }, body) {
    gitlab.changeRunner(number(body['runner'], 1), runnerWish(body));
    return { status: 200, body: { runner: number(body['runner'], 1) } };
  },
  cancel({ gitlab }, body) {
    gitlab.cancel(number(body['job'], 0));
    return { status: 200, body: { job: gitlab.job(number(body['job'], 0))?.status ?? null } };
  },
  hide({ hide }, body) {
    hide(number(body['project'], 0), body['hidden'] !== false);
    return { status: 200, body: {} };
  },
};

const gets: Readonly<Record<string, (parts: ControlParts) => Answer>> = {
  calls: (parts) => ({ status: 200, body: parts.calls() }),
  'hook-calls': ({ hooks }) => ({ status: 200, body: hooks.sent() }),
  jobs: ({ gitlab }) => ({
    status: 200,
    body: [...gitlab.jobs()].map(({ id, project, name, status, failure, tags, runner, pipeline }) => ({
      id,
      project,
      name,
      status,
      failure,
      tags,
      runner,
      pipeline,
    })),
  }),
};

const names = `GET ${Object.keys(gets).join(', ')}; POST ${Object.keys(posts).join(', ')}`;

/** Answers a request to a path below /_emulator/gitlab/. */
export function answerGitlabControl(
  parts: ControlParts,
  asked: { method: string; name: string; body: string },
): Answer {
  const { method, name } = asked;
  if (method === 'GET' && Object.hasOwn(gets, name)) return gets[name]?.(parts) ?? bad(names);
  if (method !== 'POST' || !Object.hasOwn(posts, name))
    return { status: 404, body: { error: `try ${names}` } };
  let body: unknown;
  try {
    body = asked.body === '' ? {} : JSON.parse(asked.body);
  } catch {
    return bad('the body is no JSON');
  }
  if (typeof body !== 'object' || body === null) return bad('the body is no JSON object');
  try {
    return posts[name]?.(parts, body as Body) ?? bad(names);
  } catch (error) {
    if (error instanceof RangeError) return { status: 404, body: { error: messageOf(error) } };
    throw error;
  }
}
