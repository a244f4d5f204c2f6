// Where a job's containers run, found by the url that the tool gave: what the runner does through the Docker API.
// Whoever models hosts stands behind it. The runner gives up by `kill` and asks nothing afterwards.

/** What the runner's labels on its containers tell. */
export type HostedJob = {
  id: number;
  project: number;
  pipeline: number;
  /** GitLab's id of the runner. */
  runner: number;
  /** The runner's short token, part of container names. */
  runnerToken: string;
  /** The machine as the runner calls it. */
  machine: string;
  /** How long the script runs once it began, in milliseconds. */
  durationMs: number;
  outcome: 'success' | 'failed';
};

/**
 * `done`: the script ended as it had to (`outcome`); `killed`: its container was (exit 137, a script failure); `lost`:
 * the Docker API broke off or refused (a runner system failure). A host that goes silent never says anything.
 */
export type HostEnd = 'done' | 'killed' | 'lost';

export type JobRun = {
  /** The job's own script has begun. Never settles for a job that does not come so far. */
  readonly begun: Promise<void>;
  readonly ended: Promise<HostEnd>;
  /** The runner gives it up: its containers are stopped where the host still listens. */
  kill(): void;
};

export type JobHosts = {
  /** Prepares Docker and runs the job. */
  run(url: string, job: HostedJob): JobRun;
};
