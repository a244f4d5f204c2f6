// Creates that wait for a machine although every job they could be for has ended: known without doubt in one case only.
// A create says nothing of its job, and jobs change machines among themselves, so single creates are never told apart.
// But when GitLab showed exactly as many running jobs without a machine as creates waited, the token sees them all and
// these are the ones; once all of those jobs have ended, none of these creates has a job, whichever was whose.
// Pure. Trap: a runner that holds idle machines (R > 0) has creates without any job by design; such a pool is left alone.

export type RunningJob = { id: number; project: number };

/** A matched set: these jobs are what these creates are for. */
export type CreateMatch = { creates: readonly string[]; jobs: readonly RunningJob[] };

export type JobsLook = {
  /** Running jobs that GitLab shows for this runner. */
  running: readonly RunningJob[];
  /** Jobs seen on machines of the pool, by id. */
  onMachines: ReadonlySet<number>;
  /** Creates that waited when the look went out. */
  waiting: readonly string[];
  /** Granted or used machines whose job is not known: one of the running jobs may be about to start there. */
  unclear: number;
};

function withoutMachine({ running, onMachines }: JobsLook): readonly RunningJob[] {
  return running.filter(({ id }) => !onMachines.has(id));
}

/**
 * What is known after a look. Numbers that agree make a match; a match is kept while its jobs and creates only become
 * fewer; anything new, or unclear, ends it.
 */
export function nextMatch(before: CreateMatch | null, look: JobsLook): CreateMatch | null {
  const jobs = withoutMachine(look);
  if (look.waiting.length === 0 || look.unclear > 0) return null;
  if (jobs.length === look.waiting.length) return { creates: look.waiting, jobs };
  if (before === null) return null;
  const known = new Set(before.jobs.map(({ id }) => id));
  const isFewer =
    jobs.every(({ id }) => known.has(id)) && look.waiting.every((name) => before.creates.includes(name));
  return isFewer ? before : null;
}

/** Jobs of a match that GitLab no longer shows as running: how they ended is still to be asked. */
export function goneJobs(match: CreateMatch, { running }: JobsLook): readonly RunningJob[] {
  return match.jobs.filter(({ id }) => !running.some((job) => job.id === id));
}

/**
 * GitLab's words for a job that will not run any more. `canceling` is one of them here: its runner still prepares, and all
 * that waits for a machine is thrown away. A job that succeeded had a machine: then the match was wrong.
 */
const ended: ReadonlySet<string> = new Set(['canceled', 'canceling', 'failed', 'skipped']);

/**
 * The creates of a match that have no job left, because all of its jobs have ended without a machine. `ends`: job → GitLab's
 * word now; a job that is not shown any more proves nothing.
 */
export function joblessCreates(
  match: CreateMatch,
  ends: ReadonlyMap<number, string | null>,
  look: JobsLook,
): readonly string[] {
  const allEnded = match.jobs.every(({ id }) => ended.has(ends.get(id) ?? ''));
  if (!allEnded || look.unclear > 0 || withoutMachine(look).length > 0) return [];
  return match.creates.filter((name) => look.waiting.includes(name));
}
