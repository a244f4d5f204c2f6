// Whether a runner may take a job, and if not, why not: GitLab's own rules (facts: gitlab-queue 6.1 and 6.3) in one place.
// Pure. Every source gives its jobs to this; none of them decides by itself.
// Trap: order does not matter to GitLab, but the first reason is what a person reads, so the coarse ones come first.
import type { ProjectRef, QueuedJob, RunnerTraits } from '../domain/queue.ts';

/** Why a runner does not take a job; a closed set, for `hostler queue` and metrics. */
export const whyNotTexts = {
  'not-pending': 'it is not pending',
  paused: 'the runner is paused',
  scope: 'the runner does not serve its project',
  tags: 'the runner lacks tags of it',
  untagged: 'it has no tags and the runner takes tagged jobs only',
  unprotected: 'its ref is not protected and the runner takes protected refs only',
  'protection-unknown': 'GitLab does not say whether its ref is protected; assume_protected = true counts it',
} as const;

export type WhyNot = keyof typeof whyNotTexts;

export type Match = { takes: true } | { takes: false; why: WhyNot; detail: string };

/** The projects a runner serves. */
export type RunnerScope = {
  /** null: every project but those of `except`. */
  only: ReadonlySet<number> | null;
  except: ReadonlySet<number>;
};

export type MatchRules = {
  traits: RunnerTraits;
  scope: RunnerScope;
  /** What an unknown `protectedRef` counts as. */
  assumeProtected: boolean;
};

const yes: Match = { takes: true };

function no(why: WhyNot, detail = ''): Match {
  return { takes: false, why, detail };
}

export function isInScope({ only, except }: RunnerScope, project: ProjectRef): boolean {
  return (only === null || only.has(project.id)) && !except.has(project.id);
}

/** Tags of the job that the runner lacks. Compared as they are: letter case counts. */
export function missingTags(traits: Pick<RunnerTraits, 'tags'>, tags: readonly string[]): string[] {
  return tags.filter((tag) => !traits.tags.includes(tag));
}

/** A runner without tags of its own takes untagged jobs, whatever its flag says: GitLab allows no other. */
export function takesUntagged({ tags, runUntagged }: Pick<RunnerTraits, 'tags' | 'runUntagged'>): boolean {
  return runUntagged || tags.length === 0;
}

/** True when all that stands between runner and job is whether the ref is protected, and that is not known yet. */
export function hangsOnProtection(rules: MatchRules, job: QueuedJob): boolean {
  if (!rules.traits.protectedOnly || job.protectedRef !== null) return false;
  return matchJob(rules, { ...job, protectedRef: true }).takes;
}

/** The verdict on one job. */
export function matchJob({ traits, scope, assumeProtected }: MatchRules, job: QueuedJob): Match {
  if (job.status !== 'pending') return no('not-pending', job.status);
  if (traits.paused) return no('paused');
  if (!isInScope(scope, job.project)) return no('scope', job.project.path);
  if (job.tags.length === 0 && !takesUntagged(traits)) return no('untagged');
  const lacking = missingTags(traits, job.tags);
  if (lacking.length > 0) return no('tags', lacking.join(', '));
  if (!traits.protectedOnly) return yes;
  if (job.protectedRef === null && !assumeProtected) return no('protection-unknown', job.ref);
  return (job.protectedRef ?? assumeProtected) ? yes : no('unprotected', job.ref);
}
