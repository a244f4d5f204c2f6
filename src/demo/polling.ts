// The runner's poll: read the store, remove what goes, fill the idle ones, claim jobs while that is allowed.
// Removals and creates run behind it; only `config` of an idle machine is waited for, which stops all claiming meanwhile,
// as in the real one.
// Trap: the store is read while creates and removals run, so only machines known before the reading are judged by it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { EpochMs } from '../domain/units.ts';
import { FOUND_BUILDS, type RunnerPace } from '../sim/runner/lifecycle-rules.ts';
import type { JobRecord } from './job-record.ts';
import type { JobWork } from './job-work.ts';
import type { MachineBook } from './machine-book.ts';
import type { MachineCalls } from './machine-calls.ts';
import type { MachineLife } from './machine-life.ts';
import { idleCreates, mayClaimWithout, type RunnerMachine, type RunnerPolicy, removals } from './policy.ts';

export type PollParts = {
  policy: RunnerPolicy;
  book: MachineBook;
  calls: MachineCalls;
  life: MachineLife;
  work: JobWork;
  queued: JobRecord[];
  pace: Pick<RunnerPace, 'pollMs' | 'claimGapMs' | 'reachableMs'>;
  stopping: AbortSignal;
  /** Names of this section in the store. */
  list(): Promise<readonly string[]>;
  now(): EpochMs;
};

export type Polling = {
  /** Polls until `stopping`. */
  run(): Promise<void>;
  /** Polls at once. */
  wake(): void;
  /** `config` of NAME has said yes. */
  reachable(name: string): void;
};

/** The poll of one section. */
export function createPolling(parts: PollParts): Polling {
  const { policy, book, calls, life, work, queued, pace, stopping, now } = parts;
  const reachableAt = new Map<string, EpochMs>();
  let wake = (): void => undefined;

  async function readStore(): Promise<void> {
    const before = new Map(book.all().map((machine) => [machine.name, machine.state]));
    const listed = new Set(await parts.list());
    for (const name of listed)
      if (!before.has(name) && !book.find(name)) book.add(name, 'idle', { builds: FOUND_BUILDS, at: now() });
    for (const [name, state] of before)
      if (state === 'idle' && !listed.has(name) && book.find(name)?.state === 'idle') book.forget(name);
  }

  /** The newest idle machine that answers: the runner takes one before it asks GitLab for a job. */
  async function takeHeld(): Promise<RunnerMachine | null> {
    for (const machine of book.idle()) {
      if (machine.state !== 'idle') continue;
      machine.state = 'acquired';
      const known = reachableAt.get(machine.name) ?? Number.NEGATIVE_INFINITY;
      if (now() - known < pace.reachableMs) return machine;
      const call = await calls.config(machine.name);
      if (call.code === 0) {
        reachableAt.set(machine.name, now());
        return machine;
      }
      life.remove(machine, 'unreachable');
    }
    return null;
  }

  async function claim(): Promise<void> {
    while (!stopping.aborted && work.running() < policy.concurrent) {
      const held = await takeHeld();
      const job = queued[0];
      const may = held !== null || mayClaimWithout(policy, book.counts());
      if (job === undefined || !may) {
        // Not offered: were it any good, the jobs that wait would have it already.
        if (held !== null) held.state = 'idle';
        return;
      }
      queued.shift();
      work.begin(job, held);
      await sleep(pace.claimGapMs);
    }
  }

  async function poll(): Promise<void> {
    await readStore();
    for (const { machine, reason } of removals(policy, book.all(), now())) life.remove(machine, reason);
    for (let count = idleCreates(policy, book.counts()); count > 0; count -= 1)
      life.create().catch(() => undefined);
    await claim();
  }

  return {
    async run() {
      while (!stopping.aborted) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await poll();
        const pause = sleep(pace.pollMs, undefined, { signal: stopping }).catch(() => undefined);
        await Promise.race([woken, pause]);
      }
    },
    wake: () => wake(),
    reachable: (name) => void reachableAt.set(name, now()),
  };
}
