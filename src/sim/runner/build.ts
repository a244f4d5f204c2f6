// One claimed job, from claim to final report: preparations with the runner's tries and pauses, the run on its host,
// keep-alives, and what ends it early. A preparation is never cut short: whatever ends the job waits for it.
// Trap: the machine is given back only after GitLab has taken the last word.
import type { Gitlab, JobResult } from '../gitlab/gitlab.ts';
import type { Job, JobFailure } from '../gitlab/job.ts';
import type { HostEnd, JobHosts, JobRun } from './job-hosts.ts';
import type { RunnerMachine } from './machine.ts';
import type { RunnerProcess } from './process.ts';
import { type Host, PreparationFailed, type Provider } from './provider.ts';

export type Abort = 'canceled' | 'timeout' | 'terminated';

export type Build = {
  readonly job: Job;
  /** Ends it as soon as its preparation lets it. */
  abort(why: Abort): void;
  /** It waits for a machine and nobody makes one for it. */
  isStuck(): boolean;
  /** A word from GitLab is due: asks now. */
  listen(): void;
  readonly ended: Promise<void>;
};

export type BuildParts = {
  job: Job;
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

/** Preparations of one job, and the pause after each that failed, the last included (measured: 18 s for nine creates). */
const PREPARATIONS = 3;
const PREPARE_RETRY_MS = 3_000;
/** Keep-alive of a job without output. */
const KEEP_ALIVE_MS = 30_000;
/** A job that was ended meanwhile still has its Docker prepared for up to a second. */
const PREPARE_AT_MOST_MS = 1_000;
/** Between tries of the final report. */
const REPORT_RETRY_MS = 3_000;

type Outcome = HostEnd | 'aborted' | 'not-prepared';

export function beginBuild(parts: BuildParts): Build {
  const { job, held, provider, gitlab, process, now } = parts;
  let aborted: Abort | null = null;
  let used: RunnerMachine | null = null;
  let inLine = false;
  let making = false;
  const { promise: abortion, resolve: tellAbort } = Promise.withResolvers<'aborted'>();

  const abort = (why: Abort): void => {
    aborted ??= why;
    tellAbort('aborted');
  };

  const listen = (): void => {
    if (gitlab.weather.call().refused !== null) return;
    if (gitlab.touch(job.id) !== 'running') abort('canceled');
  };

  let stopBeat = (): void => undefined;
  const beat = (): void => {
    stopBeat = process.after(KEEP_ALIVE_MS, () => {
      listen();
      beat();
    });
  };

  /** Back to the others, unless it came with the job: that one stays until the job is over. */
  const giveBack = (): void => {
    if (used !== null && used !== held) provider.release(used);
    used = null;
  };

  const follow = async (run: JobRun): Promise<Outcome> => {
    const first = await process.wait(
      Promise.race([run.begun.then((): 'begun' => 'begun'), run.ended, abortion]),
    );
    if (first === 'lost') {
      giveBack();
      return 'not-prepared';
    }
    if (first !== 'begun') return first;
    gitlab.note(job.id, { scriptAt: now() });
    return await process.wait(Promise.race([run.ended, abortion]));
  };

  const runOn = async ({ machine, url }: Host): Promise<Outcome> => {
    gitlab.note(job.id, { hostAt: now(), machine: machine.name });
    const { id, project, pipeline, durationMs } = job;
    const run = parts.hosts.run(url, {
      id,
      project,
      pipeline,
      durationMs,
      runner: job.runner ?? 0,
      runnerToken: parts.runnerToken,
      machine: machine.name,
      outcome: job.spec.outcome ?? 'success',
    });
    const outcome = await follow(run);
    if (outcome === 'aborted') run.kill();
    return outcome;
  };

  const tryOnce = async (): Promise<Outcome> => {
    try {
      const host = await provider.use(held, {
        making(yes) {
          making = yes;
        },
        inLine(yes) {
          inLine = yes;
        },
      });
      used = host.machine;
      if (aborted === null) return await runOn(host);
      await process.sleep(parts.random() * PREPARE_AT_MOST_MS);
      return 'aborted';
    } catch (error) {
      if (error instanceof PreparationFailed) return 'not-prepared';
      throw error;
    }
  };

  const tryAll = async (): Promise<Outcome> => {
    for (let attempt = 0; attempt < PREPARATIONS && aborted === null; attempt += 1) {
      const outcome = await tryOnce();
      if (outcome !== 'not-prepared') return outcome;
      await process.sleep(PREPARE_RETRY_MS);
    }
    return aborted === null ? 'not-prepared' : 'aborted';
  };

  const report = async (result: JobResult): Promise<void> => {
    for (;;) {
      const { delayMs, refused } = gitlab.weather.call();
      await process.sleep(delayMs + parts.reportMs);
      if (refused === null) {
        gitlab.finish(job.id, result);
        return;
      }
      await process.sleep(REPORT_RETRY_MS);
    }
  };

  const run = async (): Promise<void> => {
    beat();
    const offDeadline = process.after(job.timeoutMs, () => abort('timeout'));
    const outcome = await tryAll();
    offDeadline();
    stopBeat();
    await report(resultOf(outcome, aborted, parts));
    giveBack();
    if (held !== null) provider.release(held);
  };

  return { job, abort, listen, isStuck: () => inLine && !making, ended: run() };
}

function resultOf(outcome: Outcome, aborted: Abort | null, { job, terminatedAs }: BuildParts): JobResult {
  const failed = (failure: JobFailure): JobResult => ({ ok: false, failure });
  if (outcome === 'aborted' && aborted === 'timeout') return failed('job_execution_timeout');
  if (outcome === 'aborted' && aborted === 'terminated') return failed(terminatedAs);
  if (outcome === 'lost' || outcome === 'not-prepared') return failed('runner_system_failure');
  if (outcome === 'done' && (job.spec.outcome ?? 'success') === 'success') return { ok: true };
  return failed('script_failure');
}
