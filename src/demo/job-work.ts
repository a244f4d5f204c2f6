// Jobs from claim to end: prepared, run on their host, their machine released. Every step's time goes into the record.
// Nothing throws out of here: what fails is in the job's record.
import { messageOf } from '../domain/error.ts';
import type { EpochMs } from '../domain/units.ts';
import type { DockerHostFacts, JobOrder } from './docker-job.ts';
import type { JobRecord } from './job-record.ts';
import type { RunnerMachine } from './policy.ts';
import type { Preparation } from './preparation.ts';

/** How a job uses its host. */
export type RunJob = (
  host: DockerHostFacts,
  order: JobOrder,
  context: { runner: string; signal: AbortSignal; started(): void },
) => Promise<void>;

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
};

/** The jobs at work of one section. */
export function createJobWork(parts: WorkParts): JobWork {
  const { preparation, now, signal, runner } = parts;
  const running = new Set<Promise<void>>();

  function note(job: JobRecord, change: Partial<JobRecord>): void {
    Object.assign(job, change);
    parts.noted(job);
  }

  async function work(job: JobRecord, held: RunnerMachine | null): Promise<void> {
    note(job, { state: 'waiting', claimedAt: now() });
    let used: RunnerMachine | null = null;
    try {
      const { machine, host } = await preparation.prepare(job, held);
      used = machine;
      machine.state = 'used';
      machine.builds += 1;
      note(job, { handedAt: now(), machine: machine.name });
      const started = (): void => note(job, { state: 'running', startedAt: now() });
      await parts.runJob(host, job.order, { runner, signal, started });
      note(job, { state: 'done', doneAt: now() });
    } catch (error) {
      note(job, { state: 'failed', doneAt: now(), failure: messageOf(error) });
    }
    if (used !== null && !signal.aborted) parts.release(used);
  }

  return {
    begin(job, held) {
      const done: Promise<void> = work(job, held).finally(() => running.delete(done));
      running.add(done);
    },
    running: () => running.size,
    async ended() {
      await Promise.all(running);
    },
  };
}
