// What gitlab-runner's docker+machine executor does next, as pure rules: how often it tries, how long it pauses, which call
// follows which outcome. Measured with releases 15.4 and 19.4; it knows no process, no clock and nothing of hostler.
// Trap: these are the runner's own habits, oddities included: what looks wrong here is not to be repaired here.
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/units.ts';

/** The releases whose habits differ: 15 removes for ever and never by force, and knows no drain. */
export type RunnerRelease = 15 | 19;

/** How the runner paces itself; all in milliseconds. */
export type RunnerPace = {
  /** check_interval: between looks at the machines. */
  pollMs: DurationMs;
  /** Between two claims. */
  claimGapMs: DurationMs;
  /** After each failed create, the last of a preparation included. */
  createRetryMs: DurationMs;
  /** After each failed preparation, the last one included. */
  prepareRetryMs: DurationMs;
  /** After each failed removal. */
  removalRetryMs: DurationMs;
  /** How long a `config` that said yes holds in polls. */
  reachableMs: DurationMs;
  /** Until `stop` is killed. */
  stopLimitMs: DurationMs;
  /** Until every other call is killed. */
  callLimitMs: DurationMs;
  /** shutdown_timeout: how long a runner that was told TERM waits for its jobs. */
  shutdownMs: DurationMs;
  /** retry_backoff of the drain. */
  drainRetryMs: DurationMs;
};

/**
 * The runner's own times. Measured: 87 claims a second when GitLab answers at once, nine instant failures in 18.1 s, `stop`
 * killed at 60.0 s. From its source: the five minutes of `config`, the hour, the defaults of shutdown and drain.
 */
export const usualPace: RunnerPace = {
  pollMs: SECOND_MS,
  claimGapMs: 11,
  createRetryMs: SECOND_MS,
  prepareRetryMs: 3 * SECOND_MS,
  removalRetryMs: 30 * SECOND_MS,
  reachableMs: 5 * MINUTE_MS,
  stopLimitMs: MINUTE_MS,
  callLimitMs: HOUR_MS,
  shutdownMs: 30 * SECOND_MS,
  drainRetryMs: 5 * SECOND_MS,
};

/** The runner's times divided by `factor`: order and counts stay. Claims keep their pace, they are quick enough. */
export function fasterPace(factor: number): RunnerPace {
  const scaled = Object.entries(usualPace).map(([name, ms]) => [name, Math.max(1, Math.round(ms / factor))]);
  return { ...usualPace, ...Object.fromEntries(scaled), claimGapMs: usualPace.claimGapMs };
}

/** Tries of a preparation, and of a create or of `url` and `inspect -f` inside one: nine creates until a job fails. */
const TRIES = 3;

/** After failed create number `failed` of one preparation: another under a new name, or the preparation has failed. */
export function afterFailedCreate(failed: number): 'create' | 'preparation-failed' {
  return failed < TRIES ? 'create' : 'preparation-failed';
}

/** After failed preparation number `failed`. A cancel ends no preparation that runs, but lets no other begin. */
export function afterFailedPreparation(failed: number, isCancelled: boolean): 'prepare' | 'job-failed' {
  return failed < TRIES && !isCancelled ? 'prepare' : 'job-failed';
}

/** A failed create's name: `inspect`, `stop`, `rm -y` at once when its config.json stands, else no call at all. */
export function leftoverOf(hasConfig: boolean): 'remove' | 'forget' {
  return hasConfig ? 'remove' : 'forget';
}

/** `config` calls before each job; right after a create as well. One "no" is enough. */
export const LOOKS_BEFORE_JOB = 2;

/** Where a `config` said no. */
export type Refused =
  /** In a poll: the newest idle machine. */
  | 'in-poll'
  /** At the start of a job that was claimed with it, or of one that looked for an idle machine. */
  | 'at-job-start'
  /** By a waiting job, of a machine that no job has used. */
  | 'after-create';

/** What becomes of that machine, and whether its job goes on with a create of its own or only waits. */
export function afterConfigNo(where: Refused): { machine: 'remove' | 'keep-idle'; job: 'create' | 'wait' } {
  switch (where) {
    case 'in-poll':
      return { machine: 'remove', job: 'create' };
    case 'at-job-start':
      return { machine: 'keep-idle', job: 'create' };
    case 'after-create':
      // No new create: nobody ends this wait unless another machine comes free.
      return { machine: 'remove', job: 'wait' };
  }
}

/** Jobs that a machine found in the store counts as having had. */
export const FOUND_BUILDS = 1;

/** MaxRemovalAttempts of release 19. */
export const REMOVAL_ATTEMPTS = 30;
/** Failures after which only one machine at a time is still tried. */
const STUCK_AFTER = 3;

/**
 * What comes after `failures` failed removals: the next `inspect`, `stop`, `rm -y` after a pause; the same, one stuck
 * machine at a time; or one `rm -f`, whatever it returns.
 */
export function nextRemoval(
  failures: number,
  habits: { release: RunnerRelease; attempts: number },
): 'again' | 'alone' | 'force' {
  if (habits.release === 19 && failures >= habits.attempts) return 'force';
  return failures >= STUCK_AFTER ? 'alone' : 'again';
}

/** Machines that a draining runner ends at once, and how often it tries each again (defaults of release 19). */
export const DRAIN = { atOnce: 3, retries: 3 } as const;

/** What the runner is told to do. */
export type RunnerSignal = 'TERM' | 'QUIT';

/** What a stopping runner does with its jobs, and what it waits for before it exits. Creates get no signal in any case. */
export type ShutdownStep = {
  jobs: 'finish' | 'abort' | 'leave';
  /** `for-jobs`: claimed ones, those in a create included. `for-all`: creates and removals too, then all machines end. */
  waits: 'for-jobs' | 'for-all' | 'no';
  /** What shutdown_timeout bounds: all of it, or what comes after the jobs. */
  limit: 'all' | 'after-jobs';
};

/**
 * At a signal. TERM aborts what runs and waits at most shutdown_timeout; a second one waits for nothing. Removals and idle
 * creates are waited for only by a runner that drains.
 */
export function atSignal(
  signal: RunnerSignal,
  now: { isSecond: boolean; drains: boolean; release: RunnerRelease },
): ShutdownStep {
  if (signal === 'TERM' && now.isSecond) return { jobs: 'leave', waits: 'no', limit: 'all' };
  const waits = now.drains && now.release === 19 ? 'for-all' : 'for-jobs';
  return signal === 'TERM'
    ? { jobs: 'abort', waits, limit: 'all' }
    : { jobs: 'finish', waits, limit: 'after-jobs' };
}
