// What is found out about one pool's runner and its projects, every ten minutes and apart from the looks: traits, scope,
// and from these which source its queue is read from.
// Trap: a refusal is a fact (the token may not), an outage is not: it is thrown, and what was known before goes on.
import { HostlerError, messageOf } from '../domain/error.ts';
import { gitlabFailure } from '../domain/gitlab-failure.ts';
import type { ProjectRef, ProjectScope, QueueProject, QueueSettings, RunnerTraits } from '../domain/queue.ts';
import type { Gitlab, QueueSource } from '../ports/queue.ts';
import { chooseSource, MOST_FOR_REST, type SourceChoice } from '../queue/choose-source.ts';
import { isInScope, type MatchRules, type RunnerScope } from '../queue/match-job.ts';
import { runnerScope, scopesOf, traitsOf } from '../queue/runner-scope.ts';

/** What a refresh found. */
export type PoolScope = {
  choice: SourceChoice;
  /** null: the runner's tags are not known. */
  rules: MatchRules | null;
  /** Projects to look at, by a source that looks project by project. */
  projects: readonly QueueProject[];
  /** In plain words, what is assumed and what the token may not see. */
  remarks: readonly string[];
};

export type ScopeInput = {
  settings: QueueSettings;
  hasMetrics: boolean;
  /** null: GitLab cannot be asked at all. */
  gitlab: Gitlab | null;
  projects(scope: ProjectScope): Promise<readonly QueueProject[]>;
  /** For the probe of several projects a call. */
  graphql(): Promise<QueueSource>;
};

/** The answer, or the words of a refusal. A bad token, a limit or an outage is thrown. */
async function orRefusal<T>(work: Promise<T>): Promise<{ value: T } | { refused: string }> {
  try {
    return { value: await work };
  } catch (error) {
    const { kind } = gitlabFailure(error);
    if (error instanceof HostlerError && (kind === 'denied' || kind === 'missing'))
      return { refused: messageOf(error) };
    throw error;
  }
}

async function tellRunner(
  { settings, gitlab }: ScopeInput,
  remarks: string[],
  signal: AbortSignal,
): Promise<RunnerTraits | null> {
  if (gitlab === null) return null;
  if (settings.runnerId === null) {
    remarks.push("the runner's number is not known (id in its section, or runner_id)");
    return null;
  }
  const told = await orRefusal(gitlab.runner(settings.runnerId, signal));
  if ('value' in told) return told.value;
  remarks.push(told.refused);
  return null;
}

/** The projects of a project runner stand in its own settings: no call for them. */
function ownProjects(traits: RunnerTraits, settings: QueueSettings): QueueProject[] | null {
  const isNamed = settings.projects.length > 0 || settings.group !== null;
  if (isNamed || traits.type !== 'project' || traits.projects === null) return null;
  return traits.projects.map((project: ProjectRef) => ({
    ...project,
    groupRunners: null,
    sharedRunners: null,
    closed: false,
    activeAt: null,
  }));
}

async function listProjects(
  { settings, gitlab, projects }: ScopeInput,
  traits: RunnerTraits,
  remarks: string[],
): Promise<QueueProject[] | null> {
  const own = ownProjects(traits, settings);
  if (own !== null || gitlab === null) return own;
  const scopes = scopesOf(traits, settings);
  if (scopes === null) return null;
  const listed = new Map<number, QueueProject>();
  let seen = 0;
  for (const scope of scopes) {
    const answer = await orRefusal(projects(scope));
    if ('refused' in answer) remarks.push(answer.refused);
    else {
      seen += 1;
      for (const project of answer.value) listed.set(project.id, project);
    }
  }
  return seen === 0 && scopes.length > 0 ? null : [...listed.values()];
}

/** Whether the token sees the whole instance; asked only where it would be used. */
async function probeInstance(
  { settings, gitlab }: ScopeInput,
  traits: RunnerTraits,
  count: number,
  signal: AbortSignal,
): Promise<boolean | null> {
  const { source } = settings;
  const isUseful = source === 'auto' && (traits.type === 'instance' || count > MOST_FOR_REST);
  if (gitlab === null || (source !== 'instance' && !isUseful)) return null;
  const seen = await orRefusal(gitlab.seesInstance(signal));
  return 'value' in seen && seen.value;
}

/** Whether two projects in one call work here. */
async function probeMultiplex(
  input: ScopeInput,
  projects: readonly QueueProject[],
  signal: AbortSignal,
): Promise<boolean | null> {
  if (input.gitlab === null || input.settings.source !== 'auto' || projects.length <= MOST_FOR_REST)
    return null;
  const source = await input.graphql();
  const look = source.look({ projects: projects.slice(0, 2), statuses: ['pending'] }, signal);
  const answer = await orRefusal(look);
  return 'value' in answer && answer.value.refused.length < 2;
}

function toPoll(projects: readonly QueueProject[], scope: RunnerScope): QueueProject[] {
  return projects.filter((project) => isInScope(scope, project));
}

/** Asks what there is to know. Throws when GitLab cannot be asked now. */
export async function findScope(input: ScopeInput, signal: AbortSignal): Promise<PoolScope> {
  const { settings, hasMetrics } = input;
  const remarks: string[] = [];
  const wantsGitlab = settings.source !== 'none' && settings.source !== 'metrics';
  const known = wantsGitlab ? traitsOf(await tellRunner(input, remarks, signal), settings) : null;
  remarks.push(...(known?.assumed ?? []).map((assumed) => `it is assumed ${assumed}`));
  const facts = {
    settings,
    hasMetrics,
    knowsRunner: known !== null,
    type: known?.traits.type ?? null,
    projects: null,
    seesInstance: null,
    multiplex: null,
  };
  if (known === null) return { choice: chooseSource(facts), rules: null, projects: [], remarks };
  const { traits } = known;
  const listed = await listProjects(input, traits, remarks);
  const scope = scopeFor(traits, settings, listed);
  const projects = toPoll(listed ?? [], scope);
  const seesInstance = await probeInstance(input, traits, projects.length, signal);
  const multiplex = seesInstance === true ? null : await probeMultiplex(input, projects, signal);
  const count = listed === null ? null : projects.length;
  return {
    choice: chooseSource({ ...facts, projects: count, seesInstance, multiplex }),
    rules: { traits, scope, assumeProtected: settings.assumeProtected },
    projects,
    remarks,
  };
}

/** Without a list every project counts, which only a source that sees all can use. */
function scopeFor(
  traits: RunnerTraits,
  settings: QueueSettings,
  listed: readonly QueueProject[] | null,
): RunnerScope {
  return listed === null ? { only: null, except: new Set() } : runnerScope(traits, settings, listed);
}
