// What a tick decided: actions so exact that nothing is left to choose while doing them, reasons for all of it, and
// the arithmetic per pool for `explain`.
import type { Instance, Offering } from './instance.ts';
import type { PoolMemory } from './observation.ts';
import type { LaunchWay, Place } from './offering.ts';
import type { Reason, ReasonCode } from './reason.ts';
import type { DurationMs, EpochMs } from './units.ts';

export type Action =
  /**
   * One launch call, all of one market. Ids and token are already made; `demand` may use the last call tokens, idle may
   * not. `places`: where its machines may come from; absent = the pool's places of that market, once they are known.
   */
  | {
      kind: 'launch';
      pool: string;
      offering: Offering;
      places?: readonly Place[];
      way?: LaunchWay;
      machines: readonly string[];
      token: string;
      for: 'demand' | 'idle';
      reason: Reason;
    }
  /** A launch whose answer is not known is sent again with the same token. */
  | { kind: 'resend'; token: string; reason: Reason }
  /** The launch never happened or its instances are gone: settle its intent, end the machine rows that have no instance. */
  | { kind: 'forget-launch'; token: string; reason: Reason }
  /**
   * EC2 shows the instance of a requested machine (by its launch tag): it is booting now; a terminating one keeps its
   * phase and gets the id. Also for a booting machine whose address EC2 shows only now.
   */
  | { kind: 'match'; machine: string; instance: Instance; reason: Reason }
  /** Its instance has an address: start to make it a Docker host. A start already under way is not an error. */
  | { kind: 'provision'; machine: string; reason: Reason }
  /** End a machine that nobody holds; the executor asks `canRetire` again in its transaction. */
  | { kind: 'retire'; machine: string; reason: Reason }
  /** Mark a leased machine (`ending`) as not to be granted again; it ends when its lease does. */
  | { kind: 'drain'; machine: string; reason: Reason }
  /** Its instance is terminated or was never there. */
  | { kind: 'bury'; machine: string; reason: Reason }
  /**
   * Send TerminateInstances for machines in phase terminating (again, if an earlier call failed or was not seen to
   * work). Comes after the retire actions of the same plan: those that are not terminating by then are left out.
   */
  | { kind: 'terminate'; site: string; machines: readonly string[]; reason: Reason }
  /** An instance of ours without a record becomes a machine again (booting: it is provisioned anew). */
  | { kind: 'adopt'; instance: Instance; site: string; pool: string; machine: string; reason: Reason }
  /** An orphan that cannot be adopted ends. */
  | { kind: 'end-orphan'; instance: string; site: string; reason: Reason };

export type ActionKind = Action['kind'];

/** The numbers of design §5 for one pool. */
export type PoolSize = {
  pool: string;
  /** Index into schedule periods, null = base values. */
  period: number | null;
  busy: number;
  held: number;
  ready: number;
  coming: number;
  leaving: number;
  waiting: number;
  pending: number;
  wantIdle: number;
  runnerIdle: number;
  fill: number;
  demand: number;
  wanted: number;
  missing: number;
  beyond: number;
  /** What was launched, retired or held back, and why. Never empty. */
  reasons: readonly Reason[];
  /** When this pool's wanted idle changes next by its schedule. */
  nextChangeAt: EpochMs | null;
  /** What a boot usually takes (p90 seen): everything ahead of time reaches that far. */
  bootMs: DurationMs;
};

export type Plan = {
  at: EpochMs;
  actions: readonly Action[];
  pools: readonly PoolSize[];
  memories: readonly PoolMemory[];
  /** First looks to remember until the next tick, orphans and the rest: see Observation.orphansSeen. */
  orphans: ReadonlyMap<string, EpochMs>;
  /** When to look again at the latest. */
  wakeAt: EpochMs;
};

/** One line of history; the store numbers it. */
export type Event = {
  seq: number;
  at: EpochMs;
  code: ReasonCode;
  pool: string | null;
  machine: string | null;
  lease: string | null;
  /** The line a person reads. */
  text: string;
  detail: Readonly<Record<string, string | number | boolean | null>>;
};
