// How a claimed job gets its Docker host, with the runner's tries and pauses: three creates inside a preparation, three
// preparations, then the job fails as a runner system failure.
// It uses a machine it was claimed with first; that one dead, it looks for another. Trap: a cancelled job goes on here.
import { setTimeout as sleep } from 'node:timers/promises';
import { HostlerError } from '../domain/error.ts';
import type { DurationMs } from '../domain/units.ts';
import { afterFailedCreate, afterFailedPreparation } from '../sim/runner/lifecycle-rules.ts';
import type { DockerHostFacts } from './docker-job.ts';
import type { JobRecord } from './job-record.ts';
import type { Call, MachineCalls } from './machine-calls.ts';
import type { MachineFinder } from './machine-finder.ts';
import type { RunnerMachine } from './policy.ts';

export type PreparationParts = {
  calls: MachineCalls;
  finder: MachineFinder;
  pace: { createRetryMs: DurationMs; prepareRetryMs: DurationMs };
  signal: AbortSignal;
};

export type Prepared = { machine: RunnerMachine; host: DockerHostFacts };

export type Preparation = {
  /** Finds a host for the job; `held` is the machine it was claimed with. Throws after all tries. */
  prepare(job: JobRecord, held: RunnerMachine | null, cancelled: AbortSignal): Promise<Prepared>;
};

function answerOf(call: Call): string {
  if (call.code === 0) return call.stdout.trim();
  const code = call.code === null ? 'killed' : `exit status ${call.code}`;
  throw new HostlerError(
    'host-unreachable',
    `docker-machine ${call.args.join(' ')}: ${code} ${call.complaint}`,
  );
}

/** The preparation of jobs of one section. */
export function createPreparation({ calls, finder, pace, signal }: PreparationParts): Preparation {
  const pause = (ms: DurationMs): Promise<void> => sleep(ms, undefined, { signal });

  async function findAgain(job: JobRecord): Promise<RunnerMachine> {
    for (let failed = 1; ; failed += 1) {
      try {
        return await finder.find(job);
      } catch (error) {
        if (signal.aborted) throw error;
        await pause(pace.createRetryMs);
        if (afterFailedCreate(failed) === 'preparation-failed') throw error;
      }
    }
  }

  async function hostOf(machine: RunnerMachine): Promise<DockerHostFacts> {
    const url = answerOf(await calls.url(machine.name));
    return { url, storePath: answerOf(await calls.storePath(machine.name)) };
  }

  async function prepare(
    job: JobRecord,
    held: RunnerMachine | null,
    cancelled: AbortSignal,
  ): Promise<Prepared> {
    let machine = held;
    for (let failed = 1; ; failed += 1) {
      try {
        if (machine !== null && machine === held && !(await finder.answers(machine))) {
          finder.putBack(machine);
          machine = null;
        }
        machine ??= await findAgain(job);
        return { machine, host: await hostOf(machine) };
      } catch (error) {
        const isOver = signal.aborted || afterFailedPreparation(failed, cancelled.aborted) === 'job-failed';
        if (!signal.aborted) await pause(pace.prepareRetryMs);
        if (!isOver) continue;
        if (machine !== null) finder.putBack(machine);
        throw error;
      }
    }
  }

  return { prepare };
}
