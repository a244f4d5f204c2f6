// The metrics port on prom-client with a registry of its own: turns what the shell reports into series.
// Counters of closed label sets begin at zero, so that the first increase is seen.
// Trap: a pool that left must take its series with it; every series with a pool label goes through `poolLabels`.
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { OutcomeKind } from '../../domain/outcome.ts';
import type { QueueSourceName } from '../../domain/queue.ts';
import { type ReasonCode, reasonTexts } from '../../domain/reason.ts';
import type { Metrics, PoolGauges, QueueGauges } from '../../ports/metrics.ts';
import { type CompatSeries, createCompatSeries } from './compat-series.ts';
import { createPoolLabels, type PoolLabels } from './pool-labels.ts';
import { defineSeries, poolSizeSeries, type Series } from './series.ts';

/** Gauges of prom-client that are named like counters; those without `_total` say the same by type. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

const outcomeKinds: Readonly<Record<OutcomeKind, true>> = {
  'insufficient-capacity': true,
  price: true,
  quota: true,
  throttled: true,
  'subnet-full': true,
  unsupported: true,
  'batch-too-big': true,
  interrupted: true,
  denied: true,
  invalid: true,
  'not-found': true,
  'token-mismatch': true,
  'boot-ended': true,
  'token-ended': true,
  protected: true,
  unknown: true,
};

/** Reasons by which machines end; counted from zero for each pool. */
const machineEnds: readonly ReasonCode[] = [
  'idle-time',
  'max-builds',
  'max-age',
  'max-life',
  'over-limit',
  'drift',
  'unhealthy',
  'boot-timeout',
  'provision-failed',
  'launch-failed',
  'launch-lost',
  'instance-gone',
  'pool-removed',
  'by-person',
  'cleanup',
  'disk-full',
  'clean-failed',
];

const leaseEnds: readonly ReasonCode[] = ['lease-ended', 'lease-dropped', 'lease-timeout', 'by-person'];

/** Ends of machines that never became ready: the runner counts them as failed creations. */
const failedCreations: ReadonlySet<ReasonCode> = new Set([
  'boot-timeout',
  'provision-failed',
  'launch-failed',
  'launch-lost',
]);

/** Everything of a pool that counts from zero. */
function presetPool(series: Series, labels: PoolLabels, pool: string): void {
  for (const histogram of [series.jobWait, series.boot, series.provision])
    histogram.zero(labels.of(histogram, { pool }));
  for (const market of ['spot', 'on-demand'])
    series.launched.inc(labels.of(series.launched, { pool, market }), 0);
  for (const outcome of Object.keys(outcomeKinds))
    series.launchFailures.inc(labels.of(series.launchFailures, { pool, outcome }), 0);
  for (const reason of machineEnds) series.ended.inc(labels.of(series.ended, { pool, reason }), 0);
  for (const reason of leaseEnds) series.leaseEnded.inc(labels.of(series.leaseEnded, { pool, reason }), 0);
}

function setPool(series: Series, labels: PoolLabels, gauges: PoolGauges): void {
  const { pool } = gauges.size;
  for (const [phase, count] of Object.entries(gauges.machines))
    series.machines.set(labels.of(series.machines, { pool, phase }), count);
  for (const [name, gauge] of series.poolFigures)
    gauge.set(labels.of(gauge, { pool }), gauges.size[poolSizeSeries[name][0]]);
  series.limit.set(labels.of(series.limit, { pool }), gauges.limit);
  series.paused.set(labels.of(series.paused, { pool }), gauges.paused ? 1 : 0);
  series.oldestWait.set(labels.of(series.oldestWait, { pool }), gauges.oldestWaitMs / 1_000);
  series.period.set(
    labels.of(series.period, { pool }),
    gauges.size.period === null ? 0 : gauges.size.period + 1,
  );
  series.nextChange.set(labels.of(series.nextChange, { pool }), (gauges.size.nextChangeAt ?? 0) / 1_000);
}

/** One gauge a reason and pool: thousands in a large installation, so only what changed since `before` is set. */
function setReasons(
  series: Series,
  labels: PoolLabels,
  { size }: PoolGauges,
  before: ReadonlySet<ReasonCode> | undefined,
): ReadonlySet<ReasonCode> {
  const current = new Set(size.reasons.map((reason) => reason.code));
  for (const reason of Object.keys(reasonTexts) as ReasonCode[])
    if (before?.has(reason) !== current.has(reason))
      series.reasons.set(labels.of(series.reasons, { pool: size.pool, reason }), current.has(reason) ? 1 : 0);
  return current;
}

const queueSources: readonly QueueSourceName[] = ['rest', 'graphql', 'instance', 'metrics'];

function setQueue(series: Series, labels: PoolLabels, gauges: QueueGauges): void {
  const { pool } = gauges;
  for (const source of queueSources)
    series.queueSource.set(labels.of(series.queueSource, { pool, source }), source === gauges.source ? 1 : 0);
  // Off: nobody asked for a queue, or nothing was looked at yet. A token that never worked leaves no source and is missed.
  const isSeen = gauges.state === 'fresh' || gauges.state === 'off';
  series.queueFresh.set(labels.of(series.queueFresh, { pool }), isSeen ? 1 : 0);
  series.queueOldest.set(labels.of(series.queueOldest, { pool }), gauges.oldestMs / 1_000);
  series.queueHeld.set(labels.of(series.queueHeld, { pool }), gauges.held);
  series.queueComing.set(labels.of(series.queueComing, { pool }), gauges.coming ?? 0);
  if (gauges.hitRate !== undefined && gauges.hitRate !== null)
    series.lookaheadHits.set(labels.of(series.lookaheadHits, { pool }), gauges.hitRate);
  series.queueAge.set(labels.of(series.queueAge, { pool }), (gauges.ageMs ?? 0) / 1_000);
}

type PoolMetrics = Pick<
  Metrics,
  | 'pool'
  | 'dropPool'
  | 'jobWaited'
  | 'booted'
  | 'provisioned'
  | 'launched'
  | 'launchFailed'
  | 'ended'
  | 'leaseEnded'
  | 'queue'
  | 'connectionsReset'
  | 'cost'
  | 'running'
>;

function poolMetrics(series: Series, compat: CompatSeries | null): PoolMetrics {
  const labels = createPoolLabels();
  /** The reasons that each pool shows now. */
  const shown = new Map<string, ReadonlySet<ReasonCode>>();
  return {
    pool: (gauges) => {
      const { pool } = gauges.size;
      if (!shown.has(pool)) presetPool(series, labels, pool);
      shown.set(pool, setReasons(series, labels, gauges, shown.get(pool)));
      setPool(series, labels, gauges);
      compat?.pool(gauges);
    },
    dropPool: (pool) => {
      labels.drop(pool);
      shown.delete(pool);
      compat?.dropPool(pool);
    },
    jobWaited: (pool, ms) => {
      series.jobWait.observe(labels.of(series.jobWait, { pool }), ms / 1_000);
      compat?.count(pool, 'used');
    },
    booted: (pool, ms) => {
      series.boot.observe(labels.of(series.boot, { pool }), ms / 1_000);
      compat?.count(pool, 'created');
      compat?.created(ms);
    },
    provisioned: (pool, ms) => {
      series.provision.observe(labels.of(series.provision, { pool }), ms / 1_000);
    },
    launched: (pool, market, count) => {
      series.launched.inc(labels.of(series.launched, { pool, market }), count);
    },
    launchFailed: (pool, outcome) => {
      series.launchFailures.inc(labels.of(series.launchFailures, { pool, outcome: outcome.kind }));
    },
    ended: (pool, reason) => {
      series.ended.inc(labels.of(series.ended, { pool, reason }));
      compat?.count(pool, failedCreations.has(reason) ? 'creation-failed' : 'removed');
    },
    cost: (pool, use, usd) => {
      series.cost.inc(labels.of(series.cost, { pool, use }), usd);
    },
    running: (pool, { usdPerHour, onDemandUsdPerHour, unpriced }) => {
      series.running.set(labels.of(series.running, { pool }), usdPerHour);
      series.runningOnDemand.set(labels.of(series.runningOnDemand, { pool }), onDemandUsdPerHour);
      series.unpriced.set(labels.of(series.unpriced, { pool }), unpriced);
    },
    connectionsReset: (pool, count) => {
      series.resets.inc(labels.of(series.resets, { pool }), count);
    },
    queue: (gauges) => setQueue(series, labels, gauges),
    leaseEnded: (pool, reason) => {
      series.leaseEnded.inc(labels.of(series.leaseEnded, { pool, reason }));
    },
  };
}

function daemonMetrics(series: Series): Omit<Metrics, keyof PoolMetrics | 'render'> {
  return {
    event: (reason) => {
      series.events.inc({ reason });
    },
    ec2Call: (action, outcome, ms) => {
      series.ec2Calls.inc({ action, outcome });
      series.ec2Seconds.observe({ action }, ms / 1_000);
    },
    gitlabCall: (call, outcome, ms) => {
      series.gitlabCalls.inc({ call, outcome });
      series.gitlabSeconds.observe({ call }, ms / 1_000);
    },
    gitlabBudget: (gitlab, callsPerMinute, remaining) => {
      series.gitlabBudget.set({ gitlab }, callsPerMinute);
      if (remaining !== null) series.gitlabLeft.set({ gitlab }, remaining);
    },
    tick: (ms, at) => {
      series.tick.observe(ms / 1_000);
      series.lastTick.set(at / 1_000);
    },
    tickFailed: () => {
      series.tickFailures.inc();
    },
    sourceAge: (source, site, ms) => {
      series.sourceAge.set({ source, site }, ms / 1_000);
    },
    rests: (open) => {
      series.rests.reset();
      series.breakers.reset();
      series.nextTry.reset();
      const next = new Map<string, number>();
      for (const { scope, kind, state = 'closed', until } of open) {
        series.breakers.inc({ scope, kind, state });
        if (state !== 'closed') continue;
        series.rests.inc({ scope, kind });
        const key = `${scope} ${kind}`;
        if (until === undefined || until >= (next.get(key) ?? Number.POSITIVE_INFINITY)) continue;
        next.set(key, until);
        series.nextTry.set({ scope, kind }, until / 1_000);
      }
    },
    orphans: (count) => {
      series.orphans.set(count);
    },
    terminating: (stuck) => {
      series.stuck.set(stuck);
    },
    configLoaded: (ok, at) => {
      series.configOk.set(ok ? 1 : 0);
      series.configAt.set(at / 1_000);
      series.configReads.inc({ outcome: ok ? 'accepted' : 'refused' });
    },
    stateWritable: (ok) => {
      series.stateWritable.set(ok ? 1 : 0);
    },
    leftovers: (kind, count) => {
      series.leftovers.set({ kind }, count);
    },
    leftoversStuck: (count) => {
      series.leftoversStuck.set(count);
    },
    canReset: (ok) => {
      series.canReset.set(ok ? 1 : 0);
    },
  };
}

/** The daemon's metrics. `compat` adds the runner's families; `version` is shown in `hostler_build_version_info`. */
export function createMetrics(options: { compat: boolean; version?: string }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const series = defineSeries(registry);
  const compat = options.compat ? createCompatSeries(registry) : null;

  for (const reason of Object.keys(reasonTexts)) series.events.inc({ reason }, 0);
  for (const outcome of ['accepted', 'refused']) series.configReads.inc({ outcome }, 0);
  series.stateWritable.set(1);
  series.tick.zero({});
  series.build.set({ version: options.version ?? 'unknown', node: process.version }, 1);

  return {
    ...poolMetrics(series, compat),
    ...daemonMetrics(series),
    render: () => {
      compat?.refresh();
      return registry.metrics();
    },
  };
}
