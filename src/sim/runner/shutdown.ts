// How a runner's process ends: KILL at once; QUIT when its jobs have ended; TERM when its jobs, aborted, have said so, or
// when their time is over. What it had begun to remove goes on only as far as it had spawned.
import type { Seeded } from '../seeded.ts';
import { atSignal, type RunnerRelease, type RunnerSignal } from './lifecycle-rules.ts';
import type { Signal } from './machine-tool.ts';
import type { RunnerProcess } from './process.ts';
import type { RunningParts } from './running.ts';

/**
 * From the last report to the exit, in milliseconds, by a draw from 0 to 1. TERM: 3 to 50 ms, and `rm` had begun in one of
 * four runs; QUIT: only `inspect`, at times `stop`, had begun in five runs (measured).
 */
const exitLag = {
  TERM: (draw: number): number => 3 + 47 * draw ** 4,
  QUIT: (draw: number): number => 0.5 + 4 * draw,
};

type Stop = { signal: Signal; to: 'process' | 'group'; random: Seeded; release: RunnerRelease };

/** The last signal by which each process is ending. */
const ending = new WeakMap<RunnerProcess, RunnerSignal>();

/** Waits for what the runner waits for, then ends the process. */
async function endInOrder(process: RunnerProcess, running: RunningParts, stop: Stop): Promise<void> {
  const busy = running.builds().length > 0;
  await running.buildsEnded();
  const { drain, shutdownTimeoutMs } = running.settings();
  if (drain !== null && stop.release === 19) {
    process.after(shutdownTimeoutMs, () => process.end(1));
    await running.createsEnded();
    await running.removal.settled();
    await running.removal.drain(drain);
  } else if (busy) {
    await process.sleep(exitLag[ending.get(process) ?? 'QUIT'](stop.random.float()));
  }
  process.end(0);
}

/** Delivers a signal; the process ends in its own time. */
export function shutDown(process: RunnerProcess, running: RunningParts, stop: Stop): void {
  const { signal, to, release } = stop;
  if (signal === 'KILL') process.end(null);
  if (to === 'group') process.signalCalls(signal);
  if (signal === 'KILL') return;
  const before = ending.get(process);
  ending.set(process, signal);
  const { drain, shutdownTimeoutMs } = running.settings();
  const isSecond = before === 'TERM';
  const step = atSignal(signal, { isSecond, drains: drain !== null, release });
  if (step.waits === 'no') {
    process.end(1);
    return;
  }
  running.stopClaiming();
  if (step.jobs === 'abort') for (const build of running.builds()) build.abort('terminated');
  if (step.limit === 'all') process.after(shutdownTimeoutMs, () => process.end(1));
  if (before === undefined) void endInOrder(process, running, stop);
}
