// Figures as the shell reports them; adapters/telemetry turns them into Prometheus series.
// Labels never hold ids (design §12).
import type { MachinePhase } from '../domain/machine.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { PoolSize } from '../domain/plan.ts';
import type { QueueSourceName, QueueState } from '../domain/queue.ts';
import type { ReasonCode } from '../domain/reason.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';

export type PoolGauges = {
  size: PoolSize;
  limit: number;
  paused: boolean;
  machines: Readonly<Record<MachinePhase, number>>;
  /** Machines by what the runner does with them, for the compatibility set: acquired, creating, idle, used, removing, stuck-on-removing. */
  runnerStates: Readonly<Record<string, number>>;
  /** Age of the oldest waiting create. */
  oldestWaitMs: DurationMs;
  region: string;
  zone: string;
  instanceType: string;
};

/** How a pool's job queue is seen. */
export type QueueGauges = {
  pool: string;
  /** null: no source. */
  source: QueueSourceName | null;
  state: QueueState;
  /** Age of the oldest pending job that the pool may take; 0 = none. */
  oldestMs: DurationMs;
  /** Pending jobs of a look that is too old to launch for. */
  held: number;
  /** Age of the last answer; null = none yet. */
  ageMs: DurationMs | null;
  /** Jobs whose stage is about to begin. */
  coming?: number;
  /** Part of the foretold jobs that came, since the start; null = none was foretold yet. */
  hitRate?: number | null;
};

export interface Metrics {
  pool(gauges: PoolGauges): void;
  /** A pool that left the configuration: its series go. */
  dropPool(pool: string): void;
  jobWaited(pool: string, ms: DurationMs): void;
  booted(pool: string, ms: DurationMs): void;
  provisioned(pool: string, ms: DurationMs): void;
  launched(pool: string, market: string, count: number): void;
  launchFailed(pool: string, outcome: Outcome): void;
  ended(pool: string, reason: ReasonCode): void;
  leaseEnded(pool: string, reason: ReasonCode): void;
  event(code: ReasonCode): void;
  ec2Call(action: string, outcome: string, ms: DurationMs): void;
  queue(gauges: QueueGauges): void;
  gitlabCall(what: string, outcome: string, ms: DurationMs): void;
  /** Calls a minute that may go out to a GitLab (its host), and what it says is left of its limit; null = it says nothing. */
  gitlabBudget(gitlab: string, callsPerMinute: number, remaining: number | null): void;
  tick(ms: DurationMs, at: EpochMs): void;
  tickFailed(): void;
  sourceAge(source: string, site: string, ms: DurationMs): void;
  /** Breakers by scope and kind; `until` in ms: when a closed one is tried again. */
  rests(open: readonly { scope: string; kind: string; state?: string; until?: EpochMs }[]): void;
  orphans(count: number): void;
  terminating(stuck: number): void;
  configLoaded(ok: boolean, at: EpochMs): void;
  /** Whether the store takes writes. */
  stateWritable(ok: boolean): void;
  /** What was paid for one use of machines, USD. */
  cost(pool: string, use: string, usd: number): void;
  /** What stands now, USD an hour; machines without a known price are counted, not priced. */
  running(pool: string, now: { usdPerHour: number; onDemandUsdPerHour: number; unpriced: number }): void;
  /** Things of this manager in EC2 without use, and those whose removal failed. */
  leftovers(kind: string, count: number): void;
  leftoversStuck(count: number): void;
  /** Connections of this machine to lost hosts that were closed. */
  connectionsReset(pool: string, count: number): void;
  /** Whether connections can be closed here at all. */
  canReset(ok: boolean): void;
  /** Prometheus text format 0.0.4. */
  render(): Promise<string>;
}
