// Pending jobs as the planner takes them: by the pools that may take them and the moment they were seen. Pure.
// Trap: a job too young for one pool may be old enough for another, and grows older between two looks: so the grouping is
// done at each tick, from verdicts that are kept.
import type { JobGroup, QueuedJob } from '../domain/queue.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';

/** A job with the pools that may take it. */
export type JudgedJob = { job: QueuedJob; pools: readonly string[] };

export type JudgedLook = { jobs: readonly JudgedJob[]; observedAt: EpochMs; held: boolean };

/** When the job began to wait: pending, else made, else seen. */
export function waitingSince(job: QueuedJob, observedAt: EpochMs): EpochMs {
  return Math.min(job.queuedAt ?? job.createdAt ?? observedAt, observedAt);
}

/** The groups of all looks. Jobs younger than a pool's `min_age` do not count for it yet. */
export function groupJobs(
  looks: Iterable<JudgedLook>,
  minAge: ReadonlyMap<string, DurationMs>,
  now: EpochMs,
): JobGroup[] {
  const groups = new Map<string, JobGroup & { queuedAt: EpochMs[] }>();
  for (const { jobs, observedAt, held } of looks) {
    for (const { job, pools } of jobs) {
      const since = waitingSince(job, observedAt);
      const old = pools.filter((pool) => now - since >= (minAge.get(pool) ?? 0));
      if (old.length === 0) continue;
      const key = `${observedAt} ${held} ${old.join(' ')}`;
      const group = groups.get(key) ?? { pools: old, observedAt, held, queuedAt: [] };
      groups.set(key, group);
      group.queuedAt.push(since);
    }
  }
  for (const group of groups.values()) group.queuedAt.sort((a, b) => a - b);
  return [...groups.values()];
}

/** Looks of several sources at one GitLab: a job counts once, where it was seen last, for all pools that may take it. */
export function mergeLooks(looks: readonly JudgedLook[]): JudgedLook[] {
  const pools = new Map<number, Set<string>>();
  for (const { job, pools: takers } of looks.flatMap(({ jobs }) => jobs))
    pools.set(job.id, new Set([...(pools.get(job.id) ?? []), ...takers]));
  const newest = looks.toSorted((a, b) => b.observedAt - a.observedAt);
  return newest.map((look) => ({
    ...look,
    jobs: look.jobs.flatMap(({ job }) => {
      const takers = pools.get(job.id);
      pools.delete(job.id);
      return takers === undefined ? [] : [{ job, pools: [...takers].toSorted() }];
    }),
  }));
}
