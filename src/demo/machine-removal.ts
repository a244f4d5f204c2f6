// How the runner ends a machine: `inspect`, `stop`, `rm -y`, again after a pause, one stuck machine at a time, by force in
// the end; or `inspect`, `rm -f` when it drains.
// Trap: "does not exist" means forget, and after `rm -f` it forgets whatever the answer was.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DurationMs } from '../domain/units.ts';
import { DRAIN, nextRemoval, type RunnerPace, type RunnerRelease } from '../sim/runner/lifecycle-rules.ts';
import type { MachineCalls } from './machine-calls.ts';

export type RemovalParts = {
  calls: MachineCalls;
  pace: Pick<RunnerPace, 'removalRetryMs' | 'drainRetryMs'>;
  habits: { release: RunnerRelease; attempts: number };
  signal: AbortSignal;
};

export type MachineRemoval = {
  /** Resolves when the runner forgets the machine. */
  end(name: string): Promise<void>;
  /** The same for a runner that drains. */
  drain(name: string): Promise<void>;
};

/** The removals of one section. */
export function createMachineRemoval({ calls, pace, habits, signal }: RemovalParts): MachineRemoval {
  let stuck: Promise<unknown> = Promise.resolve();
  const pause = (ms: DurationMs): Promise<void> => sleep(ms, undefined, { signal }).catch(() => undefined);

  /** True when it is over: removed, or not known. */
  async function endOnce(name: string): Promise<boolean> {
    const known = await calls.inspect(name);
    if (known.code !== 0) return true;
    await calls.stop(name);
    const removed = await calls.remove(name);
    return removed.code === 0;
  }

  function endAlone(name: string): Promise<boolean> {
    const turn = stuck.then(() => endOnce(name));
    stuck = turn;
    return turn;
  }

  return {
    async end(name) {
      for (let failures = 0; !signal.aborted; failures += 1) {
        const next = nextRemoval(failures, habits);
        if (next === 'force') {
          await calls.remove(name, '-f');
          return;
        }
        if (failures > 0) await pause(pace.removalRetryMs);
        if (await (next === 'alone' ? endAlone(name) : endOnce(name))) return;
      }
    },
    async drain(name) {
      for (let retries = 0; !signal.aborted; retries += 1) {
        const known = await calls.inspect(name);
        if (known.code !== 0) return;
        const removed = await calls.remove(name, '-f');
        if (removed.code === 0 || retries === DRAIN.retries) return;
        await pause(pace.drainRetryMs);
      }
    },
  };
}
