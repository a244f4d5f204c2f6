// One process of the runner: what it waits for, the calls it spawns, and its end. After the end nothing of it goes on,
// while its calls do, as orphans.
// Trap: every wait on something outside goes through `wait`, which never settles once the process has ended: that is how
// a killed runner stops between two lines.
import type { Timeline } from '../timeline.ts';
import type { Signal, ToolCall } from './machine-tool.ts';

export type RunnerProcess = {
  readonly pid: number;
  alive(): boolean;
  /** The promise's value, or never when the process has ended meanwhile. */
  wait<T>(promise: Promise<T>): Promise<T>;
  sleep(ms: number): Promise<void>;
  /** Runs `work` after `ms` unless the process has ended. Returns how to call it off. */
  after(ms: number, work: () => void): () => void;
  /** Spawns a call; gives `late` and kills it when it takes longer than `limitMs`. */
  spawn<T>(work: (call: ToolCall) => Promise<T>, limit: { ms: number; late: T }): Promise<T>;
  /** A signal to all calls it has spawned. */
  signalCalls(signal: Signal): void;
  /** Ends it. Nothing when it has ended. */
  end(code: number | null): void;
  readonly ended: Promise<number | null>;
};

type OpenCall = { signals: Set<(signal: Signal) => void> };

/** `beforeMs`: until a spawned call runs; `afterMs`: from its exit until the process acts on it. */
export function createRunnerProcess(
  timeline: Timeline,
  pid: number,
  spawning: { beforeMs: number; afterMs: number },
): RunnerProcess {
  let alive = true;
  const orphaned = new Set<() => void>();
  const open = new Set<OpenCall>();
  const { promise: ended, resolve: tellEnd } = Promise.withResolvers<number | null>();

  const wait = <T>(promise: Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      promise.then(
        (value) => {
          if (alive) resolve(value);
        },
        (error: unknown) => {
          if (alive) reject(error);
        },
      );
    });

  const after = (ms: number, work: () => void): (() => void) =>
    timeline.after(ms, () => {
      if (alive) work();
    });

  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      after(ms, resolve);
    });

  const callFor = (own: OpenCall): ToolCall => ({
    parent: pid,
    parentGone: () => !alive,
    onParentGone(listener) {
      if (!alive) listener();
      else orphaned.add(listener);
      return () => orphaned.delete(listener);
    },
    onSignal(listener) {
      own.signals.add(listener);
      return () => own.signals.delete(listener);
    },
  });

  const tell = (call: OpenCall, signal: Signal): void => {
    for (const listener of call.signals) listener(signal);
  };

  return {
    pid,
    alive: () => alive,
    wait,
    sleep,
    after,
    async spawn(work, limit) {
      await sleep(spawning.beforeMs);
      const own: OpenCall = { signals: new Set() };
      open.add(own);
      const { promise: late, resolve } = Promise.withResolvers<typeof limit.late>();
      const off = after(limit.ms, () => {
        tell(own, 'KILL');
        resolve(limit.late);
      });
      const done = work(callFor(own)).finally(() => open.delete(own));
      const answer = await wait(Promise.race([done, late]));
      off();
      await sleep(spawning.afterMs);
      return answer;
    },
    signalCalls(signal) {
      for (const call of open) tell(call, signal);
    },
    end(code) {
      if (!alive) return;
      alive = false;
      tellEnd(code);
      for (const listener of orphaned) listener();
      orphaned.clear();
    },
    ended,
  };
}
