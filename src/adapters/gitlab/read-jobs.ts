// GitLab's jobs as hostler's: REST and GraphQL to one shape, times on our clock.
// Trap: REST has no time of queueing but a duration that grows; GraphQL has a time by GitLab's clock.
import type { ProjectRef, QueuedJob } from '../../domain/queue.ts';
import { type EpochMs, SECOND_MS } from '../../domain/units.ts';
import type { GraphJob, RestJob } from './answers.ts';

export type Moment = { sentAt: EpochMs; skew: number };

function onOurClock(at: EpochMs | null | undefined, { sentAt, skew }: Moment): EpochMs | null {
  return at === null || at === undefined ? null : Math.min(at - skew, sentAt);
}

export function fromRest(job: RestJob, project: ProjectRef, moment: Moment): QueuedJob {
  const waited = job.queued_duration ?? null;
  return {
    id: job.id,
    project,
    name: job.name ?? '',
    stage: job.stage ?? '',
    status: job.status,
    tags: job.tag_list,
    ref: job.ref ?? '',
    gitTag: job.tag ?? null,
    protectedRef: null,
    queuedAt: waited === null ? null : Math.round(moment.sentAt - waited * SECOND_MS),
    createdAt: onOurClock(job.created_at, moment),
    pipeline: job.pipeline?.id ?? null,
    url: job.web_url ?? null,
    startedAt: onOurClock(job.started_at, moment),
  };
}

/** `status`: what was asked for, where the answer does not repeat it. null: the job does not say whose it is. */
export function fromGraph(
  job: GraphJob,
  at: { project: ProjectRef | null; status: string; url: string },
  moment: Moment,
): QueuedJob | null {
  const named = job.project;
  const project = at.project ?? (named ? { id: named.id, path: named.fullPath ?? '' } : null);
  // Without its tags a job cannot be matched; an untagged one has an empty list.
  if (project === null || !job.tags) return null;
  return {
    id: job.id,
    project,
    name: job.name ?? '',
    stage: job.stage?.name ?? '',
    status: (job.status ?? at.status).toLowerCase(),
    tags: job.tags,
    ref: job.refName ?? '',
    gitTag: job.createdByTag ?? null,
    protectedRef: null,
    queuedAt: onOurClock(job.queuedAt, moment),
    createdAt: onOurClock(job.createdAt, moment),
    pipeline: job.pipeline?.id ?? null,
    startedAt: onOurClock(job.startedAt, moment),
    url: job.webPath && URL.canParse(job.webPath, at.url) ? new URL(job.webPath, at.url).href : null,
  };
}
