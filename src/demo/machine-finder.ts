// Finds a machine for a job: an idle one that answers, else a place in the line beside a create of its own. What comes
// free first serves the oldest place, whoever's create brought it.
// Trap: after a create whose machine does not answer, the job goes on waiting without a new create, as the runner's does;
// it is served only if another machine becomes free.
import type { EpochMs } from '../domain/units.ts';
import { afterConfigNo, LOOKS_BEFORE_JOB } from '../sim/runner/lifecycle-rules.ts';
import type { JobRecord } from './job-record.ts';
import type { MachineBook } from './machine-book.ts';
import type { MachineCalls } from './machine-calls.ts';
import type { MachineLife } from './machine-life.ts';
import type { RunnerMachine } from './policy.ts';

export type FinderParts = {
  book: MachineBook;
  calls: MachineCalls;
  life: MachineLife;
  now(): EpochMs;
  /** `config` of NAME has said yes: the poll need not ask again for a while. */
  reachable(name: string): void;
};

export type MachineFinder = {
  /** Asks `config` twice, as the runner does before each job. */
  answers(machine: RunnerMachine): Promise<boolean>;
  /** Back among the idle ones without being offered: it was found dead or broken. */
  putBack(machine: RunnerMachine): void;
  /** An acquired machine that answers. Throws when its own create failed before another machine came free. */
  find(job: JobRecord): Promise<RunnerMachine>;
};

/** Finds machines of one section. */
export function createMachineFinder({ book, calls, life, now, reachable }: FinderParts): MachineFinder {
  async function answers(machine: RunnerMachine): Promise<boolean> {
    for (let look = 0; look < LOOKS_BEFORE_JOB; look += 1) {
      const call = await calls.config(machine.name);
      if (call.code !== 0) return false;
    }
    reachable(machine.name);
    return true;
  }

  function putBack(machine: RunnerMachine): void {
    if (machine.state === 'acquired') machine.state = 'idle';
  }

  async function takeIdle(): Promise<RunnerMachine | null> {
    for (const machine of book.idle()) {
      if (machine.state !== 'idle') continue;
      machine.state = 'acquired';
      if (await answers(machine)) return machine;
      putBack(machine);
    }
    return null;
  }

  /** A place in the line; `begin` gets the way out of it for a failure. */
  function inLine(begin?: (fail: (error: Error) => void) => void): Promise<RunnerMachine> {
    return new Promise((resolve, reject) => {
      const place = { give: resolve, fail: reject };
      book.wait(place);
      begin?.((error) => {
        if (book.leave(place)) reject(error);
      });
    });
  }

  async function waitFor(job: JobRecord): Promise<RunnerMachine> {
    let machine = await inLine((fail) => {
      job.createAt ??= now();
      life.create().catch((error: unknown) => {
        fail(error instanceof Error ? error : new Error(String(error)));
      });
    });
    while (!(await answers(machine))) {
      const next = afterConfigNo(machine.builds === 0 ? 'after-create' : 'at-job-start');
      if (next.machine === 'remove') life.remove(machine, 'unreachable');
      else putBack(machine);
      // Its own create may still run; none is made in any case.
      machine = await inLine();
    }
    return machine;
  }

  return {
    answers,
    putBack,
    // Without an idle machine nothing is awaited before the create is in the book: claims count on it.
    find: async (job) => (book.idle().length > 0 ? await takeIdle() : null) ?? (await waitFor(job)),
  };
}
