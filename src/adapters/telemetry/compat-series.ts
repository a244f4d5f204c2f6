// The runner's own docker+machine series (`gitlab_runner_autoscaling_*`), so that old dashboards live on.
// Opt-in: two targets with the same families would double every sum. Targets are filled, where the runner leaves them empty.
// Trap: hostler ends and stops differently, so three of the histograms stand at zero (docs/metrics.md says why).
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { PoolGauges } from '../../ports/metrics.ts';

const constant = { executor: 'docker+machine' } as const;
const targets = ['target_zone', 'target_region', 'target_project', 'target_machine_type'] as const;

/** What the runner counts, and the states it tells apart. */
const actions = ['created', 'creation-failed', 'used', 'removed'] as const;
const states = ['acquired', 'creating', 'idle', 'used', 'removing', 'stuck-on-removing'] as const;

/** Seconds: 30 × 1.25^n, as the runner has them. */
const creationBuckets = Array.from({ length: 10 }, (_, n) => 30 * 1.25 ** n);

/** Seconds, as the runner has them. */
const removalBuckets = [1, 3, 5, 10, 30, 50, 60, 80, 90, 120];

export type CompatAction = (typeof actions)[number];
export type CompatSeries = {
  pool(gauges: PoolGauges): void;
  dropPool(pool: string): void;
  count(pool: string, action: CompatAction): void;
  created(ms: number): void;
  /** Adds the pools' states up; pools may share a target. */
  refresh(): void;
};

const targetOf = (gauges: PoolGauges | undefined) => ({
  ...constant,
  target_zone: gauges?.zone ?? '',
  target_region: gauges?.region ?? '',
  target_project: '',
  target_machine_type: gauges?.instanceType ?? '',
});

/** Makes the six families in a registry. */
export function createCompatSeries(registry: Registry): CompatSeries {
  const registers = [registry];
  const prefix = 'gitlab_runner_autoscaling_';
  const actionsTotal = new Counter({
    name: `${prefix}actions_total`,
    help: 'The total number of actions executed by the provider.',
    labelNames: ['executor', 'action', ...targets],
    registers,
  });
  const machineStates = new Gauge({
    name: `${prefix}machine_states`,
    help: 'The current number of machines per state in this provider.',
    labelNames: ['executor', 'state', ...targets],
    registers,
  });
  const histogram = (name: string, help: string, buckets: number[]) => {
    const made = new Histogram({
      name: `${prefix}${name}`,
      help,
      labelNames: ['executor'],
      buckets,
      registers,
    });
    made.zero(constant);
    return made;
  };
  const creation = histogram(
    'machine_creation_duration_seconds',
    'Histogram of machine creation time.',
    creationBuckets,
  );
  histogram('machine_stopping_duration_seconds', 'Histogram of machine stopping time.', removalBuckets);
  histogram('machine_removal_duration_seconds', 'Histogram of machine removal time.', removalBuckets);
  histogram(
    'machine_failed_creation_duration_seconds',
    'Histogram of machine failed creation timings.',
    removalBuckets,
  );

  const pools = new Map<string, PoolGauges>();
  return {
    pool: (gauges) => {
      const isNew = !pools.has(gauges.size.pool);
      pools.set(gauges.size.pool, gauges);
      if (isNew) for (const action of actions) actionsTotal.inc({ action, ...targetOf(gauges) }, 0);
    },
    dropPool: (pool) => {
      pools.delete(pool);
    },
    count: (pool, action) => {
      actionsTotal.inc({ action, ...targetOf(pools.get(pool)) });
    },
    created: (ms) => {
      creation.observe(constant, ms / 1_000);
    },
    refresh: () => {
      machineStates.reset();
      for (const gauges of pools.size > 0 ? pools.values() : [undefined])
        for (const state of states)
          machineStates.inc({ state, ...targetOf(gauges) }, gauges?.runnerStates[state] ?? 0);
    },
  };
}
