// How the runner makes machines beside the jobs that want them, and ends them behind everything.
// Trap: a failed create is removed only when its config.json stands; else its name is forgotten without a call.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HostlerError } from '../domain/error.ts';
import type { EpochMs } from '../domain/units.ts';
import {
  DRAIN,
  leftoverOf,
  REMOVAL_ATTEMPTS,
  type RunnerPace,
  type RunnerRelease,
} from '../sim/runner/lifecycle-rules.ts';
import type { MachineBook } from './machine-book.ts';
import type { Call, MachineCalls } from './machine-calls.ts';
import type { MachineNames } from './machine-name.ts';
import { createMachineRemoval } from './machine-removal.ts';
import type { RunnerMachine } from './policy.ts';

export type MachineLife = {
  /** Starts one create; the machine is in the book before this returns. Rejects with docker-machine's complaint. */
  create(): Promise<void>;
  /** Ends a machine behind everything. */
  remove(machine: RunnerMachine, reason: string): void;
  /** Ends all known machines as a draining runner does: `inspect`, `rm -f`, three at once, each tried again. */
  drain(): Promise<void>;
  /** When no create and no removal runs any more. */
  settled(): Promise<void>;
};

export type LifeParts = {
  book: MachineBook;
  calls: MachineCalls;
  names: MachineNames;
  /** MACHINE_STORAGE_PATH. */
  store: string;
  driver: string;
  machineOptions: readonly string[];
  pace: Pick<RunnerPace, 'removalRetryMs' | 'drainRetryMs'>;
  release?: RunnerRelease | undefined;
  /** MaxRemovalAttempts. */
  removalAttempts?: number | undefined;
  signal: AbortSignal;
  now(): EpochMs;
  removing(name: string, reason: string): void;
};

function complaintOf(call: Call): string {
  const code = call.code === null ? 'killed' : `exit status ${call.code}`;
  return call.complaint === '' ? code : `${code}: ${call.complaint}`;
}

/** The life of one section's machines. */
export function createMachineLife(parts: LifeParts): MachineLife {
  const { book, calls, signal, now } = parts;
  const { release = 19, removalAttempts: attempts = REMOVAL_ATTEMPTS } = parts;
  const removal = createMachineRemoval({ calls, pace: parts.pace, habits: { release, attempts }, signal });
  const pending = new Set<Promise<void>>();

  function track(work: Promise<void>): Promise<void> {
    const noted = work.catch(() => undefined).finally(() => pending.delete(noted));
    pending.add(noted);
    return work;
  }

  async function create(): Promise<void> {
    const machine = book.add(parts.names.next(now()), 'creating', { builds: 0, at: now() });
    const { driver, machineOptions } = parts;
    const call = await calls.create(machine.name, { driver, machineOptions });
    machine.usedAt = now();
    if (call.code === 0) {
      book.offer(machine);
      return;
    }
    const hasConfig = existsSync(join(parts.store, 'machines', machine.name, 'config.json'));
    if (leftoverOf(hasConfig) === 'remove') remove(machine, 'create-failed');
    else book.forget(machine.name);
    throw new HostlerError('create-timeout', `create of ${machine.name}: ${complaintOf(call)}`);
  }

  async function end(machine: RunnerMachine): Promise<void> {
    await removal.end(machine.name);
    book.forget(machine.name);
  }

  function remove(machine: RunnerMachine, reason: string): void {
    machine.state = 'removing';
    parts.removing(machine.name, reason);
    void track(end(machine));
  }

  async function drain(): Promise<void> {
    const left = book.all().filter(({ state }) => state !== 'removing' && state !== 'creating');
    const worker = async (): Promise<void> => {
      for (let machine = left.shift(); machine !== undefined; machine = left.shift()) {
        machine.state = 'removing';
        parts.removing(machine.name, 'shutdown');
        await removal.drain(machine.name);
        book.forget(machine.name);
      }
    };
    await Promise.all(Array.from({ length: DRAIN.atOnce }, worker));
  }

  return {
    create: () => track(create()),
    remove,
    drain,
    async settled() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
