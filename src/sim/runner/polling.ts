// The runner's loop: every check_interval each section looks at its machines and asks GitLab for a job while it may; a
// job that came makes it ask again at once. At most `concurrent` jobs run, over all sections; then nobody looks at all.
// A poll that changed nothing is not repeated until something else changes: the world's days would be spent on them.
// Trap: one lock for all sections around the look at the machines; a `config` that hangs there stops all of them.
import type { Gitlab } from '../gitlab/gitlab.ts';
import type { Job } from '../gitlab/job.ts';
import type { Line } from './line.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineNames } from './machine-names.ts';
import type { RunnerProcess } from './process.ts';
import type { Provider } from './provider.ts';
import type { RunnerSettings, SectionSettings } from './runner-settings.ts';

export type Section = {
  settings: SectionSettings;
  provider: Provider;
  names: MachineNames;
  line: Line;
  /** Requests for a job that are under way. */
  requests: number;
};

export type PollParts = {
  gitlab: Gitlab;
  process: RunnerProcess;
  now(): number;
  settings(): RunnerSettings;
  sections(): readonly Section[];
  requestMs: number;
  /** Jobs that run, of one section or of all. */
  running(section?: SectionSettings): number;
  begin(section: Section, job: Job, held: RunnerMachine | null): void;
  /** Whether every change of the store's folders is told through `wake`: only then may polls be left out. */
  mayRest: boolean;
};

export type Polling = {
  run(): Promise<void>;
  /** No more claims from now on. */
  stop(): void;
  /** Something changed that a poll may act on. */
  wake(): void;
  /** A job has ended. */
  workerFree(): void;
};

const MINUTE_MS = 60_000;

export function createPolling(parts: PollParts): Polling {
  const { gitlab, process, now } = parts;
  let stopping = false;
  let changes = 0;
  let open = 0;
  let lock: Promise<void> = Promise.resolve();
  let rouse = (): void => undefined;
  let freed = (): void => undefined;

  const full = (): boolean => parts.running() >= parts.settings().concurrent;

  const acquire = async ({ settings, provider }: Section) => {
    const before = lock;
    const { promise, resolve } = Promise.withResolvers<void>();
    lock = promise;
    await before;
    const acquired = await provider.acquire(settings.idle(now()));
    resolve();
    return acquired;
  };

  const ask = async (section: Section): Promise<Job | 'refused' | null> => {
    section.requests += 1;
    const { delayMs, refused } = gitlab.weather.call();
    await process.sleep(parts.requestMs + delayMs);
    section.requests -= 1;
    if (refused !== null) return 'refused';
    return stopping ? null : gitlab.request(section.settings.runner);
  };

  /** One look, and one more for each job that came; whether anything was done. */
  const visit = async (section: Section): Promise<boolean> => {
    const { settings, provider } = section;
    let did = false;
    while (!stopping && !full()) {
      const acquired = await acquire(section);
      did ||= acquired.did;
      const { machine } = acquired;
      const room = settings.limit === 0 || parts.running(settings) < settings.limit;
      const line = section.requests < settings.requestConcurrency;
      const job = acquired.may && room && line && !stopping ? await ask(section) : null;
      if (job === null || job === 'refused') {
        if (machine !== null) provider.putBack(machine);
        return did || job === 'refused';
      }
      did = true;
      parts.begin(section, job, machine);
    }
    return did;
  };

  const workerThere = async (): Promise<void> => {
    while (full() && !stopping) {
      await new Promise<void>((resolve) => {
        freed = resolve;
      });
    }
  };

  /** When the polls would find something new by time alone. */
  const quietUntil = (): number => {
    const at = now();
    const each = parts.sections().map(({ settings, provider }) => {
      const minute = (Math.floor(at / MINUTE_MS) + 1) * MINUTE_MS;
      const period = settings.idleChangesAt?.(at) ?? minute;
      return Math.min(period, provider.nextChangeAt(settings.idle(at)) ?? period);
    });
    return Math.min(at + 60 * MINUTE_MS, ...each);
  };

  /** Lets polls pass until one could find something; ends at the moment of that poll. */
  const rest = async (intervalMs: number): Promise<void> => {
    const from = now();
    const until = quietUntil();
    if (until <= from) return;
    const woken = new Promise<void>((resolve) => {
      rouse = resolve;
    });
    const { promise: due, resolve } = Promise.withResolvers<void>();
    const off = process.after(until - from, resolve);
    await Promise.race([woken, due]);
    off();
    const late = (now() - from) % intervalMs;
    if (late > 0) await process.sleep(intervalMs - late);
  };

  const pass = async (sections: readonly Section[], intervalMs: number): Promise<boolean> => {
    let did = false;
    for (const section of sections) {
      await workerThere();
      open += 1;
      void visit(section).then((some) => {
        did ||= some;
        open -= 1;
      });
      await process.sleep(intervalMs / sections.length);
    }
    if (sections.length === 0) await process.sleep(intervalMs);
    return did;
  };

  return {
    async run() {
      while (!stopping) {
        const before = changes;
        const intervalMs = parts.settings().checkIntervalMs;
        const did = await pass(parts.sections(), intervalMs);
        const quiet = !did && open === 0 && before === changes && !full();
        if (quiet && parts.mayRest) await rest(intervalMs);
      }
    },
    stop() {
      stopping = true;
      rouse();
      freed();
    },
    wake() {
      changes += 1;
      rouse();
    },
    workerFree: () => freed(),
  };
}
