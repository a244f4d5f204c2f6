// Several settings, each policy at each of them, and the cheapest that keeps the wait. Deterministic: ties go to the setting
// that comes first.
import type { Config } from '../../domain/config.ts';
import type { PolicyFigures, PolicyRun } from './figures.ts';
import { type Frame, type PolicyName, runPolicy } from './run-policy.ts';
import { type Settings, withSettings } from './settings.ts';

export type Tried = { settings: Settings; run: PolicyRun };

/** Keeps the wait: 95 of 100 jobs have a host within it, none goes without. */
export function keepsWait({ wait_s, jobs_unserved }: PolicyFigures, waitP95S: number): boolean {
  return wait_s.p95 <= waitP95S && jobs_unserved === 0;
}

/** The cheapest that keeps the wait; without a wait to keep, the cheapest; null when none keeps it. */
export function cheapest(tried: readonly Tried[], waitP95S: number | null): Tried | null {
  const fit = tried.filter(({ run }) => waitP95S === null || keepsWait(run.figures, waitP95S));
  return fit.reduce<Tried | null>(
    (best, one) => (best === null || one.run.figures.cost_usd < best.run.figures.cost_usd ? one : best),
    null,
  );
}

/** Runs the policy at each setting, in order. Courses of all but one would fill the memory: they are dropped. */
export async function sweep(
  policy: PolicyName,
  config: Config,
  order: {
    frame: Frame;
    points: readonly Settings[];
    waitP95S: number | null;
    told?: (tried: Tried, index: number) => void;
    progress?: (share: number) => void;
  },
): Promise<Tried[]> {
  const { frame, points, waitP95S, told, progress } = order;
  const tried: Tried[] = [];
  for (const [index, settings] of points.entries()) {
    const share = (of: number) => progress?.((index + of) / points.length);
    const run = await runPolicy(policy, withSettings(config, settings), frame, share);
    const one = { settings, run };
    tried.push(one);
    told?.(one, index);
    const best = cheapest(tried, waitP95S) ?? tried[0];
    for (const each of tried) if (each !== best) each.run = { ...each.run, course: [] };
  }
  return tried;
}
