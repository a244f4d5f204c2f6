// A stand-in for gitlab-runner with the docker+machine executor: it plays one [[runners]] section with real `docker-machine`
// processes on a real store. Jobs come by `queue` instead of GitLab; everything it does is in the records it keeps.
// It repeats what the runner was seen to do (sim/runner/lifecycle-rules.ts), also where that is unkind.
// Trap: times are measured where they happen; a record without a time means that it never happened.
import { setTimeout as sleep } from 'node:timers/promises';
import { HostlerError } from '../domain/error.ts';
import type { EpochMs } from '../domain/units.ts';
import { atSignal, type RunnerPace, type RunnerSignal, usualPace } from '../sim/runner/lifecycle-rules.ts';
import type { JobOrder } from './docker-job.ts';
import type { JobRecord, RunnerEvent } from './job-record.ts';
import type { RunnerCounts, RunnerMachine, RunnerPolicy } from './policy.ts';
import { createSection, type Section, type SectionOptions } from './runner-section.ts';

export type StandInRunnerOptions = SectionOptions & {
  pace?: Partial<RunnerPace>;
  /** `[machine.shutdown_drain]` is enabled; default: it is not. */
  drains?: boolean;
};

/** What a reload may change; `removed`: the section left the file. */
export type RunnerReload = {
  policy?: Partial<RunnerPolicy>;
  token?: string;
  machineName?: string;
  removed?: boolean;
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
  /** GitLab cancels a job, or its time is over: the script ends at once, a preparation goes on to its end. */
  cancel(id: string, reason?: string): boolean;
  /** The file was changed, as the runner sees it. */
  reload(changes: RunnerReload): void;
  /** The runner's race, once: the next machine that a job waits for stands idle instead. */
  raceNext(): void;
  /**
   * In order, for demo and tests: claims no more, lets claimed jobs end, waits for creates and removals. `drain`: then ends
   * all machines (`[machine.shutdown_drain]`), else they stay.
   */
  stop(how?: { drain?: boolean }): Promise<void>;
  /** As the runner leaves at a signal: gives the exit code at the moment of its exit, whatever still runs then. */
  shutdown(signal: RunnerSignal): Promise<number>;
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

/** Resolves with 0 when the work has ended, or with 1 after the limit. */
async function within(limitMs: number, work: () => Promise<void>): Promise<number> {
  const over = new AbortController();
  const done = work().then(() => 0);
  const limit = sleep(limitMs, 1, { signal: over.signal }).catch(() => 1);
  const code = await Promise.race([done, limit]);
  over.abort();
  return code;
}

type Sections = {
  current(): Section;
  /** The current one, and those that left the file and may still have jobs. */
  all(): readonly Section[];
  change(changes: RunnerReload): void;
  /** Claims no more; resolves when all claimed jobs have ended. */
  jobsEnded(): Promise<void>;
};

/** The section as the file names it now; after a new token or name it is another one, with the old one's queue. */
function createSections(
  given: SectionOptions & { pace: RunnerPace },
  queued: JobRecord[],
  killed: AbortSignal,
): Sections {
  let options = { ...given, policy: { ...given.policy } };
  let section = createSection(options, queued, killed);
  const retired: Section[] = [];
  const all = (): readonly Section[] => [...retired, section];

  return {
    all,
    current: () => section,
    change({ policy, removed, ...names }) {
      Object.assign(options.policy, policy);
      const isOther = names.token !== undefined || names.machineName !== undefined;
      if (removed !== true && !isOther) return section.wake();
      section.retire();
      if (removed === true) return;
      retired.push(section);
      options = { ...options, ...names };
      section = createSection(options, queued, killed);
      section.start();
    },
    async jobsEnded() {
      await section.stop();
      await Promise.all(all().map(({ work }) => work.ended()));
    },
  };
}

/** Leaves as the runner does at signals; the second TERM is told from the first. */
function createShutdown(
  { release = 19, drains = false }: StandInRunnerOptions,
  sections: Sections,
  limitMs: number,
): (signal: RunnerSignal) => Promise<number> {
  let isTerminated = false;

  return async (signal) => {
    const step = atSignal(signal, { isSecond: isTerminated, drains, release });
    isTerminated ||= signal === 'TERM';
    const section = sections.current();
    void section.stop();
    if (step.waits === 'no') return 1;
    if (step.jobs === 'abort')
      for (const { work } of sections.all()) work.cancel(null, 'aborted: terminated');
    const drain = async (): Promise<void> => {
      if (step.waits !== 'for-all') return;
      await section.life.settled();
      await section.life.drain();
    };
    if (step.limit === 'all') return within(limitMs, () => sections.jobsEnded().then(drain));
    await sections.jobsEnded();
    return within(limitMs, drain);
  };
}

/** A stopped stand-in runner; `start` begins. Its methods do not throw: what fails is in the records. */
export function createStandInRunner(given: StandInRunnerOptions): StandInRunner {
  const { now = Date.now } = given;
  const killed = new AbortController();
  const pace = { ...usualPace, ...given.pace };
  const queued: JobRecord[] = [];
  const records: JobRecord[] = [];
  const endings: (() => void)[] = [];
  const tellEndings = (): void => {
    for (const tell of endings.splice(0)) tell();
  };
  const onEvent = (event: RunnerEvent): void => {
    given.onEvent?.(event);
    if (event.kind === 'job' && event.job.doneAt !== null) tellEndings();
  };
  const sections = createSections({ ...given, pace, onEvent }, queued, killed.signal);

  return {
    start: () => sections.current().start(),
    queue(orders) {
      const jobs = orders.map((order) => newRecord(order, now()));
      records.push(...jobs);
      queued.push(...jobs);
      sections.current().wake();
    },
    jobs: () => records,
    machines: () => sections.current().book.all(),
    counts: () => sections.current().book.counts(),
    async settled() {
      while (!killed.signal.aborted && records.some(({ doneAt }) => doneAt === null))
        await new Promise<void>((tell) => endings.push(tell));
    },
    cancel: (id, reason = 'canceled') => sections.all().some(({ work }) => work.cancel(id, reason)),
    reload: (changes) => sections.change(changes),
    raceNext: () => sections.current().book.raceNext(),
    async stop({ drain = false } = {}) {
      await sections.jobsEnded();
      const { life } = sections.current();
      await life.settled();
      if (drain) await life.drain();
    },
    shutdown: createShutdown(given, sections, pace.shutdownMs),
    kill() {
      killed.abort();
      for (const each of sections.all()) {
        void each.stop();
        each.calls.killAll();
        each.book.dismiss(new HostlerError('daemon-stopping', 'the runner was killed'));
      }
      tellEndings();
    },
  };
}
