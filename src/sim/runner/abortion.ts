// What ends a job from outside while it is prepared or runs: its time limit, GitLab's word, a signal. The job hears of
// GitLab's word only when it calls: by keep-alives, or sooner while its script talks.
import type { Gitlab } from '../gitlab/gitlab.ts';
import type { Job } from '../gitlab/job.ts';
import type { RunnerProcess } from './process.ts';

export type Abort = 'canceled' | 'timeout' | 'terminated';

export type Abortion = {
  /** The first reason, or null. */
  why(): Abort | null;
  abort(why: Abort): void;
  /** Asks GitLab now. */
  listen(): void;
  readonly came: Promise<'aborted'>;
  /** The job is over: no more keep-alives. */
  stop(): void;
};

/** Keep-alive of a job without output (measured). */
const KEEP_ALIVE_MS = 30_000;

/** Begins to listen, at the moment of the claim. */
export function createAbortion(job: Job, gitlab: Gitlab, process: RunnerProcess): Abortion {
  let reason: Abort | null = null;
  const { promise: came, resolve } = Promise.withResolvers<'aborted'>();

  const abort = (why: Abort): void => {
    reason ??= why;
    resolve('aborted');
  };
  const listen = (): void => {
    if (gitlab.weather.call().refused === null && gitlab.touch(job.id) !== 'running') abort('canceled');
  };

  let offBeat = (): void => undefined;
  const beat = (): void => {
    offBeat = process.after(KEEP_ALIVE_MS, () => {
      beat();
      listen();
    });
  };
  beat();
  const offLimit = process.after(job.timeoutMs, () => abort('timeout'));

  return {
    why: () => reason,
    abort,
    listen,
    came,
    stop() {
      offBeat();
      offLimit();
    },
  };
}
