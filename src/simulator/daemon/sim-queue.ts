// The queue's ports over the simulated GitLab, for one process: each call passes the gate, travels, and meets GitLab's weather.
// Must not know what the daemon makes of the answers. Traps: a refusal is thrown, never an empty list; times come back on the
// manager's clock, which may have jumped.
import { gitlabError } from '../../domain/gitlab-failure.ts';
import type { ProjectScope, QueuedJob, QueueProject } from '../../domain/queue.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CallGate, CallReport, Gitlab, QueuePorts, QueueSource } from '../../ports/queue.ts';
import type { Gitlab as SimGitlab } from '../../sim/gitlab/gitlab.ts';
import { isEnded, type Job } from '../../sim/gitlab/job.ts';
import { isProtected } from '../../sim/gitlab/may-take.ts';
import type { NetworkLine } from './network-line.ts';

/** A usual answer of a jobs API: 100 ms there and back, its work included. */
const THERE_MS: DurationMs = 20;
const BACK_MS: DurationMs = 80;
/** adapters/gitlab waits no longer for one. */
const ANSWER_LIMIT_MS: DurationMs = 40 * SECOND_MS;
/** Projects of one look, as the adapters take them. */
const PER_LOOK = { rest: 1, graphql: 7, instance: 0 } as const;
const VERSION = '19.4.0';

export type SimQueueDeps = {
  gitlab: SimGitlab;
  jobs: OpenJobs;
  clock: Clock;
  line: NetworkLine;
  /** True time, in ms: GitLab's clock. */
  gitlabNow(): number;
  /** The token is an admin's. */
  seesInstance(): boolean;
};

/** Jobs that have not ended, oldest first, by project: a look must not go through a week of ended ones. */
export type OpenJobs = (project: number | null) => readonly Job[];

/** Follows the jobs of a GitLab, for as long as the world lasts. */
export function createOpenJobs(gitlab: SimGitlab): OpenJobs {
  const open = new Map<number, Job>();
  for (const job of gitlab.jobs()) if (!isEnded(job)) open.set(job.id, job);
  gitlab.on(({ job }) => {
    if (isEnded(job)) open.delete(job.id);
    else open.set(job.id, job);
  });
  return (project) => [...open.values()].filter((job) => project === null || job.project === project);
}

type Ask = <T>(what: string, work: () => T, signal: AbortSignal) => Promise<T>;

/** One call as the real client makes it. */
function createAsk({ gitlab, clock, line }: SimQueueDeps, gate: CallGate): Ask {
  return async (what, work, signal) => {
    await gate.enter(signal);
    const begun = clock.monotonic();
    const report: CallReport = {
      what,
      outcome: 'failed',
      ms: 0,
      limit: null,
      remaining: null,
      retryAt: null,
    };
    const { delayMs, refused } = gitlab.weather.call();
    try {
      const answer = await line.ask({
        what: null,
        thereMs: THERE_MS,
        backMs: BACK_MS + delayMs,
        signal: clock.timeout(ANSWER_LIMIT_MS, signal),
        work() {
          if (refused === null) return work();
          throw gitlabError(refused === 429 ? 'throttled' : 'away', `GitLab answers ${refused}`, refused);
        },
      });
      report.outcome = 'ok';
      return answer;
    } catch (error) {
      if (refused === 429) report.outcome = 'throttled';
      throw error;
    } finally {
      report.ms = clock.monotonic() - begun;
      gate.leave(report);
    }
  };
}

function toQueued({ gitlab, clock, gitlabNow }: SimQueueDeps, job: Job): QueuedJob {
  const ahead = clock.now() - gitlabNow();
  const onOurs = (at: number | null) => (at === null ? null : at + ahead);
  const { path } = gitlab.project(job.project);
  return {
    id: job.id,
    project: { id: job.project, path },
    name: job.name,
    stage: job.stageName,
    status: job.status,
    tags: job.tags,
    ref: job.ref,
    gitTag: job.refIsTag,
    protectedRef: null,
    queuedAt: onOurs(job.queuedAt),
    createdAt: job.createdAt + ahead,
    pipeline: job.pipeline,
    url: null,
    startedAt: onOurs(job.startedAt),
  };
}

function sourceOf(deps: SimQueueDeps, ask: Ask, name: keyof typeof PER_LOOK): QueueSource {
  return {
    name,
    projectsPerLook: PER_LOOK[name],
    async look({ projects, statuses }, signal) {
      const observedAt = deps.clock.now();
      const read = () =>
        (name === 'instance' ? [null] : projects.map(({ id }) => id))
          .flatMap((project) => deps.jobs(project))
          .filter(({ status }) => statuses.includes(status))
          .map((job) => toQueued(deps, job));
      const jobs = await ask(name === 'rest' ? 'jobs' : 'graphql', read, signal);
      return { jobs, observedAt, complete: true, refused: [] };
    },
  };
}

function projectsOf({ gitlab }: SimQueueDeps, scope: ProjectScope): QueueProject[] {
  const all = gitlab.projects().filter(({ id, path }) => {
    if (scope.kind === 'named') return scope.projects.includes(id) || scope.projects.includes(path);
    return scope.kind === 'instance' || path.startsWith(`${scope.group}/`);
  });
  return all.map(({ id, path, groupRunners, instanceRunners: sharedRunners }) => {
    return { id, path, groupRunners, sharedRunners, closed: false, activeAt: null };
  });
}

function openGitlab(deps: SimQueueDeps, gate: CallGate): Gitlab {
  const { gitlab, jobs, seesInstance } = deps;
  const ask = createAsk(deps, gate);
  return {
    version: (signal) => ask('version', () => VERSION, signal),
    runner(id, signal) {
      const read = () => {
        const { scope, paused, tags, runUntagged, accessLevel } = gitlab.runner(id);
        const own = scope.kind === 'projects' ? scope.projects : null;
        return {
          type: scope.kind === 'projects' ? ('project' as const) : scope.kind,
          paused,
          tags,
          runUntagged,
          protectedOnly: accessLevel === 'ref_protected',
          projects: own?.map((project) => ({ id: project, path: gitlab.project(project).path })) ?? null,
          groups: null,
        };
      };
      return ask('runner', read, signal);
    },
    projects: (scope, signal) => ask('projects', () => projectsOf(deps, scope), signal),
    isProtected: ({ project, ref }, signal) =>
      ask('ref', () => isProtected(gitlab.project(project), ref), signal),
    runningJobs(runner, signal) {
      const read = () =>
        jobs(null)
          .filter((job) => job.runner === runner && job.status === 'running')
          .map(({ id, status, project }) => ({ id, status, project }));
      return ask('running', read, signal);
    },
    jobStatus: ({ id }, signal) => ask('job', () => gitlab.job(id)?.status ?? null, signal),
    seesInstance: (signal) => ask('graphql', seesInstance, signal),
    source: (name) => sourceOf(deps, ask, name),
    close: () => undefined,
  };
}

/** The ports of one process; the runner's own metrics and SSM are not simulated. */
export function createSimQueue(deps: SimQueueDeps): QueuePorts {
  const away = () => Promise.reject(gitlabError('away', 'it is not part of the simulated world'));
  return {
    gitlab: { open: (_access, gate) => openGitlab(deps, gate) },
    runner: { scrape: away },
    secrets: { read: away },
  };
}

/** GitLab's webhooks come through a queue of background work; usually within so long. */
export const WEBHOOK_MS: DurationMs = SECOND_MS / 2;
