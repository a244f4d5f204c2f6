// Defines hostler's own Prometheus series: names, help, labels, buckets. docs/metrics.md lists each (a test compares).
// Labels never hold ids. Trap: renaming a series breaks dashboards; add a new one and keep the old for a version.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Seconds. From a hand-over out of the pool (a tenth of a second) over one boot (30 to 120 s) to create_wait (600 s). */
const waitBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600];

/** Seconds. EC2 hosts boot in 15 to 120 s (facts of EC2); boot_timeout ends them at minutes. */
const bootBuckets = [5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 180, 240, 300, 600];

/** Seconds. Provisioning takes 1 to 2 s with Docker there, up to minutes when it is installed. */
const provisionBuckets = [0.5, 1, 1.5, 2, 3, 5, 8, 13, 20, 40, 80, 160, 320];

/** Seconds. EC2 answers in 0.1 to 2 s; time limits end calls at tens of seconds. */
const callBuckets = [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30];

/** Seconds. A plan takes milliseconds; a slow source can hold a tick for its time limit. */
const tickBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The figures of one pool's plan: series name after `hostler_pool_` → field of PoolSize and help. */
export const poolSizeSeries = {
  busy_machines: ['busy', 'Machines that a job uses'],
  held_machines: ['held', 'Machines that the runner holds idle'],
  ready_machines: ['ready', 'Machines that may be handed over now'],
  coming_machines: ['coming', 'Machines on their way: requested, booting, provisioning'],
  leaving_machines: ['leaving', 'Machines on their way out'],
  waiting_creates: ['waiting', 'Creates that wait for a machine'],
  pending_jobs: ['pending', 'Jobs of the queue that this pool may take'],
  fill_machines: ['fill', 'Waiting creates by which the runner only fills its own idle machines'],
  demand_machines: ['demand', 'Machines needed by jobs now'],
  wanted_machines: ['wanted', 'Machines the pool wants in all'],
  wanted_idle_machines: ['wantIdle', 'Idle machines wanted by the period in force, the reserve included'],
  runner_idle_machines: ['runnerIdle', 'Idle machines that the runner itself asks for'],
  missing_machines: ['missing', 'Machines short of what is wanted'],
  beyond_machines: ['beyond', 'Machines beyond what is wanted'],
} as const;

export type PoolSizeSeries = keyof typeof poolSizeSeries;

/** Makers of series in one registry. */
function makersFor(registry: Registry) {
  const registers = [registry];
  return {
    gauge: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Gauge<L>({ name, help, labelNames, registers }),
    counter: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Counter<L>({ name, help, labelNames, registers }),
    histogram: <L extends string>(
      name: string,
      help: string,
      shape: { labelNames: readonly L[]; buckets: number[] },
    ) => new Histogram<L>({ name, help, ...shape, registers }),
  };
}

type Makers = ReturnType<typeof makersFor>;

function poolSeries({ gauge }: Makers) {
  const figure = (name: PoolSizeSeries) =>
    [name, gauge(`hostler_pool_${name}`, poolSizeSeries[name][1], ['pool'])] as const;
  return {
    machines: gauge('hostler_pool_machines', 'Machines by phase', ['pool', 'phase']),
    poolFigures: (Object.keys(poolSizeSeries) as PoolSizeSeries[]).map((name) => figure(name)),
    limit: gauge('hostler_pool_limit_machines', "The runner's limit; 0 = none", ['pool']),
    paused: gauge('hostler_pool_paused_state', '1 while a person has paused the pool', ['pool']),
    oldestWait: gauge('hostler_pool_oldest_wait_seconds', 'Age of the oldest waiting create', ['pool']),
    period: gauge(
      'hostler_pool_period_number',
      'Autoscaling period in force, counted from 1; 0 = base values',
      ['pool'],
    ),
    nextChange: gauge(
      'hostler_pool_next_change_timestamp_seconds',
      'When the wanted idle machines change next by the schedule; 0 = never',
      ['pool'],
    ),
    reasons: gauge('hostler_pool_reason_state', '1 while the last plan gave this reason', ['pool', 'reason']),
  };
}

function lifeSeries({ counter, histogram }: Makers) {
  return {
    jobWait: histogram('hostler_job_wait_seconds', 'From need (queued or create) to the host handed over', {
      labelNames: ['pool'],
      buckets: waitBuckets,
    }),
    boot: histogram('hostler_machine_boot_seconds', 'From the launch call to a ready machine', {
      labelNames: ['pool'],
      buckets: bootBuckets,
    }),
    provision: histogram(
      'hostler_machine_provision_seconds',
      'From the first SSH session to a ready machine',
      { labelNames: ['pool'], buckets: provisionBuckets },
    ),
    launched: counter('hostler_launch_instances_total', 'Instances that EC2 launched', ['pool', 'market']),
    launchFailures: counter('hostler_launch_failures_total', 'Launch calls that failed, by outcome', [
      'pool',
      'outcome',
    ]),
    ended: counter('hostler_machine_ends_total', 'Machines that ended, by reason', ['pool', 'reason']),
    leaseEnded: counter('hostler_lease_ends_total', 'Leases that ended, by reason', ['pool', 'reason']),
  };
}

function queueSeries({ gauge, counter, histogram }: Makers) {
  return {
    queueSource: gauge(
      'hostler_queue_source_state',
      '1 for the source that a pool reads its job queue from',
      ['pool', 'source'],
    ),
    queueFresh: gauge(
      'hostler_queue_fresh_state',
      '1 while the job queue of a pool is seen; 0 = it should be and is not',
      ['pool'],
    ),
    queueOldest: gauge(
      'hostler_queue_oldest_job_seconds',
      'Age of the oldest pending job that the pool may take; 0 = none',
      ['pool'],
    ),
    queueComing: gauge(
      'hostler_queue_coming_jobs',
      'Jobs whose stage is about to begin, where lookahead is on',
      ['pool'],
    ),
    lookaheadHits: gauge(
      'hostler_queue_lookahead_hit_ratio',
      'Part of the jobs foretold by lookahead that came, since the start',
      ['pool'],
    ),
    queueHeld: gauge(
      'hostler_queue_held_jobs',
      'Pending jobs of a look too old to launch for: what stands for them is kept',
      ['pool'],
    ),
    queueAge: gauge('hostler_queue_answer_age_seconds', 'Age of the last good answer of the job queue', [
      'pool',
    ]),
    gitlabCalls: counter('hostler_gitlab_calls_total', 'Calls to GitLab, by what was asked and outcome', [
      'call',
      'outcome',
    ]),
    gitlabSeconds: histogram('hostler_gitlab_call_seconds', 'Time of calls to GitLab', {
      labelNames: ['call'],
      buckets: callBuckets,
    }),
    gitlabBudget: gauge(
      'hostler_gitlab_budget_calls',
      'Calls to GitLab a minute that hostler allows itself',
      ['gitlab'],
    ),
    gitlabLeft: gauge(
      'hostler_gitlab_remaining_calls',
      "What GitLab's RateLimit-Remaining last said; no value while it says nothing",
      ['gitlab'],
    ),
  };
}

function daemonSeries({ gauge, counter, histogram }: Makers) {
  return {
    events: counter('hostler_events_total', 'Events of the history, by reason', ['reason']),
    ec2Calls: counter('hostler_ec2_calls_total', 'EC2 and SSM calls, by action and outcome', [
      'action',
      'outcome',
    ]),
    ec2Seconds: histogram('hostler_ec2_call_seconds', 'Time of EC2 and SSM calls', {
      labelNames: ['action'],
      buckets: callBuckets,
    }),
    tick: histogram('hostler_tick_duration_seconds', 'Time of one round of the loop', {
      labelNames: [],
      buckets: tickBuckets,
    }),
    lastTick: gauge('hostler_tick_last_timestamp_seconds', 'When the loop last finished a round', []),
    tickFailures: counter('hostler_tick_failures_total', 'Rounds of the loop that failed', []),
    sourceAge: gauge('hostler_source_age_seconds', 'Age of the last good answer of a source', [
      'source',
      'site',
    ]),
    rests: gauge(
      'hostler_rests_open_entries',
      'Offerings, markets, pools and accounts that rest after failures',
      ['scope', 'kind'],
    ),
    breakers: gauge(
      'hostler_breakers_state_entries',
      'Breakers by state: closed, half-open (one probe comes next), marked (others are taken first)',
      ['scope', 'kind', 'state'],
    ),
    nextTry: gauge(
      'hostler_breakers_next_try_timestamp_seconds',
      'When the first of the closed ones is tried again; unix time',
      ['scope', 'kind'],
    ),
    orphans: gauge('hostler_orphans_seen_instances', 'Instances of this manager without a record', []),
    stuck: gauge(
      'hostler_terminations_stuck_machines',
      'Machines whose termination EC2 has not shown to work',
      [],
    ),
    stateWritable: gauge('hostler_state_writable_state', '1 while the state folder takes writes', []),
    cost: counter('hostler_cost_paid_usd_total', 'What machines have cost, by use: boot, idle, held, job', [
      'pool',
      'use',
    ]),
    running: gauge('hostler_cost_running_usd_per_hour', 'What the machines that stand cost an hour', [
      'pool',
    ]),
    runningOnDemand: gauge('hostler_cost_on_demand_usd_per_hour', 'What they would cost an hour on demand', [
      'pool',
    ]),
    unpriced: gauge('hostler_cost_unpriced_machines', 'Machines that stand without a known price', ['pool']),
    leftovers: gauge('hostler_leftovers_found_items', 'Things of this manager in EC2 without use', ['kind']),
    leftoversStuck: gauge(
      'hostler_leftovers_stuck_items',
      'Things without use that could not be removed',
      [],
    ),
    resets: counter('hostler_connections_reset_total', 'Open connections to lost hosts that were closed', [
      'pool',
    ]),
    canReset: gauge(
      'hostler_connections_reset_state',
      '1 while connections to lost hosts can be closed here',
      [],
    ),
    configOk: gauge(
      'hostler_config_accepted_state',
      '1 when the last read of the configuration was accepted',
      [],
    ),
    configAt: gauge('hostler_config_read_timestamp_seconds', 'When the configuration was last read', []),
    configReads: counter('hostler_config_reads_total', 'Reads of the configuration, by outcome', ['outcome']),
    build: gauge('hostler_build_version_info', 'Always 1; the running version', ['version', 'node']),
  };
}

/** Makes hostler's own series in a registry. */
export function defineSeries(registry: Registry) {
  const makers = makersFor(registry);
  return { ...poolSeries(makers), ...lifeSeries(makers), ...queueSeries(makers), ...daemonSeries(makers) };
}

export type Series = ReturnType<typeof defineSeries>;
