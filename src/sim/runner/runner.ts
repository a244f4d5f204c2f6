// A gitlab-runner with its docker+machine executor, in the world's time: it polls, claims, has machines made by its tool,
// runs jobs on their hosts and removes machines, with the runner's own ways, odd ones included.
// It must not be made smarter than the runner is. Trap: a process's memory dies with it; what a restart knows of machines
// is what the store's folders say.
import type { Gitlab } from '../gitlab/gitlab.ts';
import { createSeeded } from '../seeded.ts';
import type { Timeline } from '../timeline.ts';
import type { JobHosts } from './job-hosts.ts';
import type { RunnerRelease } from './lifecycle-rules.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineTool, Signal } from './machine-tool.ts';
import { createRunnerProcess, type RunnerProcess } from './process.ts';
import {
  type RunnerOdds,
  type RunnerSettings,
  type RunnerSpeed,
  usualOdds,
  usualSpeed,
} from './runner-settings.ts';
import { type RunningParts, runIn } from './running.ts';
import { shutDown } from './shutdown.ts';

export type RunnerOptions = {
  timeline: Timeline;
  seed: number;
  gitlab: Gitlab;
  tool: MachineTool;
  hosts: JobHosts;
  settings: RunnerSettings;
  /** Default: a runner on a machine with time to spare. */
  speed?: Partial<RunnerSpeed>;
  /** Default: as seen. */
  odds?: Partial<RunnerOdds>;
  /** Default 19. */
  release?: RunnerRelease;
};

export type Runner = {
  /** Starts a process; nothing while one lives. */
  start(): void;
  /**
   * Sends a signal to the runner's process, or to it and all calls it has spawned. Settles when that process has ended,
   * with its exit code (null: killed, or none lives).
   */
  stop(signal: Signal, to: 'process' | 'group'): Promise<number | null>;
  /** The file has changed; a runner that lives sees it within three seconds. */
  settings(change: RunnerSettings): void;
  alive(): boolean;
  /** Ids of the jobs it counts as running. */
  jobsRunning(): readonly number[];
  /** Those that wait in line for a machine while nobody makes one for them. */
  stuck(): readonly number[];
  machines(): readonly RunnerMachine[];
};

/** How long a change of the file goes unseen (measured). */
const RELOAD_AT_MOST_MS = 3_000;

/** A runner that is not started yet. */
export function createRunner(options: RunnerOptions): Runner {
  const { timeline, gitlab, tool, hosts, release = 19 } = options;
  const random = createSeeded(options.seed);
  const speed = { ...usualSpeed, ...options.speed };
  const odds = { ...usualOdds, ...options.odds };
  let file = options.settings;
  let pid = 0;
  let process: RunnerProcess | null = null;
  let running: RunningParts | null = null;

  const start = (): void => {
    if (process?.alive() === true) return;
    pid += 1;
    process = createRunnerProcess(timeline, pid, { beforeMs: speed.spawnMs, afterMs: speed.reapMs });
    running = runIn(process, { timeline, gitlab, tool, hosts, settings: file, speed, odds, release, random });
  };

  return {
    start,
    async stop(signal, to) {
      const target = process;
      if (target?.alive() !== true || running === null) return null;
      shutDown(target, running, { signal, to, random, release });
      return await target.ended;
    },
    settings(change) {
      file = change;
      const reader = running;
      process?.after(random.float() * RELOAD_AT_MOST_MS, () => reader?.reload(file));
    },
    alive: () => process?.alive() === true,
    jobsRunning: () => (process?.alive() === true ? (running?.builds() ?? []).map(({ job }) => job.id) : []),
    stuck: () =>
      process?.alive() === true
        ? (running?.builds() ?? []).filter((build) => build.isStuck()).map(({ job }) => job.id)
        : [],
    machines: () => (process?.alive() === true ? (running?.fleet.all() ?? []) : []),
  };
}
