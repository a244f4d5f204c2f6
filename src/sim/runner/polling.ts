// The runner's loop: every check_interval each section is looked after, while fewer than `concurrent` jobs run over all
// of them; once they are that many nobody looks at all.
// Trap: polls that would do nothing are left out, or the world's days would be spent on them; whatever could make one do
// something must be told through `wake`. The polls that are made keep to the grid of all.
import type { Section } from './claiming.ts';
import type { RunnerProcess } from './process.ts';

export type PollParts = {
  process: RunnerProcess;
  now(): number;
  checkIntervalMs(): number;
  sections(): readonly Section[];
  visit(section: Section): Promise<boolean>;
  /** `concurrent` jobs run. */
  full(): boolean;
  /** Whether every change of the store's folders is told through `wake`: only then may polls be left out. */
  mayRest: boolean;
};

export type Polling = {
  run(): Promise<void>;
  stopping(): boolean;
  /** Ends the loop. */
  stop(): void;
  /** Something changed that a poll may act on. */
  wake(): void;
  /** A job has ended. */
  workerFree(): void;
};

const MINUTE_MS = 60_000;
/** Nothing rests longer: a bound against what nobody told. */
const REST_AT_MOST_MS = 60 * MINUTE_MS;

export function createPolling(parts: PollParts): Polling {
  const { process, now } = parts;
  const state = { stopping: false, changes: 0, open: 0 };
  let rouse = (): void => undefined;
  let freed = (): void => undefined;

  const workerThere = async (): Promise<void> => {
    while (parts.full() && !state.stopping) {
      await new Promise<void>((resolve) => {
        freed = resolve;
      });
    }
  };

  /** When polls that found nothing at `since` would find something by time alone. */
  const quietUntil = (since: number): number => {
    const minute = (Math.floor(since / MINUTE_MS) + 1) * MINUTE_MS;
    const each = parts.sections().map(({ settings, provider }) => {
      const period = settings.idleChangesAt?.(since) ?? minute;
      return Math.min(period, provider.nextChangeAt(settings.idle(since), since) ?? period);
    });
    return Math.min(since + REST_AT_MOST_MS, ...each);
  };

  /** Lets polls pass until one could find something; ends at the moment of that poll. */
  const rest = async (intervalMs: number, since: number): Promise<void> => {
    const from = now();
    const until = quietUntil(since);
    if (until <= from) return;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    rouse = resolve;
    const off = process.after(until - from, resolve);
    await over;
    off();
    const late = (now() - from) % intervalMs;
    if (late > 0) await process.sleep(intervalMs - late);
  };

  /** Visits each section once; whether anything was done meanwhile. */
  const pass = async (sections: readonly Section[], intervalMs: number): Promise<boolean> => {
    let did = false;
    for (const section of sections) {
      await workerThere();
      state.open += 1;
      void parts.visit(section).then((some) => {
        did ||= some;
        state.open -= 1;
      });
      await process.sleep(intervalMs / sections.length);
    }
    if (sections.length === 0) await process.sleep(intervalMs);
    return did;
  };

  return {
    async run() {
      while (!state.stopping) {
        const before = state.changes;
        const since = now();
        const intervalMs = parts.checkIntervalMs();
        const did = await pass(parts.sections(), intervalMs);
        const quiet = !did && state.open === 0 && before === state.changes && !parts.full();
        if (quiet && parts.mayRest) await rest(intervalMs, since);
      }
    },
    stopping: () => state.stopping,
    stop() {
      state.stopping = true;
      rouse();
      freed();
    },
    wake() {
      state.changes += 1;
      rouse();
    },
    workerFree: () => freed(),
  };
}
