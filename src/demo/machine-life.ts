// How the runner makes and ends machines: `create` beside the job that wanted it, and `inspect`, `stop`, `rm -y` behind
// everything, with the runner's retries and its way of forgetting.
// Trap: a failed create is removed only when its config.json stands, and "does not exist" means forget, not retry.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostlerError } from '../domain/error.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';
import type { MachineBook } from './machine-book.ts';
import type { Call, MachineCalls } from './machine-calls.ts';
import type { MachineNames } from './machine-name.ts';
import type { RunnerMachine } from './policy.ts';

/** Failed `rm -y` before one last `rm -f` (the runner's MaxRemovalAttempts). */
const REMOVAL_ATTEMPTS = 30;
/** Machines that a draining runner ends at once (`[machine.shutdown_drain]`). */
const DRAIN_AT_ONCE = 3;

export type MachineLife = {
  /** Starts one create; the machine is in the book before this returns. Rejects with docker-machine's complaint. */
  create(): Promise<void>;
  /** Ends a machine behind everything. */
  remove(machine: RunnerMachine, reason: string): void;
  /** Ends all known machines as a stopping runner does: `inspect`, `rm -f`, three at once. */
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
  removalRetryMs: DurationMs;
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
    if (existsSync(join(parts.store, 'machines', machine.name, 'config.json')))
      remove(machine, 'create-failed');
    else book.forget(machine.name);
    throw new HostlerError('create-timeout', `create of ${machine.name}: ${complaintOf(call)}`);
  }

  async function end(machine: RunnerMachine): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      const known = await calls.inspect(machine.name);
      if (known.code !== 0) break;
      await calls.stop(machine.name);
      const removed = await calls.remove(machine.name);
      if (removed.code === 0) break;
      if (attempt === REMOVAL_ATTEMPTS) {
        await calls.remove(machine.name, '-f');
        break;
      }
      await sleep(parts.removalRetryMs, undefined, { signal }).catch(() => undefined);
    }
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
        const known = await calls.inspect(machine.name);
        if (known.code === 0) await calls.remove(machine.name, '-f');
        book.forget(machine.name);
      }
    };
    await Promise.all(Array.from({ length: DRAIN_AT_ONCE }, worker));
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
