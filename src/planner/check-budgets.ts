// Rules of the call budgets that no plan may break: calls, instances, failing launches, open spot requests. Part of
// check.ts, and as independent of the planner's own counting.
// Trap: do not import the planner's steps here.
import type { CallBudget, Observation } from '../domain/observation.ts';
import type { Action, Plan } from '../domain/plan.ts';

export type Launched = Extract<Action, { kind: 'launch' }>;

type BudgetCase = {
  seen: Observation;
  plan: Plan;
  launches: readonly Launched[];
  say: (breach: string) => void;
};

const KEPT_FOR_DEMAND = 2;
const A_MINUTE_MS = 60_000;
/** Accounts were locked out at some 60. */
const MOST_OPEN_REQUESTS = 20;

/** Machines that these launches ask for, of one pool or of all. */
export function ordered(launches: readonly Launched[], pool?: string): number {
  return launches.reduce(
    (sum, launch) => sum + (pool === undefined || launch.pool === pool ? launch.machines.length : 0),
    0,
  );
}

/** Calls and instances stay within what each site's buckets hold. */
export function checkBudgets({ seen, plan, launches, say }: BudgetCase): void {
  const siteOf = new Map(seen.pools.map(({ spec }) => [spec.id, spec.launch.site.key]));
  const sites = new Set(siteOf.values());
  const resent = plan.actions.flatMap((action) => (action.kind === 'resend' ? [action.token] : []));
  for (const site of sites) {
    const budget: CallBudget = seen.budgets.get(site) ?? { launches: 0, instances: 0 };
    const own = launches.filter(({ pool }) => siteOf.get(pool) === site);
    const again = seen.launches.filter(
      (launch) => launch.site === site && resent.includes(launch.token),
    ).length;
    const byBucket = Map.groupBy(own, ({ way }) => bucketOf(budget, way));
    for (const [bucket, calls] of byBucket) {
      const all = calls.length + (bucket === 'launches' ? again : 0);
      const most = budget[bucket] ?? 0;
      if (all > Math.max(0, most)) say(`more launch calls at ${site} than its budget of ${most}`);
      if (calls.some((launch) => launch.for === 'idle') && all > most - KEPT_FOR_DEMAND)
        say(`idle machines at ${site} take the calls kept for jobs`);
    }
    if (ordered(own) > Math.max(0, budget.instances))
      say(`more instances at ${site} than its budget of ${budget.instances}`);
  }
}

function bucketOf(budget: CallBudget, way: Launched['way']): keyof CallBudget {
  if (way === 'fleet' && budget.fleets !== undefined) return 'fleets';
  return way === 'spot-request' && budget.spotRequests !== undefined ? 'spotRequests' : 'launches';
}

/** Failing launches stay rare, and open spot requests few, whatever else is planned. */
export function checkFailures({ seen, launches, say }: BudgetCase): void {
  for (const { spec } of seen.pools) {
    const more = launches.filter(({ pool }) => pool === spec.id).length;
    if (more === 0) continue;
    const failed = (seen.failedLaunches ?? []).filter(
      ({ pool, at }) => pool === spec.id && seen.now - at < A_MINUTE_MS,
    ).length;
    if (failed + more > spec.failedLaunchesPerMinute)
      say(`${more} more launch calls for ${spec.id}, of which ${failed} failed within the minute`);
  }
  const asked = launches.filter(({ way }) => way === 'spot-request');
  if (asked.length === 0) return;
  const tokens = new Set(
    seen.launches.filter(({ request }) => request.way === 'spot-request').map(({ token }) => token),
  );
  const open = seen.machines.filter(({ instance, launch }) => instance === null && tokens.has(launch)).length;
  if (open + ordered(asked) > MOST_OPEN_REQUESTS)
    say(`${open + ordered(asked)} open spot requests, at most ${MOST_OPEN_REQUESTS} may be`);
}
