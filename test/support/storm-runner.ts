// The stand-in runner as a process of its own, in a process group of its own, so that it can be killed and signalled as
// gitlab-runner is. Started as a program it runs what STORM_RUNNER says and prints a line for each job that ended.
// Trap: what a killed runner leaves behind goes on; `close` ends what still lives of the group.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStandInRunner, type StandInRunnerOptions } from '../../src/demo/runner.ts';
import type { LiveWorld } from './live-world.ts';

const root = join(import.meta.dirname, '..', '..');

/** A section whose names the usual world serves; it holds no idle machines, and gives one back soon after its job. */
export function onDemandSection(world: LiveWorld): StandInRunnerOptions {
  return {
    dockerMachine: join(root, 'bin', 'docker-machine'),
    store: world.store,
    env: world.env,
    token: 'glrt-testtoken0000000000',
    machineName: 'box-%s',
    machineOptions: ['amazonec2-region=eu-central-1'],
    policy: {
      idleCount: 0,
      idleCountMin: 0,
      idleScaleFactor: 0,
      idleTimeMs: 0,
      maxBuilds: 1,
      limit: 0,
      maxGrowthRate: 0,
      concurrent: 1_000,
    },
  };
}

export type StormRunner = {
  pid: number;
  /** `STATE FAILURE` of each job that ended, in order. */
  ended(): readonly string[];
  /** Processes of the runner's group that live: itself and its calls. */
  processes(): readonly number[];
  /** To the runner alone, or to its whole group. */
  signal(signal: NodeJS.Signals, to: 'runner' | 'group'): void;
  /** Resolves when the runner itself has ended. */
  gone: Promise<number | null>;
  close(): void;
};

/** Living processes of a group; one that nobody has waited for yet does not count. */
function membersOf(group: number): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const [, rest = ''] = readFileSync(`/proc/${entry}/stat`, 'utf8').split(/\) (?!.*\) )/);
      const [state, , pgrp] = rest.split(' ');
      return Number(pgrp) === group && state !== 'Z' && state !== 'X' ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}

/** Starts a runner with a queue of jobs of these lengths. */
export function startStormRunner(world: LiveWorld, lengths: readonly number[]): StormRunner {
  const env = { ...world.env, STORM_RUNNER: JSON.stringify({ options: onDemandSection(world), lengths }) };
  const child: ChildProcess = spawn(process.execPath, [import.meta.filename], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = child.pid ?? 0;
  let printed = '';
  child.stdout?.on('data', (piece: Buffer) => {
    printed += piece.toString();
  });
  const gone = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const signal: StormRunner['signal'] = (name, to) => void process.kill(to === 'group' ? -pid : pid, name);
  return {
    pid,
    gone,
    signal,
    ended: () => printed.split('\n').slice(0, -1),
    processes: () => membersOf(pid),
    close() {
      if (membersOf(pid).length > 0) signal('SIGKILL', 'group');
    },
  };
}

function runAsProgram(text: string): void {
  const { options, lengths } = JSON.parse(text) as { options: StandInRunnerOptions; lengths: number[] };
  const runner = createStandInRunner({
    ...options,
    onEvent(event) {
      if (event.kind === 'job' && event.job.doneAt !== null)
        process.stdout.write(`${event.job.state} ${event.job.failure ?? ''}\n`);
    },
  });
  process.on('SIGQUIT', () => void runner.shutdown('QUIT').then((code) => process.exit(code)));
  runner.start();
  runner.queue(
    lengths.map((durationMs, index) => ({
      id: String(index + 1),
      url: `https://gitlab.example.com/storm/app/-/jobs/${index + 1}`,
      image: 'alpine',
      durationMs,
    })),
  );
}

if (process.argv[1] === import.meta.filename) runAsProgram(process.env['STORM_RUNNER'] ?? '{}');
