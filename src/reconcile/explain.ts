// Tells what a tick decided: gauges each time, log and history only when a pool's reasons changed; the last plan is kept
// for `explain`. Trap: a reason that flips each tick would fill the history, so only the set of codes is compared.

import { isBusy, type Lease } from '../domain/lease.ts';
import type { Machine, MachinePhase } from '../domain/machine.ts';
import { machinePhases } from '../domain/machine.ts';
import type { Observation } from '../domain/observation.ts';
import type { Plan, PoolSize } from '../domain/plan.ts';
import { describeReason } from '../domain/reason.ts';
import { type DurationMs, MINUTE_MS } from '../domain/units.ts';
import { stateOf } from '../planner/rest.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Journal } from '../service/journal.ts';

/** A machine that EC2 should have ended long ago: raises the gauge that alerts look at. */
const STUCK_AFTER_MS: DurationMs = 10 * MINUTE_MS;

export type Explainer = {
  explain(observation: Observation, plan: Plan): void;
  last(): Plan | null;
};

/** Counts of machines by phase. */
export function phaseCounts(machines: readonly Machine[]): Record<MachinePhase, number> {
  const counts = Object.fromEntries(machinePhases.map((phase) => [phase, 0])) as Record<MachinePhase, number>;
  for (const machine of machines) counts[machine.phase]++;
  return counts;
}

/** gitlab-runner's own words for what its machines do (compatibility metrics). */
function runnerStates(
  machines: readonly Machine[],
  leases: ReadonlyMap<string, Lease>,
  now: number,
): Record<string, number> {
  const states = { acquired: 0, creating: 0, idle: 0, used: 0, removing: 0, 'stuck-on-removing': 0 };
  for (const machine of machines) {
    const lease = machine.lease === null ? undefined : leases.get(machine.lease);
    if (machine.phase === 'terminating')
      states[now - machine.since > STUCK_AFTER_MS ? 'stuck-on-removing' : 'removing']++;
    else if (lease !== undefined)
      states[lease.state === 'held' ? (isBusy(lease, now) ? 'used' : 'idle') : 'acquired']++;
    else if (machine.phase === 'ready' || machine.phase === 'leased') states.idle++;
    else if (machine.phase !== 'draining') states.creating++;
    else states.removing++;
  }
  return states;
}

/** The explainer of one daemon. */
export function createExplainer(deps: { metrics: Metrics; journal: Journal }): Explainer {
  const { metrics, journal } = deps;
  const said = new Map<string, string>();
  let kept: Plan | null = null;

  function gauges(observation: Observation, sizes: readonly PoolSize[]): void {
    let leases: ReadonlyMap<string, Lease> | null = null;
    const byPool = Map.groupBy(observation.machines, (machine) => machine.pool);
    const waiting = Map.groupBy(
      observation.leases.filter(({ state }) => state === 'waiting'),
      ({ pool }) => pool,
    );
    const views = new Map(observation.pools.map((view) => [view.spec.id, view]));
    for (const size of sizes) {
      const view = views.get(size.pool);
      if (view === undefined) continue;
      const machines = byPool.get(size.pool) ?? [];
      const waits = waiting.get(size.pool) ?? [];
      metrics.pool({
        size,
        limit: view.spec.limit,
        paused: view.memory.paused,
        machines: phaseCounts(machines),
        // Asked for by the compatibility metrics only; a look at every machine of every pool otherwise.
        get runnerStates() {
          leases ??= new Map(observation.leases.map((lease) => [lease.name, lease]));
          return runnerStates(machines, leases, observation.now);
        },
        oldestWaitMs:
          waits.length === 0 ? 0 : observation.now - Math.min(...waits.map((lease) => lease.since)),
        region: view.spec.launch.site.region,
        zone: view.spec.launch.zone ?? '',
        instanceType: view.spec.launch.instanceType,
      });
    }
    for (const pool of said.keys()) {
      if (sizes.some((size) => size.pool === pool)) continue;
      said.delete(pool);
      metrics.dropPool(pool);
    }
    for (const [site, source] of observation.instances) {
      if (source.kind !== 'failed') metrics.sourceAge('instances', site, observation.now - source.at);
    }
    metrics.rests(
      observation.rests.flatMap((rest) => {
        const { scope, kind } = rest.outcome;
        const state = stateOf(rest, observation.now);
        return state === 'over' ? [] : [{ scope, kind, state, until: rest.until }];
      }),
    );
    const ending = observation.machines.filter((machine) => machine.phase === 'terminating');
    metrics.terminating(ending.filter((machine) => observation.now - machine.since > STUCK_AFTER_MS).length);
  }

  return {
    last: () => kept,
    explain(observation, plan) {
      kept = plan;
      gauges(observation, plan.pools);
      // Keys with a colon remember other first looks.
      metrics.orphans([...plan.orphans.keys()].filter((key) => !key.includes(':')).length);
      for (const size of plan.pools) {
        const codes = [...new Set(size.reasons.map((reason) => reason.code))].toSorted().join(' ');
        if (said.get(size.pool) === codes) continue;
        said.set(size.pool, codes);
        const [first] = size.reasons;
        if (first === undefined) continue;
        journal({
          code: first.code,
          pool: size.pool,
          level: 'info',
          text: size.reasons.map(describeReason).join('; '),
          detail: {
            wanted: size.wanted,
            busy: size.busy,
            ready: size.ready,
            coming: size.coming,
            waiting: size.waiting,
          },
        });
      }
    },
  };
}
