// How the runner removes a machine: `inspect`, `stop`, `rm -y`, again every 30 seconds, at last one `rm -f`, and then it
// forgets the machine whatever came of it. Until then the machine takes a place of `limit`.
import type { Fleet } from './fleet.ts';
import { nextRemoval, type RunnerRelease, usualPace } from './lifecycle-rules.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineCalls } from './machine-calls.ts';
import type { RunnerProcess } from './process.ts';
import type { DrainSettings } from './runner-settings.ts';

export type Removal = {
  /** Begins to remove; nothing for one that goes already. */
  begin(machine: RunnerMachine): void;
  /** When all removals that run have ended. */
  settled(): Promise<void>;
  /** `[machine.shutdown_drain]`: ends all that it knows, forcefully. */
  drain(settings: DrainSettings): Promise<void>;
};

export function createRemoval(parts: {
  calls: MachineCalls;
  fleet: Fleet;
  process: RunnerProcess;
  habits(): { release: RunnerRelease; attempts: number };
  /** A place is free. */
  done(): void;
}): Removal {
  const { calls, fleet, process } = parts;
  const running = new Set<Promise<void>>();
  let stuckLock: Promise<void> = Promise.resolve();

  /** Whether it is over. */
  const attempt = async (name: string): Promise<boolean> => {
    if (!(await calls.exists(name))) return true;
    await calls.stop(name);
    return await calls.remove(name, 'y');
  };

  const oneAtATime = async (work: () => Promise<boolean>): Promise<boolean> => {
    const before = stuckLock;
    const { promise, resolve } = Promise.withResolvers<void>();
    stuckLock = promise;
    await before;
    const over = await work();
    resolve();
    return over;
  };

  const forget = (name: string): void => {
    calls.forget(name);
    fleet.forget(name);
    parts.done();
  };

  const remove = async (name: string): Promise<void> => {
    for (let failed = 0; ; failed += 1) {
      const alone = nextRemoval(failed, parts.habits()) === 'alone';
      const over = await (alone ? oneAtATime(() => attempt(name)) : attempt(name));
      if (over) break;
      if (nextRemoval(failed + 1, parts.habits()) === 'force') {
        await calls.remove(name, 'f');
        break;
      }
      await process.sleep(usualPace.removalRetryMs);
    }
    forget(name);
  };

  const drainOne = async (name: string, settings: DrainSettings): Promise<void> => {
    for (let retry = 0; ; retry += 1) {
      if (!(await calls.exists(name)) || (await calls.remove(name, 'f'))) break;
      if (retry >= settings.maxRetries) break;
      await process.sleep(settings.retryBackoffMs);
    }
    forget(name);
  };

  return {
    begin(machine) {
      if (machine.state === 'removing') return;
      machine.state = 'removing';
      const work = remove(machine.name).finally(() => running.delete(work));
      running.add(work);
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
    async drain(settings) {
      const left = fleet.all().filter(({ state }) => state !== 'removing' && state !== 'creating');
      for (const machine of left) machine.state = 'removing';
      const worker = async (): Promise<void> => {
        for (let machine = left.shift(); machine !== undefined; machine = left.shift()) {
          await drainOne(machine.name, settings);
        }
      };
      await Promise.all(Array.from({ length: settings.concurrency }, worker));
    },
  };
}
