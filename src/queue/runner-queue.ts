// What the runner's own metrics tell of the queue: GitLab says with each job it hands out how many fitted this runner.
// Exact rules and no call, but the figure stands still while the runner takes no job and never falls to 0 by itself.
// Pure. Trap: so it counts only for a while after the runner took a job, and its silence means "nothing known", not "hold".
import { type DurationMs, type EpochMs, MINUTE_MS } from '../domain/units.ts';

/** A figure is believed for so long: the runner asks GitLab every few seconds while it has room. */
export const FIGURE_GOOD_MS: DurationMs = MINUTE_MS;

/** What is remembered of one runner label between two scrapes. */
export type RunnerQueue = {
  taken: number;
  /** Jobs that still waited when it last took one. */
  waiting: number;
  /** When it was last seen to have taken one; null = not seen yet. */
  at: EpochMs | null;
};

/** The state after a scrape. `taken`: jobs it took since its start; `size`: rows of the queue, the job given included. */
export function nextRunnerQueue(
  before: RunnerQueue | null,
  scrape: { taken: number; size: number | null },
  now: EpochMs,
): RunnerQueue {
  const { taken, size } = scrape;
  // A counter below the last one: the runner started anew.
  const hasTaken = before !== null && taken !== before.taken && taken > 0;
  if (!hasTaken || size === null) return { taken, waiting: before?.waiting ?? 0, at: before?.at ?? null };
  return { taken, waiting: Math.max(0, Math.trunc(size) - 1), at: now };
}

/** Jobs that wait by that figure, while it is believed. */
export function waitingIn({ waiting, at }: RunnerQueue, now: EpochMs): number {
  return at !== null && now - at <= FIGURE_GOOD_MS ? waiting : 0;
}
