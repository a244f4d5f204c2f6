// A stand-in for gitlab-runner's docker+machine executor: one [[runners]] section with an in-memory queue in place of
// GitLab. It starts the `docker-machine` executable with the runner's own calls and runs jobs over the Docker API.
// It knows nothing of what stands behind docker-machine, and it keeps the runner's ways even where they are odd. Left out:
// the race by which MaxBuilds 1 without idle machines may forget a job.
// Trap: times are measured where they happen; a record without a time means that it never happened.
import { HostlerError } from '../domain/error.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../domain/units.ts';
import { type JobOrder, runDockerJob } from './docker-job.ts';
import type { JobRecord, RunnerEvent } from './job-record.ts';
import { createJobWork, type RunJob } from './job-work.ts';
import { createMachineBook } from './machine-book.ts';
import { createMachineCalls } from './machine-calls.ts';
import { createMachineFinder } from './machine-finder.ts';
import { createMachineLife } from './machine-life.ts';
import { createMachineNames, shortToken } from './machine-name.ts';
import { isUsedUp, type RunnerCounts, type RunnerMachine, type RunnerPolicy } from './policy.ts';
import { createPolling } from './polling.ts';
import { createPreparation } from './preparation.ts';
import { listMachines } from './store-listing.ts';

/** How the runner paces itself; all in milliseconds. */
export type RunnerPace = {
  /** check_interval: between looks at the machines. A queued job wakes the runner at once, as long polling does. */
  pollMs: DurationMs;
  /** Between two claims. */
  claimGapMs: DurationMs;
  createRetryMs: DurationMs;
  prepareRetryMs: DurationMs;
  removalRetryMs: DurationMs;
};

/** The runner's own: seen on the wire with releases 15 and 19; 87 claims a second when GitLab answers at once. */
const usualPace: RunnerPace = {
  pollMs: SECOND_MS,
  claimGapMs: 11,
  createRetryMs: SECOND_MS,
  prepareRetryMs: 3 * SECOND_MS,
  removalRetryMs: 30 * SECOND_MS,
};

export type StandInRunnerOptions = {
  /** Path of the executable. */
  dockerMachine: string;
  /** MACHINE_STORAGE_PATH. */
  store: string;
  /** The runner's environment. */
  env: Readonly<Record<string, string | undefined>>;
  policy: RunnerPolicy;
  token: string;
  /** MachineName, with its `%s`. */
  machineName: string;
  /** MachineOptions as in the file, without dashes. */
  machineOptions: readonly string[];
  /** MachineDriver; default `amazonec2`. */
  driver?: string;
  pace?: Partial<RunnerPace>;
  now?: () => EpochMs;
  onEvent?: (event: RunnerEvent) => void;
  /** Default: a container over the Docker API. */
  runJob?: RunJob;
};

export type StandInRunner = {
  /** Begins to poll. */
  start(): void;
  queue(orders: readonly JobOrder[]): void;
  /** Every job so far, in the order of the queue. */
  jobs(): readonly JobRecord[];
  machines(): readonly RunnerMachine[];
  counts(): RunnerCounts;
  /** When every queued job has ended, or after `kill`. */
  settled(): Promise<void>;
  /**
   * As after SIGQUIT: claims no more, lets claimed jobs end, waits for creates and removals. `drain`: then ends all
   * machines (`[machine.shutdown_drain]`), else they stay.
   */
  stop(how?: { drain?: boolean }): Promise<void>;
  /** As SIGKILL to the whole group: every call and every job ends now, nothing is cleaned. */
  kill(): void;
};

function newRecord(order: JobOrder, queuedAt: EpochMs): JobRecord {
  return {
    order,
    state: 'queued',
    queuedAt,
    claimedAt: null,
    createAt: null,
    handedAt: null,
    startedAt: null,
    doneAt: null,
    machine: null,
    failure: null,
  };
}

function assemble(options: StandInRunnerOptions, stopping: AbortSignal, killed: AbortSignal) {
  const { policy, store, now = Date.now, onEvent = () => undefined } = options;
  const pace = { ...usualPace, ...options.pace };
  const names = createMachineNames(options);
  const book = createMachineBook();
  const queued: JobRecord[] = [];
  const calls = createMachineCalls({
    ...options,
    listener: {
      line: (line) => onEvent({ kind: 'line', ...line }),
      ended: (call) => onEvent({ kind: 'call', call }),
    },
  });
  const life = createMachineLife({
    book,
    calls,
    names,
    store,
    now,
    driver: options.driver ?? 'amazonec2',
    machineOptions: options.machineOptions,
    removalRetryMs: pace.removalRetryMs,
    signal: killed,
    removing: (name, reason) => onEvent({ kind: 'removing', name, reason }),
  });
  const reachable = (name: string): void => polling.reachable(name);
  const finder = createMachineFinder({ book, calls, life, now, reachable });
  const work = createJobWork({
    preparation: createPreparation({ calls, finder, pace, signal: killed }),
    runJob: options.runJob ?? runDockerJob,
    runner: shortToken(options.token),
    signal: killed,
    now,
    release(machine) {
      machine.usedAt = now();
      if (isUsedUp(policy, machine)) life.remove(machine, 'max-builds');
      else book.offer(machine);
      polling.wake();
    },
    noted: (job) => onEvent({ kind: 'job', job }),
  });
  const list = () => listMachines(store, names);
  const polling = createPolling({ policy, book, calls, life, work, queued, pace, stopping, list, now });
  return { book, calls, life, work, queued, polling, now };
}

/** A stopped stand-in runner; `start` begins. Its methods do not throw: what fails is in the records. */
export function createStandInRunner(options: StandInRunnerOptions): StandInRunner {
  const stopping = new AbortController();
  const killed = new AbortController();
  const endings: (() => void)[] = [];
  const tellEndings = (): void => {
    for (const tell of endings.splice(0)) tell();
  };
  const onEvent = (event: RunnerEvent): void => {
    options.onEvent?.(event);
    if (event.kind === 'job' && event.job.doneAt !== null) tellEndings();
  };
  const parts = assemble({ ...options, onEvent }, stopping.signal, killed.signal);
  const { book, calls, life, work, queued, polling, now } = parts;
  const records: JobRecord[] = [];
  let polls: Promise<void> = Promise.resolve();

  return {
    start() {
      polls = polling.run();
    },
    queue(orders) {
      const jobs = orders.map((order) => newRecord(order, now()));
      records.push(...jobs);
      queued.push(...jobs);
      polling.wake();
    },
    jobs: () => records,
    machines: () => book.all(),
    counts: () => book.counts(),
    async settled() {
      while (!killed.signal.aborted && records.some(({ doneAt }) => doneAt === null))
        await new Promise<void>((tell) => endings.push(tell));
    },
    async stop({ drain = false } = {}) {
      stopping.abort();
      await polls;
      await work.ended();
      await life.settled();
      if (drain) await life.drain();
    },
    kill() {
      stopping.abort();
      killed.abort();
      calls.killAll();
      book.dismiss(new HostlerError('daemon-stopping', 'the runner was killed'));
      tellEndings();
    },
  };
}
