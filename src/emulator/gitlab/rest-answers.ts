// REST answers of the emulated GitLab: what readers of the queue ask for, in the shapes of versions 16 to 19.
// GitLab's quirks stay: no X-Total on a project's jobs, keyset pages by Link alone, 404 for what the token may not see.
// It hands out no jobs: that is `runner-api.ts`, and whoever reads the queue must not call it.

import type { GitlabRunner, Job, Project } from '../../sim/gitlab/job.ts';
import { isEnded } from '../../sim/gitlab/job.ts';
import { isProtected } from '../../sim/gitlab/may-take.ts';
import type { GitlabParts } from './gitlab-parts.ts';

export type RestAnswer = { status: number; headers?: Readonly<Record<string, string>>; body: unknown };

/** GitLab counts up to there and leaves the totals out above. */
const MOST_COUNTED = 10_000;
const USUAL_PER_PAGE = 20;
const MOST_PER_PAGE = 100;

const statuses = new Set(
  'created waiting_for_resource preparing waiting_for_callback pending running success failed canceling canceled skipped manual scheduled'.split(
    ' ',
  ),
);

const notFound = (what: string): RestAnswer => ({ status: 404, body: { message: `404 ${what} Not Found` } });
const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

function jobJson({ gitlab, timeline, url }: GitlabParts, job: Job): Record<string, unknown> {
  const { path } = gitlab.project(job.project);
  const until = job.startedAt ?? (isEnded(job) ? job.endedAt : timeline.now());
  const queuedMs = job.queuedAt === null || until === null ? null : Math.max(0, until - job.queuedAt);
  const ranUntil = job.endedAt ?? timeline.now();
  return {
    id: job.id,
    status: job.status,
    stage: job.stageName,
    name: job.name,
    ref: job.ref,
    tag: job.refIsTag,
    coverage: null,
    allow_failure: false,
    created_at: iso(job.createdAt),
    started_at: iso(job.startedAt),
    finished_at: iso(job.endedAt),
    duration: job.startedAt === null ? null : Math.max(0, ranUntil - job.startedAt) / 1_000,
    queued_duration: queuedMs === null ? null : queuedMs / 1_000,
    failure_reason: job.failure,
    user: { id: 1, username: 'root' },
    pipeline: { id: job.pipeline, project_id: job.project, ref: job.ref, status: 'running' },
    web_url: `${url()}/${path}/-/jobs/${job.id}`,
    runner: job.runner === null ? null : { id: job.runner },
    tag_list: [...job.tags],
    archived: false,
  };
}

function projectJson({ url, timeline }: GitlabParts, project: Project): Record<string, unknown> {
  return {
    id: project.id,
    name: project.name,
    path_with_namespace: project.path,
    default_branch: project.defaultBranch,
    web_url: `${url()}/${project.path}`,
    last_activity_at: iso(timeline.now() - project.id * 60_000),
    archived: false,
    builds_access_level: 'enabled',
    shared_runners_enabled: project.instanceRunners,
    group_runners_enabled: project.groupRunners,
  };
}

function runnerJson({ gitlab, settings }: GitlabParts, runner: GitlabRunner): Record<string, unknown> {
  const { scope, contactedAt } = runner;
  const served = scope.kind === 'projects' ? scope.projects : [];
  return {
    id: runner.id,
    description: runner.description,
    // `paused` replaced it; 16 still says both.
    ...(settings.major < 17 && { active: !runner.paused }),
    paused: runner.paused,
    is_shared: scope.kind === 'instance',
    runner_type: `${scope.kind === 'projects' ? 'project' : scope.kind}_type`,
    online: contactedAt !== null,
    status: contactedAt === null ? 'never_contacted' : 'online',
    tag_list: [...runner.tags],
    run_untagged: runner.runUntagged,
    locked: runner.locked,
    access_level: runner.accessLevel,
    projects: served.map((id) => ({ id, path_with_namespace: gitlab.project(id).path })),
    groups: scope.kind === 'group' ? [{ id: 1, name: scope.group, web_url: `/${scope.group}` }] : [],
  };
}

type Listing<T extends { id: number }> = {
  all: readonly T[];
  show(one: T): unknown;
  /** Project jobs are not counted. */
  isCounted: boolean;
  search: URLSearchParams;
  /** Path and query as asked for. */
  href: string;
};

function whole(text: string | null, usual: number, most: number): number {
  const number = /^\d{1,6}$/.test(text ?? '') ? Number(text) : usual;
  return Math.min(most, Math.max(1, number));
}

/** Keyset pages name the next one by Link alone, offset pages by headers as well. */
function list<T extends { id: number }>({ url }: GitlabParts, listing: Listing<T>): RestAnswer {
  const { search, href, show, isCounted } = listing;
  const isKeyset = search.get('pagination') === 'keyset';
  const isUp = search.get('sort') === 'asc';
  const sorted = listing.all.toSorted((a, b) => (isUp ? a.id - b.id : b.id - a.id));
  const per = whole(search.get('per_page'), USUAL_PER_PAGE, MOST_PER_PAGE);
  const page = whole(search.get('page'), 1, 100_000);
  const cursor = search.get(isUp ? 'id_after' : 'id_before');
  const after = cursor === null ? null : Number(cursor);
  const rest = isKeyset
    ? sorted.filter(({ id }) => after === null || (isUp ? id > after : id < after))
    : sorted.slice((page - 1) * per);
  const items = rest.slice(0, per);
  const last = items.at(-1);
  const hasMore = rest.length > items.length && last !== undefined;
  const linkTo = (changes: Record<string, string>, rel: string): string => {
    const target = new URL(href, url());
    for (const [name, value] of Object.entries(changes)) target.searchParams.set(name, value);
    return `<${target.href}>; rel="${rel}"`;
  };
  const headers: Record<string, string> = {};
  if (isKeyset) {
    if (hasMore) headers['link'] = linkTo({ [isUp ? 'id_after' : 'id_before']: String(last.id) }, 'next');
  } else {
    const more = hasMore ? [linkTo({ page: String(page + 1) }, 'next')] : [];
    headers['link'] = [...more, linkTo({ page: '1' }, 'first')].join(', ');
    Object.assign(headers, { 'x-page': String(page), 'x-per-page': String(per) });
    headers['x-next-page'] = hasMore ? String(page + 1) : '';
    if (isCounted && sorted.length <= MOST_COUNTED) headers['x-total'] = String(sorted.length);
  }
  return { status: 200, headers, body: items.map(show) };
}

type Asked = { path: string; search: URLSearchParams; href: string };

function findProject({ gitlab, isHidden }: GitlabParts, name: string): Project | null {
  const wanted = decodeURIComponent(name);
  const found = gitlab.projects().find(({ id, path }) => String(id) === wanted || path === wanted);
  return found === undefined || isHidden(found.id) ? null : found;
}

function projectJobs(parts: GitlabParts, project: Project, { search, href }: Asked): RestAnswer {
  const scopes = [...search.getAll('scope[]'), ...search.getAll('scope')];
  const odd = scopes.find((scope) => !statuses.has(scope));
  if (odd !== undefined) return { status: 400, body: { error: 'scope does not have a valid value' } };
  const all = [...parts.jobsOf(project.id)].filter(
    ({ status }) => scopes.length === 0 || scopes.includes(status),
  );
  return list(parts, { all, show: (job) => jobJson(parts, job), isCounted: false, search, href });
}

function answerProject(parts: GitlabParts, project: Project, rest: string, asked: Asked): RestAnswer {
  if (rest === '') return { status: 200, body: projectJson(parts, project) };
  if (rest === 'jobs') return projectJobs(parts, project, asked);
  const [, job, trace] = /^jobs\/(\d{1,15})(\/trace)?$/.exec(rest) ?? [];
  if (job !== undefined) {
    const found = parts.gitlab.job(Number(job));
    if (found === null || found.project !== project.id) return notFound('Job');
    if (trace === undefined) return { status: 200, body: jobJson(parts, found) };
    const body = parts.traces.get(found.id)?.toString('utf8') ?? '';
    return { status: 200, headers: { 'content-type': 'text/plain' }, body };
  }
  const pipeline = /^pipelines\/(\d{1,15})\/jobs$/.exec(rest)?.[1];
  if (pipeline !== undefined) {
    const found = parts.gitlab.pipeline(Number(pipeline));
    if (found === null || found.project !== project.id) return notFound('Pipeline');
    const { search, href } = asked;
    const show = (one: Job) => jobJson(parts, one);
    return list(parts, { all: found.jobs, show, isCounted: false, search, href });
  }
  const ref = /^repository\/(branches|tags)\/(.+)$/.exec(rest)?.[2];
  if (ref === undefined) return notFound('Route');
  const name = decodeURIComponent(ref);
  return { status: 200, body: { name, protected: isProtected(project, name) } };
}

function answerRunner(parts: GitlabParts, id: number, rest: string, { search, href }: Asked): RestAnswer {
  const { gitlab, settings, isHidden } = parts;
  const runner = gitlab.runners().find((one) => one.id === id);
  if (runner === undefined) return notFound('Runner');
  if (!settings.readsRunners) return { status: 403, body: { message: '403 Forbidden' } };
  if (rest === '') return { status: 200, body: runnerJson(parts, runner) };
  if (rest !== 'jobs') return notFound('Route');
  const wanted = search.get('status');
  // Only jobs that were given to it: nobody sees a queue here.
  const all = [...gitlab.jobs()].filter(
    (job) => job.runner === id && (wanted === null || job.status === wanted) && !isHidden(job.project),
  );
  const show = (job: Job) => ({ ...jobJson(parts, job), project: { id: job.project } });
  return list(parts, { all, show, isCounted: true, search, href });
}

/** Answers a GET below /api/v4/. */
export function answerRest(parts: GitlabParts, asked: Asked): RestAnswer {
  const { gitlab, settings, isHidden } = parts;
  const { path, search, href } = asked;
  if (path === 'version')
    return { status: 200, body: { version: `${settings.version}-ee`, revision: 'e57a' } };
  const [, group] = /^groups\/([^/]+)\/projects$/.exec(path) ?? [];
  if (path === 'projects' || group !== undefined) {
    const prefix = group === undefined ? '' : `${decodeURIComponent(group)}/`;
    const isNumber = /^\d+\/$/.test(prefix);
    const all = gitlab
      .projects()
      .filter(({ id, path: full }) => !isHidden(id) && (isNumber || full.startsWith(prefix)));
    if (group !== undefined && all.length === 0) return notFound('Group');
    return list(parts, { all, show: (one) => projectJson(parts, one), isCounted: true, search, href });
  }
  const [, runner, ofRunner = ''] = /^runners\/(\d{1,9})(?:\/(.*))?$/.exec(path) ?? [];
  if (runner !== undefined) return answerRunner(parts, Number(runner), ofRunner, asked);
  const [, name, rest = ''] = /^projects\/([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
  if (name === undefined) return notFound('Route');
  const project = findProject(parts, name);
  return project === null ? notFound('Project') : answerProject(parts, project, rest, asked);
}
