// The port to one GitLab under one token: the sources, and the slow questions around them (runner, projects, refs).
// Must not ask for a job: POST /jobs/request takes one away.
import { unreachable } from '../../domain/assert.ts';
import { gitlabError } from '../../domain/gitlab-failure.ts';
import type { ProjectScope, QueueProject, RunnerTraits, RunnerType } from '../../domain/queue.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AssignedJob, CallGate, Gitlab, GitlabAccess, GitlabDoor } from '../../ports/queue.ts';
import {
  assignedJob,
  jobState,
  type RestProject,
  readEach,
  restProject,
  restRef,
  restRunner,
  restVersion,
} from './answers.ts';
import type { ProxyEnvironment } from './dispatcher.ts';
import { createGraphqlSource } from './graphql-source.ts';
import { createGitlabHttp, type GitlabHttp } from './http-client.ts';
import { createInstanceSource, seesInstance } from './instance-source.ts';
import { asList, isRefusal } from './lists.ts';
import { createRestSource } from './rest-source.ts';

/** Pages of 100: 10,000 projects. */
const MOST_PAGES = 100;

const runnerTypes: Readonly<Record<string, RunnerType>> = {
  instance_type: 'instance',
  group_type: 'group',
  project_type: 'project',
};

async function readRunner(http: GitlabHttp, id: number, signal: AbortSignal): Promise<RunnerTraits> {
  const { json } = await http.ask({ what: 'runner', path: `v4/runners/${id}` }, signal);
  const parsed = restRunner.safeParse(json);
  if (!parsed.success)
    throw gitlabError('denied', `GitLab does not show the settings of runner ${id} to this token`);
  const { paused, active, runner_type: type, projects, groups, ...rest } = parsed.data;
  return {
    type: runnerTypes[type ?? ''] ?? (rest.is_shared === true ? 'instance' : null),
    paused: paused ?? active === false,
    tags: rest.tag_list,
    runUntagged: rest.run_untagged ?? rest.tag_list.length === 0,
    protectedOnly: rest.access_level === 'ref_protected',
    projects:
      projects?.map((project) => ({ id: project.id, path: project.path_with_namespace ?? '' })) ?? null,
    groups: groups?.map((group) => group.id) ?? null,
  };
}

function toProject(project: RestProject): QueueProject {
  const isClosed =
    project.archived === true ||
    Boolean(project.marked_for_deletion_on ?? project.marked_for_deletion_at) ||
    project.jobs_enabled === false ||
    project.builds_access_level === 'disabled';
  return {
    id: project.id,
    path: project.path_with_namespace ?? '',
    groupRunners: project.group_runners_enabled ?? null,
    sharedRunners: project.shared_runners_enabled ?? null,
    closed: isClosed,
    activeAt: project.last_activity_at ?? null,
  };
}

async function listProjects(http: GitlabHttp, first: string, signal: AbortSignal): Promise<QueueProject[]> {
  const projects = new Map<number, QueueProject>();
  const seen = new Set<string>();
  for (let path: string | null = first; path !== null; ) {
    if (seen.size >= MOST_PAGES || seen.has(path)) break;
    seen.add(path);
    const answer = await http.ask({ what: 'projects', path, remember: true }, signal);
    const { read } = readEach(restProject, asList('projects', answer.json));
    for (const project of read) projects.set(project.id, toProject(project));
    path = answer.next;
  }
  return [...projects.values()];
}

const encoded = (name: number | string): string => encodeURIComponent(String(name));

/** A project or group that the token may not see is left out: the others still count. */
async function namedProjects(
  http: GitlabHttp,
  names: readonly (number | string)[],
  signal: AbortSignal,
): Promise<QueueProject[]> {
  const projects: QueueProject[] = [];
  for (const name of names) {
    try {
      const path = `v4/projects/${encoded(name)}`;
      const { json } = await http.ask({ what: 'project', path, remember: true }, signal);
      const parsed = restProject.safeParse(json);
      if (parsed.success) projects.push(toProject(parsed.data));
    } catch (error) {
      if (!isRefusal(error) || names.length === 1) throw error;
    }
  }
  return projects;
}

async function projectsOf(
  http: GitlabHttp,
  scope: ProjectScope,
  signal: AbortSignal,
): Promise<QueueProject[]> {
  switch (scope.kind) {
    case 'named':
      return await namedProjects(http, scope.projects, signal);
    case 'group': {
      const query = 'include_subgroups=true&with_shared=false&per_page=100&order_by=id&sort=asc';
      return await listProjects(http, `v4/groups/${encoded(scope.group)}/projects?${query}`, signal);
    }
    case 'instance': {
      const query = 'per_page=100&pagination=keyset&order_by=id&sort=asc';
      return await listProjects(http, `v4/projects?${query}`, signal);
    }
    default:
      return unreachable(scope);
  }
}

/** The `protected` flag of a branch or tag; null when there is none of that name or the token may not look. */
async function readRef(http: GitlabHttp, path: string, signal: AbortSignal): Promise<boolean | null> {
  try {
    const { json } = await http.ask({ what: 'ref', path }, signal);
    const parsed = restRef.safeParse(json);
    return parsed.success ? (parsed.data.protected ?? null) : null;
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

async function isProtected(
  http: GitlabHttp,
  at: { project: number; ref: string; gitTag: boolean | null },
  signal: AbortSignal,
): Promise<boolean | null> {
  // refs/merge-requests/7/head and the like are no branch: GitLab has rules of its own for them.
  if (at.ref === '' || at.ref.startsWith('refs/')) return null;
  // No branch has such a name, and as part of an address it would be another one, or none.
  if (at.ref === '.' || at.ref === '..' || !at.ref.isWellFormed()) return null;
  const repository = `v4/projects/${at.project}/repository`;
  const branch = () => readRef(http, `${repository}/branches/${encoded(at.ref)}`, signal);
  const tag = () => readRef(http, `${repository}/tags/${encoded(at.ref)}`, signal);
  if (at.gitTag === true) return await tag();
  if (at.gitTag === false) return await branch();
  return (await branch()) ?? (await tag());
}

async function runningJobs(http: GitlabHttp, runner: number, signal: AbortSignal): Promise<AssignedJob[]> {
  const path = `v4/runners/${runner}/jobs?status=running&per_page=100`;
  const answer = await http.ask({ what: 'running', path }, signal);
  const { read, whole } = readEach(assignedJob, asList('running', answer.json));
  if (!whole || !answer.whole || answer.next !== null)
    throw gitlabError('malformed', "not all of the runner's running jobs could be read");
  return read.map(({ id, status, project, pipeline }) => ({
    id,
    status,
    project: project?.id ?? pipeline?.project_id ?? 0,
  }));
}

async function jobStatus(
  http: GitlabHttp,
  job: { project: number; id: number },
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const { json } = await http.ask(
      { what: 'job', path: `v4/projects/${job.project}/jobs/${job.id}` },
      signal,
    );
    const parsed = jobState.safeParse(json);
    return parsed.success ? parsed.data.status : null;
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

async function readVersion(http: GitlabHttp, signal: AbortSignal): Promise<string | null> {
  try {
    const { json } = await http.ask({ what: 'version', path: 'v4/version' }, signal);
    const parsed = restVersion.safeParse(json);
    return parsed.success && /^\d+\.\d+[\w.-]{0,40}$/.test(parsed.data.version) ? parsed.data.version : null;
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

export type GitlabDoorDeps = { clock: Clock; env: ProxyEnvironment; version: string };

function openGitlab(access: GitlabAccess, gate: CallGate, deps: GitlabDoorDeps): Gitlab {
  const http = createGitlabHttp(access, { ...deps, gate });
  return {
    version: (signal) => readVersion(http, signal),
    runner: (id, signal) => readRunner(http, id, signal),
    projects: (scope, signal) => projectsOf(http, scope, signal),
    isProtected: (at, signal) => isProtected(http, at, signal),
    runningJobs: (runner, signal) => runningJobs(http, runner, signal),
    jobStatus: (job, signal) => jobStatus(http, job, signal),
    seesInstance: (signal) => seesInstance(http, signal),
    source(name) {
      if (name === 'rest') return createRestSource(http);
      return name === 'graphql'
        ? createGraphqlSource(http, access.url)
        : createInstanceSource(http, access.url, deps.clock);
    },
    close: () => http.close(),
  };
}

/** Opens connections to GitLabs. `env` gives the proxies; `version` stands in the User-Agent. */
export function createGitlabDoor(deps: GitlabDoorDeps): GitlabDoor {
  return { open: (access, gate) => openGitlab(access, gate, deps) };
}
