// The rush of unannounced jobs: how many more jobs are there now than were there, or announced, at some moment within the
// last boot. That many idle machines would have spared each of them its wait. Pure but for the last minutes it remembers.
// Trap: machines that ending jobs leave serve the next ones, so jobs at a time count and not arrivals; where each machine
// serves one job only, arrivals count.
import type { DurationMs, EpochMs } from '../domain/units.ts';

export type SeenJobs = {
  /** Running and waiting. */
  jobs: number;
  /** Machines that look-ahead asks for at this moment. */
  announced: number;
  /** What a boot usually takes. */
  bootMs: DurationMs;
  /** Ending jobs leave their machines to others. */
  reuses: boolean;
};

export type RushWatch = {
  /** Takes up a moment, later than those before; gives the rush at it. */
  see(at: EpochMs, seen: SeenJobs): number;
};

/** A watch over the last boot of jobs at a time. */
export function createRushWatch(): RushWatch {
  /** Moments of the last boot at which fewer were provided for than at any later one, oldest and least first. */
  const least: { at: EpochMs; provided: number }[] = [];
  let [before, arrived] = [0, 0];
  return {
    see(at, { jobs, announced, bootMs, reuses }) {
      while ((least[0]?.at ?? at) < at - bootMs) least.shift();
      arrived += Math.max(0, jobs - before);
      before = jobs;
      const needed = reuses ? jobs : arrived;
      const rush = Math.max(0, needed - (least[0]?.provided ?? needed));
      const provided = needed + announced;
      while ((least.at(-1)?.provided ?? -1) >= provided) least.pop();
      least.push({ at, provided });
      return rush;
    },
  };
}
