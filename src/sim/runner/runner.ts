// A gitlab-runner with its docker+machine executor, in the world's time: it polls, claims, has machines made by its tool,
// runs jobs on their hosts and removes machines, with the runner's own ways, odd ones included.
// It must not be made smarter than the runner is. Trap: nothing here may act after its process has ended.
import type { Gitlab } from '../gitlab/gitlab.ts';
import type { Timeline } from '../timeline.ts';
import type { JobHosts } from './job-hosts.ts';
import type { MachineTool, Signal } from './machine-tool.ts';
import type { RunnerOdds, RunnerPace, RunnerSettings } from './runner-settings.ts';

export type RunnerOptions = {
  timeline: Timeline;
  seed: number;
  gitlab: Gitlab;
  tool: MachineTool;
  hosts: JobHosts;
  settings: RunnerSettings;
  pace?: Partial<RunnerPace>;
  odds?: Partial<RunnerOdds>;
  release?: 15 | 19;
};

/** A machine in the runner's memory. */
export type MachineState = 'creating' | 'idle' | 'acquired' | 'used' | 'removing';

export type RunnerMachine = {
  readonly name: string;
  state: MachineState;
  /** Jobs it was used for; one found in the store counts as used once. */
  builds: number;
  /** When it came, or its last job ended: IdleTime counts from here. */
  usedAt: number;
};

export type Runner = {
  /** Starts a process; nothing while one lives. */
  start(): void;
  /**
   * Sends a signal to the runner's process, or to it and all calls it has spawned. Settles when that process has ended,
   * with its exit code (null: killed); at once when none lives.
   */
  stop(signal: Signal, to: 'process' | 'group'): Promise<number | null>;
  /** The file has changed; the runner sees it within three seconds. */
  settings(change: RunnerSettings): void;
  alive(): boolean;
  /** Ids of the jobs it counts as running. */
  jobsRunning(): readonly number[];
  /** Those that wait for a machine that nobody makes any more. */
  stuck(): readonly number[];
  machines(): readonly RunnerMachine[];
};
