// How a job gets a machine: the newest free one that answers, else whatever comes first while a create of its own runs.
// Trap: a machine and the job it was made for are not bound. Whoever looks first takes it; a job that looks in vain
// waits for the next word without a new create, as the runner's does.
import { afterFailedCreate, usualPace } from './lifecycle-rules.ts';
import type { Line, Place } from './line.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineCalls } from './machine-calls.ts';
import type { RunnerProcess } from './process.ts';
import type { Removal } from './removal.ts';

/** A machine that a create brought. `mine`: for the job that asked, before anybody heard of it; else idle and told. */
export type Made = { machine: RunnerMachine; mine: boolean };

/** Told how a job's wait goes on: whether its own create runs, whether it stands in line. */
export type Waiting = { making(yes: boolean): void; inLine(yes: boolean): void };

export type SearchParts = {
  list(): readonly RunnerMachine[];
  /** `wanted`: whether the job still waits for it. Null: it failed. */
  create(wanted: () => boolean): Promise<Made | null>;
  line: Line;
  calls: Pick<MachineCalls, 'config'>;
  removal: Pick<Removal, 'begin'>;
  process: Pick<RunnerProcess, 'sleep'>;
};

export type MachineSearch = {
  /** Picks the newest idle machine that answers; one that does not is removed. `cached`: a yes of late does. */
  findFree(cached: boolean): Promise<RunnerMachine | null>;
  /** With the runner's tries and pauses. Throws PreparationFailed. */
  findOrMake(waiting: Waiting): Promise<RunnerMachine>;
};

/** A preparation that has failed; the runner tries again or gives the job up. */
export class PreparationFailed extends Error {}

export function createMachineSearch(parts: SearchParts): MachineSearch {
  const { line, calls, removal, process } = parts;

  const findFree = async (cached: boolean): Promise<RunnerMachine | null> => {
    for (const machine of parts.list().toReversed()) {
      if (machine.state !== 'idle') continue;
      machine.state = 'acquired';
      if (await calls.config(machine.name, cached)) return machine;
      removal.begin(machine);
    }
    return null;
  };

  const makeOne = async (waiting: Waiting): Promise<RunnerMachine> => {
    let outcome: Made | null | undefined;
    let known = false;
    let place: Place | null = null;
    waiting.making(true);
    // Not while it looks at another: that one may serve it, and its own would be nobody's.
    const own = parts
      .create(() => place?.heard() === false)
      .then((made) => {
        outcome = made;
        waiting.making(false);
      });
    for (;;) {
      place = line.wait();
      waiting.inLine(true);
      await (outcome === undefined ? Promise.race([own, place.called]) : place.called);
      waiting.inLine(false);
      if (place.heard()) {
        const found = await findFree(false);
        if (found !== null) return found;
      }
      place.leave();
      if (outcome === undefined || known) continue;
      known = true;
      if (outcome === null) throw new PreparationFailed('create failed');
      if (outcome.mine) return outcome.machine;
    }
  };

  return {
    findFree,
    async findOrMake(waiting) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const idle = parts.list().some(({ state }) => state === 'idle');
          return (idle ? await findFree(false) : null) ?? (await makeOne(waiting));
        } catch (error) {
          await process.sleep(usualPace.createRetryMs);
          if (afterFailedCreate(attempt) === 'preparation-failed') throw error;
        }
      }
    },
  };
}
