// One claimed job, from claim to final report: preparations with the runner's tries and pauses, then the run on its
// host. A preparation is never cut short: whatever ends the job waits for it.
// Trap: the machine is given back only after GitLab has taken the last word.
import type { Gitlab, JobResult } from '../gitlab/gitlab.ts';
import type { Job, JobFailure } from '../gitlab/job.ts';
import { type Abortion, createAbortion } from './abortion.ts';
import type { HostEnd, JobHosts, JobRun } from './job-hosts.ts';
import { afterFailedPreparation, usualPace } from './lifecycle-rules.ts';
import type { RunnerMachine } from './machine.ts';
import { PreparationFailed } from './machine-search.ts';
import type { RunnerProcess } from './process.ts';
import type { Host, Provider } from './provider.ts';

export type Build = Pick<Abortion, 'abort' | 'listen'> & {
  readonly job: Job;
  /** It waits for a machine and nobody makes one for it. */
  isStuck(): boolean;
  readonly ended: Promise<void>;
};

export type BuildParts = {
  job: Job;
  /** Came with the claim; given back when the job is over, whatever was made of it. */
  held: RunnerMachine | null;
  provider: Provider;
  gitlab: Gitlab;
  hosts: JobHosts;
  process: RunnerProcess;
  now(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  runnerToken: string;
  /** The final PUT and back, in milliseconds. */
  reportMs: number;
  /** What GitLab is told of a job that a signal ended. */
  terminatedAs: JobFailure;
};

/** A job that was ended meanwhile still has its Docker prepared for up to a second. */
const PREPARE_AT_MOST_MS = 1_000;
/** Between tries of the final report. */
const REPORT_RETRY_MS = 3_000;

type Outcome = HostEnd | 'aborted' | 'not-prepared';

/** Runs the job on its host; a host that is lost before the script began is a preparation that failed. */
async function runOn(parts: BuildParts, abortion: Abortion, { machine, url }: Host): Promise<Outcome> {
  const { job, gitlab, process } = parts;
  gitlab.note(job.id, { hostAt: parts.now(), machine: machine.name });
  const { id, project, pipeline, durationMs } = job;
  const run: JobRun = parts.hosts.run(url, {
    id,
    project,
    pipeline,
    durationMs,
    runner: job.runner ?? 0,
    runnerToken: parts.runnerToken,
    machine: machine.name,
    outcome: job.spec.outcome ?? 'success',
  });
  const begun = run.begun.then((): 'begun' => 'begun');
  let outcome = await process.wait(Promise.race([begun, run.ended, abortion.came]));
  if (outcome === 'lost') return 'not-prepared';
  if (outcome === 'begun') {
    gitlab.note(job.id, { scriptAt: parts.now() });
    outcome = await process.wait(Promise.race([run.ended, abortion.came]));
  }
  if (outcome === 'aborted') run.kill();
  return outcome;
}

/** All preparations until one comes to an end of the job; `use` and `release` are the job's hold on its machine. */
async function prepareAndRun(
  parts: BuildParts,
  abortion: Abortion,
  hold: { use(): Promise<Host>; release(): void },
): Promise<Outcome> {
  const { process } = parts;
  for (let failed = 1; abortion.why() === null; failed += 1) {
    try {
      const host = await hold.use();
      if (abortion.why() !== null) {
        await process.sleep(parts.random() * PREPARE_AT_MOST_MS);
        return 'aborted';
      }
      const outcome = await runOn(parts, abortion, host);
      if (outcome !== 'not-prepared') return outcome;
      hold.release();
    } catch (error) {
      if (!(error instanceof PreparationFailed)) throw error;
    }
    // The pause comes after the last one, too.
    await process.sleep(usualPace.prepareRetryMs);
    const isCancelled = abortion.why() !== null;
    if (afterFailedPreparation(failed, isCancelled) === 'job-failed' && !isCancelled) return 'not-prepared';
  }
  return 'aborted';
}

async function report({ job, gitlab, process, reportMs }: BuildParts, result: JobResult): Promise<void> {
  for (;;) {
    const { delayMs, refused } = gitlab.weather.call();
    await process.sleep(delayMs + reportMs);
    if (refused === null) {
      gitlab.finish(job.id, result);
      return;
    }
    await process.sleep(REPORT_RETRY_MS);
  }
}

function resultOf(outcome: Outcome, abortion: Abortion, { job, terminatedAs }: BuildParts): JobResult {
  const failed = (failure: JobFailure): JobResult => ({ ok: false, failure });
  if (outcome === 'aborted' && abortion.why() === 'timeout') return failed('job_execution_timeout');
  if (outcome === 'aborted' && abortion.why() === 'terminated') return failed(terminatedAs);
  if (outcome === 'lost' || outcome === 'not-prepared') return failed('runner_system_failure');
  if (outcome === 'done' && (job.spec.outcome ?? 'success') === 'success') return { ok: true };
  return failed('script_failure');
}

/** Begins at the moment of the claim. */
export function beginBuild(parts: BuildParts): Build {
  const { job, held, provider } = parts;
  const abortion = createAbortion(job, parts.gitlab, parts.process);
  const state = { making: false, inLine: false };
  let used: RunnerMachine | null = null;

  const waiting = {
    making(yes: boolean) {
      state.making = yes;
    },
    inLine(yes: boolean) {
      state.inLine = yes;
    },
  };
  const release = (): void => {
    if (used !== null && used !== held) provider.release(used);
    used = null;
  };
  const use = async (): Promise<Host> => {
    const host = await provider.use(held, waiting);
    used = host.machine;
    return host;
  };

  const run = async (): Promise<void> => {
    const outcome = await prepareAndRun(parts, abortion, { use, release });
    abortion.stop();
    await report(parts, resultOf(outcome, abortion, parts));
    release();
    if (held !== null) provider.release(held);
  };

  return {
    job,
    abort: abortion.abort,
    listen: abortion.listen,
    isStuck: () => state.inLine && !state.making,
    ended: run(),
  };
}
