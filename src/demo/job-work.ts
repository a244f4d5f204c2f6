// Jobs from claim to end: prepared, run on their host, their machine released. Every step's time goes into the record.
// Nothing throws out of here: what fails is in the job's record. Trap: a cancel reaches a job only once it is prepared.
import { messageOf } from '../domain/error.ts';
import type { EpochMs } from '../domain/units.ts';
import type { DockerHostFacts, JobContext, JobOrder } from './docker-job.ts';
import type { JobRecord } from './job-record.ts';
import type { RunnerMachine } from './policy.ts';
import type { Preparation } from './preparation.ts';

/** How a job uses its host. */
export type RunJob = (host: DockerHostFacts, order: JobOrder, context: JobContext) => Promise<void>;

export type WorkParts = {
  preparation: Preparation;
  runJob: RunJob;
  /** The runner's short token. */
  runner: string;
  signal: AbortSignal;
  now(): EpochMs;
  /** The job is over: its machine is free, or used up. */
  release(machine: RunnerMachine): void;
  noted(job: JobRecord): void;
};

export type JobWork = {
  begin(job: JobRecord, held: RunnerMachine | null): void;
  /** Jobs claimed and not ended. */
  running(): number;
  /** When those that run now have ended. */
  ended(): Promise<void>;
  /** Ends the job of that id, or all: its script at once, its preparation only after its own end. False: it does not run. */
  cancel(id: string | null, reason: string): boolean;
};

/** The jobs at work of one section. */
export function createJobWork(parts: WorkParts): JobWork {
  const { preparation, now, signal, runner } = parts;
  const running = new Set<Promise<void>>();
  const cancels = new Map<JobRecord, AbortController>();

  function note(job: JobRecord, change: Partial<JobRecord>): void {
    Object.assign(job, change);
    parts.noted(job);
  }

  async function work(job: JobRecord, held: RunnerMachine | null, cancelled: AbortSignal): Promise<void> {
    note(job, { state: 'waiting', claimedAt: now() });
    let used: RunnerMachine | null = null;
    try {
      const { machine, host } = await preparation.prepare(job, held, cancelled);
      used = machine;
      machine.state = 'used';
      machine.builds += 1;
      note(job, { handedAt: now(), machine: machine.name });
      cancelled.throwIfAborted();
      const started = (): void => note(job, { state: 'running', startedAt: now() });
      await parts.runJob(host, job.order, { runner, signal, cancelled, started });
      note(job, { state: 'done', doneAt: now() });
    } catch (error) {
      const cause: unknown = cancelled.aborted ? cancelled.reason : error;
      note(job, { state: 'failed', doneAt: now(), failure: messageOf(cause) });
    }
    if (used !== null && !signal.aborted) parts.release(used);
  }

  return {
    begin(job, held) {
      const control = new AbortController();
      cancels.set(job, control);
      const done: Promise<void> = work(job, held, control.signal).finally(() => {
        running.delete(done);
        cancels.delete(job);
      });
      running.add(done);
    },
    running: () => running.size,
    async ended() {
      await Promise.all(running);
    },
    cancel(id, reason) {
      const meant = [...cancels].filter(([job]) => id === null || job.order.id === id);
      for (const [, control] of meant) control.abort(new Error(reason));
      return meant.length > 0;
    },
  };
}
