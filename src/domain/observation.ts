// Everything one tick saw. The planner gets this and nothing else, so a plan can be replayed from it.
import type { PoolSpec } from './config.ts';
import type { CostBound } from './cost.ts';
import type { Instance } from './instance.ts';
import type { Launch } from './launch.ts';
import type { Lease } from './lease.ts';
import type { Machine } from './machine.ts';
import type { Place } from './offering.ts';
import type { Rest } from './outcome.ts';
import type { QueueView } from './queue.ts';
import type { DurationMs, EpochMs } from './units.ts';

/** A source with its age: fresh now, stale (last good view kept), or failed with nothing to show. */
export type Source<T> =
  | { kind: 'fresh'; value: T; at: EpochMs }
  | { kind: 'stale'; value: T; at: EpochMs; why: string }
  | { kind: 'failed'; why: string };

/** What the loop remembers of a pool between ticks; stored, so that a restart goes on with it. */
export type PoolMemory = {
  pool: string;
  /** Idle machines wanted beyond IdleCount because handed ones turned busy at once (design §5). */
  reserve: number;
  reserveAt: EpochMs;
  /** A person paused it: no launches, no retirements. */
  paused: boolean;
  /** A person drains it: no launches, no new leases, idle machines end. */
  draining: boolean;
};

export type PoolView = {
  spec: PoolSpec;
  memory: PoolMemory;
  /** 90th percentile of the boots seen, launch to ready; a default before the first. */
  bootP90Ms: DurationMs;
};

/** Calls that may go out now, by site (from the adapter's token buckets). */
export type CallBudget = {
  /** RunInstances calls. */
  launches: number;
  /** Instances that launches may bring (EC2's resource tokens). */
  instances: number;
  /** CreateFleet calls; absent where the cloud has none to give. */
  fleets?: number;
  /** RequestSpotInstances calls; absent likewise. */
  spotRequests?: number;
};

export type Observation = {
  now: EpochMs;
  pools: readonly PoolView[];
  /** The runner's `concurrent` over all pools. */
  concurrent: number;
  /** max_machines over all pools; 0 = none. */
  maxMachines: number;
  /** This installation's identity; instances of another manager are left alone. */
  owner: string;
  manager: string;
  /** Adopt other managers' machines of this owner. */
  takeover: boolean;
  /** All but `gone`. */
  machines: readonly Machine[];
  leases: readonly Lease[];
  /** Intents whose outcome is not known yet. */
  launches: readonly Launch[];
  rests: readonly Rest[];
  /** Where each pool may launch, in the order of its options; absent or null = not looked up yet. */
  places?: ReadonlyMap<string, readonly Place[] | null>;
  /** Launch calls of the last minutes that EC2 refused, with the time they were asked for. Absent = none. */
  failedLaunches?: readonly { pool: string; at: EpochMs }[];
  /** By site key: every instance that carries our owner tag, terminated ones included while EC2 shows them. */
  instances: ReadonlyMap<string, Source<readonly Instance[]>>;
  budgets: ReadonlyMap<string, CallBudget>;
  /**
   * By site key: spot requests of ours that may bring a machine and that no launch on record waits for, by pool; null: never
   * seen by this state. Absent: nobody looks at them.
   */
  strayRequests?: ReadonlyMap<string, ReadonlyMap<string, number> | null>;
  /**
   * First looks, as the plan before left them: instances of this manager without a record by their id, and what a
   * listing did not show by `absent:<machine>` and `launch:<token>`, with the listing's time; what was asked again by
   * `sent:<token>` and `end:<instance>`, with the tick's. Only orphans have no colon. Need not be stored.
   */
  orphansSeen: ReadonlyMap<string, EpochMs>;
  /** Retirements are frozen until then (after a clock jump); 0 = not frozen. */
  frozenUntil: EpochMs;
  /** Why the store takes no writes now; null or absent = it does. */
  stateTrouble?: string | null;
  /** Hash of the launch-relevant options now, by pool; a machine with another spec has drifted. null = unknown now. */
  currentSpecs: ReadonlyMap<string, string | null>;
  /** What `max_cost_per_hour` leaves; absent: no bound. */
  costs?: CostBound;
  /** Pending jobs of the queue; absent: nobody looks at one. */
  queue?: QueueView;
};
