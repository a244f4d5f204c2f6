// Which jobs of the queue GitLab would give to a runner: scope, protected refs, tags. Pure.
// It repeats GitLab's rules and knows nothing else; whoever counts a queue from outside must come to the same answer.
import type { GitlabRunner, Job, Project } from './job.ts';

/** Whether a runner serves a project: by its own list, by a group above the project, or as an instance runner. */
function serves(runner: GitlabRunner, project: Project): boolean {
  const { scope } = runner;
  if (scope.kind === 'projects') return scope.projects.includes(project.id);
  if (scope.kind === 'instance') return project.instanceRunners;
  return project.groupRunners && project.path.startsWith(`${scope.group}/`);
}

/** Whether that runner would be given that job, were it the first in line. */
export function mayTake(runner: GitlabRunner, job: Job, project: Project): boolean {
  if (runner.paused || job.status !== 'pending') return false;
  if (!serves(runner, project)) return false;
  if (runner.accessLevel === 'ref_protected' && !job.protectedRef) return false;
  if (job.tags.length === 0) return runner.runUntagged;
  return job.tags.every((tag) => runner.tags.includes(tag));
}

/** Whether a ref is protected in a project; `*` in a rule stands for anything. */
export function isProtected(project: Project, ref: string): boolean {
  return project.protectedRefs.some((rule) => {
    if (!rule.includes('*')) return rule === ref;
    const pattern = rule
      .split('*')
      .map((part) => part.replaceAll(/[^A-Za-z0-9]/g, '\\$&'))
      .join('.*');
    return new RegExp(`^${pattern}$`).test(ref);
  });
}
