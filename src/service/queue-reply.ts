// One pool's job queue as the socket shows it: what waits where, what of it the pool may take and why not the rest.
// Must not decide anything: the verdicts are the watch's. Trap: a queue may hold thousands of jobs; only the oldest are named.
import type { QueueJobReply, QueueProjectReply, QueueReply } from '../contract/api.ts';
import type { EpochMs } from '../domain/units.ts';
import { SECOND_MS } from '../domain/units.ts';
import { waitingSince } from '../queue/group-jobs.ts';
import { whyNotTexts } from '../queue/match-job.ts';
import type { Verdict } from './queue-look-book.ts';
import type { QueueStatus } from './queue-status.ts';
import { isoTime } from './replies.ts';

/** Rows of projects in one reply: more belong to no screen. */
const MOST_PROJECTS = 1_000;

type Row = QueueProjectReply & { why_not: Record<string, number> };

const secondsSince = (at: EpochMs, now: EpochMs): number => Math.max(0, Math.round((now - at) / SECOND_MS));

/** Why a verdict is a no, in words that name what lacks where that says more. */
function wordsOf({ match }: Verdict): string {
  if (match.takes) return '';
  return match.why === 'tags' ? `the runner lacks ${match.detail}` : whyNotTexts[match.why];
}

function emptyRow(id: number, path: string, hidden: string | null): Row {
  return { id, path, pending: 0, may_take: 0, coming: 0, oldest_s: null, why_not: {}, hidden };
}

function projectRows({ verdicts, coming, refused }: QueueStatus, now: EpochMs): QueueProjectReply[] {
  const rows = new Map<number, Row>();
  const rowOf = (id: number, path: string): Row => {
    const row = rows.get(id) ?? emptyRow(id, path, refused.get(id) ?? null);
    rows.set(id, row);
    return row;
  };
  for (const verdict of verdicts) {
    const { job, match, observedAt } = verdict;
    const row = rowOf(job.project.id, job.project.path);
    const waited = secondsSince(waitingSince(job, observedAt), now);
    const words = wordsOf(verdict);
    const not = match.takes ? {} : { [words]: (row.why_not[words] ?? 0) + 1 };
    rows.set(job.project.id, {
      ...row,
      pending: row.pending + 1,
      may_take: row.may_take + (match.takes ? 1 : 0),
      oldest_s: Math.max(row.oldest_s ?? 0, waited),
      why_not: { ...row.why_not, ...not },
    });
  }
  for (const { job } of coming) {
    const row = rowOf(job.project.id, job.project.path);
    rows.set(job.project.id, { ...row, coming: row.coming + 1 });
  }
  for (const [id, why] of refused) if (!rows.has(id)) rows.set(id, emptyRow(id, '', why));
  const all = [...rows.values()].toSorted((a, b) => b.pending - a.pending || a.id - b.id);
  return all.slice(0, MOST_PROJECTS);
}

function jobRow(verdict: Verdict, now: EpochMs): QueueJobReply {
  const { job, match, observedAt } = verdict;
  return {
    id: job.id,
    name: job.name,
    project: job.project.path === '' ? String(job.project.id) : job.project.path,
    stage: job.stage,
    ref: job.ref,
    tags: job.tags,
    waited_s: secondsSince(waitingSince(job, observedAt), now),
    url: job.url,
    takes: match.takes,
    why_not: match.takes ? null : match.why,
    detail: match.takes ? '' : match.detail,
  };
}

/** How long a job may stay unseen, by the pace that is kept now. */
function seenWithin({ periods }: QueueStatus): QueueReply['seen_within_s'] {
  if (periods === null) return null;
  const seconds = (ms: number) => Math.ceil(ms / SECOND_MS);
  return { busy: seconds(periods.busy), quiet: seconds(Math.max(periods.quiet, periods.dormant)) };
}

function toldReply({ lastTold }: QueueStatus, now: EpochMs): QueueReply['runner_told'] {
  if (lastTold === null) return null;
  const { size, depth, at } = lastTold;
  return { queue_size: size, queue_depth: depth, age_s: secondsSince(at, now) };
}

/** The reply for one pool; at most `jobs` of its jobs are named. */
export function queueReply(status: QueueStatus, now: EpochMs, jobs: number): QueueReply {
  const { verdicts, told } = status;
  const oldest = verdicts.toSorted(
    (a, b) => waitingSince(a.job, a.observedAt) - waitingSince(b.job, b.observedAt) || a.job.id - b.job.id,
  );
  const [first] = oldest;
  return {
    pool: status.pool,
    source: status.source,
    state: status.state,
    age_s: status.at === null ? null : secondsSince(status.at, now),
    why: status.why,
    gitlab: status.url,
    remarks: status.remarks,
    failing: status.failing,
    seen_within_s: seenWithin(status),
    webhook: status.webhook,
    runner_told: toldReply(status, now),
    watched: status.projects,
    pending: verdicts.length + told,
    may_take: verdicts.filter(({ match }) => match.takes).length + told,
    oldest_s: first === undefined ? null : secondsSince(waitingSince(first.job, first.observedAt), now),
    coming: status.coming.length,
    forecast: status.forecast.map(({ from, jobs: expected }) => ({ from: isoTime(from), jobs: expected })),
    projects: projectRows(status, now),
    jobs: oldest.slice(0, jobs).map((verdict) => jobRow(verdict, now)),
  };
}
