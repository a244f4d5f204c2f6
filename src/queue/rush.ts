// The rush of unannounced jobs: how many more jobs are there now than were there, or announced, at some moment within the
// last boot. That many idle machines would have spared each of them its wait. Pure but for the last minutes it remembers.
// Trap: machines that ending jobs leave serve the next ones, so jobs at a time count and not arrivals.
import type { DurationMs, EpochMs } from '../domain/units.ts';

export type SeenJobs = {
  /** Running and waiting. */
  jobs: number;
  /** Machines that look-ahead asks for at this moment. */
  announced: number;
  /** What a boot usually takes. */
  bootMs: DurationMs;
};

export type RushWatch = {
  /** Takes up a moment, later than those before; gives the rush at it. */
  see(at: EpochMs, seen: SeenJobs): number;
};

/** A watch over the last boot of jobs at a time. */
export function createRushWatch(): RushWatch {
  /** Moments of the last boot at which fewer were provided for than at any later one, oldest and least first. */
  const least: { at: EpochMs; provided: number }[] = [];
  return {
    see(at, { jobs, announced, bootMs }) {
      while ((least[0]?.at ?? at) < at - bootMs) least.shift();
      const rush = Math.max(0, jobs - (least[0]?.provided ?? jobs));
      const provided = jobs + announced;
      while ((least.at(-1)?.provided ?? -1) >= provided) least.pop();
      least.push({ at, provided });
      return rush;
    },
  };
}
