// One [[runners]] section of the stand-in runner: its machines, its poll and its jobs, put together.
// Trap: a section whose token or MachineName changed is never looked at again: its jobs end, its machines are not called.
import type { EpochMs } from '../domain/units.ts';
import type { RunnerPace, RunnerRelease } from '../sim/runner/lifecycle-rules.ts';
import { runDockerJob } from './docker-job.ts';
import type { JobRecord, RunnerEvent } from './job-record.ts';
import { createJobWork, type JobWork, type RunJob } from './job-work.ts';
import { createMachineBook, type MachineBook } from './machine-book.ts';
import { type CallListener, createMachineCalls, type MachineCalls } from './machine-calls.ts';
import { createMachineFinder } from './machine-finder.ts';
import { createMachineLife, type MachineLife } from './machine-life.ts';
import { createMachineNames, shortToken } from './machine-name.ts';
import { isUsedUp, type RunnerMachine, type RunnerPolicy } from './policy.ts';
import { createPolling } from './polling.ts';
import { createPreparation } from './preparation.ts';
import { listMachines } from './store-listing.ts';

export type SectionOptions = {
  /** Path of the executable. */
  dockerMachine: string;
  /** MACHINE_STORAGE_PATH. */
  store: string;
  /** The runner's environment. */
  env: Readonly<Record<string, string | undefined>>;
  /** Read anew at every poll. */
  policy: RunnerPolicy;
  token: string;
  /** MachineName, with its `%s`. */
  machineName: string;
  /** MachineOptions as in the file, without dashes. */
  machineOptions: readonly string[];
  /** MachineDriver; default `amazonec2`. */
  driver?: string;
  /** Whose habits: default 19. */
  release?: RunnerRelease;
  /** MaxRemovalAttempts; default 30. */
  removalAttempts?: number;
  now?: () => EpochMs;
  onEvent?: (event: RunnerEvent) => void;
  /** Default: a container over the Docker API. */
  runJob?: RunJob;
};

export type Section = {
  book: MachineBook;
  calls: MachineCalls;
  life: MachineLife;
  work: JobWork;
  /** Begins to poll. */
  start(): void;
  wake(): void;
  /** No poll and no claim any more; resolves when the last poll has ended. */
  stop(): Promise<void>;
  /** Left the file: as `stop`, and nothing is called for its machines any more. */
  retire(): void;
};

function listenerFor(onEvent: (event: RunnerEvent) => void): CallListener {
  return {
    line: (line) => onEvent({ kind: 'line', ...line }),
    ended: (call) => onEvent({ kind: 'call', call }),
  };
}

/** A section that has not begun. `queued` is shared by the sections that follow each other under one name. */
export function createSection(
  options: SectionOptions & { pace: RunnerPace },
  queued: JobRecord[],
  killed: AbortSignal,
): Section {
  const { policy, store, pace, now = Date.now, onEvent = () => undefined } = options;
  const stopping = new AbortController();
  const names = createMachineNames(options);
  const book = createMachineBook();
  let polls: Promise<void> = Promise.resolve();
  let isRetired = false;

  const calls = createMachineCalls({ ...options, listener: listenerFor(onEvent) });
  const life = createMachineLife({
    ...options,
    book,
    calls,
    names,
    now,
    driver: options.driver ?? 'amazonec2',
    signal: killed,
    removing: (name, reason) => onEvent({ kind: 'removing', name, reason }),
  });

  function release(machine: RunnerMachine): void {
    if (isRetired) return;
    machine.usedAt = now();
    if (isUsedUp(policy, machine)) life.remove(machine, 'max-builds');
    else book.offer(machine);
    polling.wake();
  }

  const reachable = (name: string): void => polling.reachable(name);
  const finder = createMachineFinder({ book, calls, life, now, reachable });
  const work = createJobWork({
    preparation: createPreparation({ calls, finder, pace, signal: killed }),
    runJob: options.runJob ?? runDockerJob,
    runner: shortToken(options.token),
    signal: killed,
    now,
    release,
    noted: (job) => onEvent({ kind: 'job', job }),
  });
  const list = () => listMachines(store, names);
  const polled = { policy, book, calls, life, work, queued, pace, list, now };
  const polling = createPolling({ ...polled, stopping: stopping.signal });

  return {
    book,
    calls,
    life,
    work,
    start() {
      polls = polling.run();
    },
    wake: () => polling.wake(),
    stop() {
      stopping.abort();
      return polls;
    },
    retire() {
      isRetired = true;
      stopping.abort();
    },
  };
}
