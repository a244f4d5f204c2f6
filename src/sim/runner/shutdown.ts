// How a runner's process ends: KILL at once; QUIT when its jobs have ended; TERM when its jobs, aborted, have said so, or
// when their time is over. What it had begun to remove goes on only as far as it had spawned.
import type { Seeded } from '../seeded.ts';
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

type Stop = { signal: Signal; to: 'process' | 'group'; random: Seeded; now(): number };

/** Which signal each process is ending by; a second TERM ends it at once. */
const ending = new WeakMap<RunnerProcess, Signal>();

async function endInOrder(process: RunnerProcess, running: RunningParts, stop: Stop): Promise<void> {
  const { signal, random } = stop;
  const busy = running.builds().length > 0;
  await running.buildsEnded();
  const { drain } = running.settings();
  if (drain !== null) {
    const off = process.after(running.settings().shutdownTimeoutMs, () => process.end(1));
    await running.createsEnded();
    await running.removal.settled();
    await running.removal.drain(drain);
    off();
  } else if (busy) {
    await process.sleep(exitLag[signal === 'TERM' ? 'TERM' : 'QUIT'](random.float()));
  }
  process.end(0);
}

/** Delivers a signal; the process ends in its own time. */
export function shutDown(process: RunnerProcess, running: RunningParts, stop: Stop): void {
  const { signal, to } = stop;
  if (signal === 'KILL') process.end(null);
  if (to === 'group') process.signalCalls(signal);
  if (signal === 'KILL') return;
  const before = ending.get(process);
  if (before === 'TERM' && signal === 'TERM') {
    process.end(1);
    return;
  }
  ending.set(process, signal);
  running.stopClaiming();
  if (signal === 'TERM') {
    for (const build of running.builds()) build.abort('terminated');
    process.after(running.settings().shutdownTimeoutMs, () => process.end(1));
  }
  if (before === undefined) void endInOrder(process, running, stop);
}
