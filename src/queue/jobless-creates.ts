// Creates that wait for a machine although every job they could be for has ended: known without doubt in one case only.
// A create says nothing of its job, and jobs change machines among themselves, so single creates are never told apart.
// But when GitLab showed exactly as many running jobs without a machine as creates waited, the token sees them all and
// these are the ones; once all of those jobs have ended, none of these creates has a job, whichever was whose.
// Pure. Trap: a runner that holds idle machines (R > 0) has creates without any job by design; such a pool is left alone.

/** A matched set: these jobs are what these creates are for. */
export type CreateMatch = { creates: readonly string[]; jobs: readonly { id: number; project: number }[] };

export type JobsLook = {
  /** Running jobs that GitLab shows for this runner. */
  running: readonly { id: number; project: number }[];
  /** Jobs seen on machines of the pool, by id. */
  onMachines: ReadonlySet<number>;
  /** Creates that have waited since before the look went out. */
  waiting: readonly string[];
  /** Granted or held machines whose job is not known: one of the running jobs may be about to start there. */
  unclear: number;
};

/** The match that a look gives, or null when numbers do not agree. */
export function matchCreates({ running, onMachines, waiting, unclear }: JobsLook): CreateMatch | null {
  if (waiting.length === 0 || unclear > 0) return null;
  const jobs = running.filter(({ id }) => !onMachines.has(id));
  return jobs.length === waiting.length ? { creates: waiting, jobs } : null;
}

/** GitLab's words for a job that will not run any more. `canceling` still lets its runner work. */
const ended: ReadonlySet<string> = new Set(['canceled', 'failed', 'success', 'skipped']);

/**
 * Creates of a match that have no job left: all of its jobs have ended, and no other job without a machine runs. `ends`:
 * job → GitLab's word now; a job that is not shown any more proves nothing.
 */
export function joblessCreates(
  match: CreateMatch,
  ends: ReadonlyMap<number, string>,
  look: JobsLook,
): readonly string[] {
  const allEnded = match.jobs.every(({ id }) => ended.has(ends.get(id) ?? ''));
  const others = look.running.filter(({ id }) => !look.onMachines.has(id));
  if (!allEnded || others.length > 0 || look.unclear > 0) return [];
  return match.creates.filter((name) => look.waiting.includes(name));
}
