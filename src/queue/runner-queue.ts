// What the runner's own metrics tell of the queue: GitLab says with each job it hands out how many fitted this runner, and
// how many of them it looked at before one could be given. Exact rules and no call, but the figures stand still while the
// runner takes no job and never fall to 0 by themselves.
// Pure. Trap: so they count only for a while after the runner took a job, and silence means "nothing known", not "hold".
import { type DurationMs, type EpochMs, MINUTE_MS } from '../domain/units.ts';

/** A figure is believed for so long: the runner asks GitLab every few seconds while it has room. */
export const FIGURE_GOOD_MS: DurationMs = MINUTE_MS;

/** What GitLab said with the job that the runner took last. */
export type QueueFigure = {
  /** Jobs of the queue that fitted, the one given included; 0 = GitLab did not say. */
  size: number;
  /** How many it looked at until one could be given: those before it were being taken by others, had ended, or failed. */
  depth: number;
};

/** What one scrape says of a pool's section. */
export type Scrape = {
  /** Jobs it took since its start. */
  taken: number;
  figure: QueueFigure | null;
  /** When the runner's process began; null = not said. */
  startedAt: EpochMs | null;
};

/** What is remembered of one runner label between two scrapes. */
export type RunnerQueue = {
  taken: number;
  /** null = it was not seen to take a job yet, or its metrics lack the figures. */
  told: (QueueFigure & { at: EpochMs }) | null;
};

/**
 * Whether it has taken a job lately. A counter below the last one: the runner started anew. At the first sight of it what it
 * took is as old as its process at most.
 */
function hasTakenLately(before: RunnerQueue | null, { taken, startedAt }: Scrape, now: EpochMs): boolean {
  if (taken === 0) return false;
  if (before !== null) return taken !== before.taken;
  return startedAt !== null && Math.abs(now - startedAt) <= FIGURE_GOOD_MS;
}

/** The state after a scrape. */
export function nextRunnerQueue(before: RunnerQueue | null, scrape: Scrape, now: EpochMs): RunnerQueue {
  const { taken, figure } = scrape;
  if (figure === null || !hasTakenLately(before, scrape, now)) return { taken, told: before?.told ?? null };
  return { taken, told: { size: Math.trunc(figure.size), depth: Math.trunc(figure.depth), at: now } };
}

/** Jobs that still waited then: the one given is no more among them, nor those that were passed over. */
export function leftIn({ size, depth }: QueueFigure): number {
  return Math.max(0, size - Math.max(1, depth));
}

/** Jobs that wait by that figure, while it is believed. */
export function waitingIn({ told }: RunnerQueue, now: EpochMs): number {
  return told !== null && now - told.at <= FIGURE_GOOD_MS ? leftIn(told) : 0;
}
