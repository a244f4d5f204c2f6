// What is known of a runner, put together: GitLab's answer before the configuration, and in words what is assumed.
// Pure. Trap: without the runner's tags nothing can be matched, and a guess would launch machines for other runners' jobs.
import type { ProjectScope, QueueProject, QueueSettings, RunnerTraits } from '../domain/queue.ts';
import type { RunnerScope } from './match-job.ts';

export type KnownTraits = { traits: RunnerTraits; assumed: readonly string[] };

/** The runner as it is taken to be; null when neither GitLab nor the configuration gives its tags. */
export function traitsOf(told: RunnerTraits | null, settings: QueueSettings): KnownTraits | null {
  if (told !== null) return { traits: told, assumed: [] };
  if (settings.tags === null) return null;
  const { tags, runUntagged, protectedOnly } = settings;
  const assumed: string[] = ['that the runner is not paused'];
  // GitLab's own default when a runner with tags is made.
  if (runUntagged === null) assumed.push(`that it takes ${tags.length === 0 ? '' : 'no '}untagged jobs`);
  if (protectedOnly === null) assumed.push('that it takes jobs of unprotected refs too');
  return {
    traits: {
      type: null,
      paused: false,
      tags,
      runUntagged: runUntagged ?? tags.length === 0,
      protectedOnly: protectedOnly ?? false,
      projects: null,
      groups: null,
    },
    assumed,
  };
}

/** Where the runner's projects are listed; null when nothing says which they are. */
export function scopesOf(traits: RunnerTraits, settings: QueueSettings): ProjectScope[] | null {
  if (settings.projects.length > 0) return [{ kind: 'named', projects: settings.projects }];
  if (settings.group !== null) return [{ kind: 'group', group: settings.group }];
  if (traits.type === 'instance') return [{ kind: 'instance' }];
  if (traits.type === 'group')
    return traits.groups === null ? null : traits.groups.map((group) => ({ kind: 'group', group }));
  if (traits.type === 'project' && traits.projects !== null)
    return [{ kind: 'named', projects: traits.projects.map(({ id }) => id) }];
  return null;
}

function isOpen(traits: RunnerTraits, project: QueueProject): boolean {
  if (project.closed) return false;
  if (traits.type === 'group') return project.groupRunners !== false;
  if (traits.type === 'instance') return project.sharedRunners !== false;
  return true;
}

/** The projects a runner serves, from those that its scope lists. */
export function runnerScope(
  traits: RunnerTraits,
  settings: QueueSettings,
  listed: readonly QueueProject[],
): RunnerScope {
  const closed = new Set(listed.filter((project) => !isOpen(traits, project)).map(({ id }) => id));
  const isNamed = settings.projects.length > 0 || settings.group !== null;
  // A project made since the last listing is one of the instance's, too.
  if (traits.type === 'instance' && !isNamed) return { only: null, except: closed };
  const own = traits.type === 'project' && traits.projects !== null ? traits.projects : null;
  const enabled = own === null ? null : new Set(own.map(({ id }) => id));
  const only = listed.filter(({ id }) => !closed.has(id) && (enabled === null || enabled.has(id)));
  return { only: new Set(only.map(({ id }) => id)), except: closed };
}
