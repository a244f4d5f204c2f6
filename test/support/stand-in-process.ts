// Starts the stand-in runner as a process with a process group of its own, as systemd starts gitlab-runner's unit, and
// keeps what it tells. Signals go to the process alone or to the whole group, docker-machine calls included.
// Trap: `close` ends the group by its id; a group that is gone already is fine.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { JobOrder } from '../../src/demo/docker-job.ts';
import type { JobRecord, RunnerEvent } from '../../src/demo/job-record.ts';
import type { Call } from '../../src/demo/machine-calls.ts';
import type { StandInRunnerOptions } from '../../src/demo/runner.ts';
import type { Command } from './stand-in-main.ts';

export type RunnerProcess = {
  pid: number;
  calls: readonly Call[];
  /** As last told. */
  job(id: string): JobRecord | undefined;
  queue(orders: readonly JobOrder[]): void;
  cancel(id: string): void;
  signal(signal: NodeJS.Signals): void;
  signalGroup(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
  isAlive(): boolean;
  /** Ends it, with all that is left in its group. */
  close(): Promise<void>;
};

const program = join(import.meta.dirname, 'stand-in-main.ts');
let files = 0;

/** `folder` takes the file with its options. */
export function startRunnerProcess(
  folder: string,
  options: Omit<StandInRunnerOptions, 'onEvent' | 'now' | 'runJob'>,
): RunnerProcess {
  const file = join(folder, `stand-in-${++files}.json`);
  writeFileSync(file, JSON.stringify(options));
  const child = spawn(process.execPath, [program, file], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  });
  const calls: Call[] = [];
  const jobs = new Map<string, JobRecord>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as RunnerEvent;
    if (event.kind === 'call') calls.push(event.call);
    if (event.kind === 'job') jobs.set(event.job.order.id, event.job);
  });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 1));
  });
  const { pid = 0 } = child;
  const send = (command: Command) => void child.stdin.write(`${JSON.stringify(command)}\n`);
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  return {
    pid,
    calls,
    job: (id) => jobs.get(id),
    queue: (orders) => send({ queue: orders }),
    cancel: (id) => send({ cancel: id }),
    signal: (signal) => void child.kill(signal),
    signalGroup,
    ended,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    async close() {
      signalGroup('SIGKILL');
      await ended;
    },
  };
}
