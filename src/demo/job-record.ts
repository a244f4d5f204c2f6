// What the stand-in runner writes down of a job, and what it tells while it works. Data only.
import type { EpochMs } from '../domain/units.ts';
import type { JobOrder } from './docker-job.ts';
import type { Call } from './machine-calls.ts';

export type JobState = 'queued' | 'waiting' | 'running' | 'done' | 'failed';

/** One job's way. Times are epoch milliseconds of the runner's clock; null = not yet, or never. */
export type JobRecord = {
  readonly order: JobOrder;
  state: JobState;
  queuedAt: EpochMs;
  claimedAt: EpochMs | null;
  /** Its own `create` was started; stays null when an idle machine was there. */
  createAt: EpochMs | null;
  /** It has a Docker host: `docker-machine` has told its URL and its certificates. */
  handedAt: EpochMs | null;
  /** Its container runs. */
  startedAt: EpochMs | null;
  doneAt: EpochMs | null;
  /** docker-machine's name of its host. */
  machine: string | null;
  failure: string | null;
};

export type RunnerEvent =
  | { kind: 'job'; job: JobRecord }
  | { kind: 'call'; call: Call }
  /** A line of a call's output that the runner would log. */
  | { kind: 'line'; verb: string; name: string; stream: 'stdout' | 'stderr'; text: string }
  | { kind: 'removing'; name: string; reason: string };
