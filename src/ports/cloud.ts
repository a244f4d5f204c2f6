// EC2 in our words. SDK types stop at adapters/aws; the emulated and the real cloud both stand behind the same adapter.
// Trap: a failed listing throws; an empty one means that EC2 said "none". Never turn one into the other.
import type { CloudSite, LaunchSpec } from '../domain/config.ts';
import type { Instance, Offering } from '../domain/instance.ts';
import type { LaunchRequest, ResolvedLaunch } from '../domain/launch.ts';
import type { Leftover } from '../domain/leftover.ts';
import type { CallBudget } from '../domain/observation.ts';
import type { Outcome, Refusal } from '../domain/outcome.ts';
import type { Price, PriceTable } from '../domain/price.ts';
import type { SpotRequest } from '../domain/spot-request.ts';
import type { DurationMs } from '../domain/units.ts';

export type { ResolvedLaunch };

/** TCP ports of a host that security groups let the manager in to. */
export type HostPorts = { ssh: number; docker: number };

export type LaunchAnswer =
  /**
   * Instances, or open requests that may bring some. `short` = how many of `count` are neither. Instances of a fleet
   * may come without addresses: listings bring them.
   */
  | {
      kind: 'launched';
      instances: readonly Instance[];
      short: number;
      /** Offerings that gave nothing or too little; absent = none. */
      refusals?: readonly Refusal[];
      /**
       * `spot-request` only: ids of requests that are open. Their instances appear in `listSpotRequests`, without tags
       * until `tagInstances`. Absent = none.
       */
      requests?: readonly string[];
    }
  /** Nothing came of it. `outcome` is the one that reaches furthest; a fleet tells each offering's in `refusals`. */
  | { kind: 'refused'; outcome: Outcome; refusals?: readonly Refusal[] }
  /** The answer was lost: it may have happened. Ask again with the same token. */
  | { kind: 'unknown'; outcome: Outcome };

export type TerminateAnswer =
  | { instance: string; kind: 'accepted' }
  | { instance: string; kind: 'failed'; outcome: Outcome };

/** What became of the end of a spot request or of a leftover. */
export type RemovalAnswer = { id: string; kind: 'done' } | { id: string; kind: 'failed'; outcome: Outcome };

export interface Cloud {
  /**
   * Looks up AMI, root device, security groups, and the places that types, subnets and markets come to. Throws
   * HostlerError `cloud-refused` with the outcome's words; `outcomeOf` gives the outcome. `hostPorts`: what the manager
   * must reach on a host (default 22 and 2376).
   */
  resolve(spec: LaunchSpec, signal: AbortSignal, hostPorts?: HostPorts): Promise<ResolvedLaunch>;
  /** One launch call by the request's way, one attempt. Never throws. */
  launch(
    site: CloudSite,
    order: { token: string; count: number; request: LaunchRequest },
    signal: AbortSignal,
  ): Promise<LaunchAnswer>;
  /** In batches; one bad id does not block the rest. Never throws. */
  terminate(
    site: CloudSite,
    instances: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly TerminateAnswer[]>;
  /** Every instance with this owner tag, all pages. Throws when any page fails. */
  list(site: CloudSite, owner: string, signal: AbortSignal): Promise<readonly Instance[]>;
  /** Instances in transition only (`launch` tags given), for the short period after launches. Throws when a page fails. */
  listLaunches(site: CloudSite, tokens: readonly string[], signal: AbortSignal): Promise<readonly Instance[]>;
  /** Every spot request with this owner tag, ended ones of the last hours included, all pages. Throws when a page fails. */
  listSpotRequests(site: CloudSite, owner: string, signal: AbortSignal): Promise<readonly SpotRequest[]>;
  /**
   * Ends requests; their instances run on, so cancel before terminating. One that is over counts as done; one that EC2
   * does not know failed as `not-found`, since a new one may be unknown for seconds: only a listing proves its end.
   * Never throws.
   */
  cancelSpotRequests(
    site: CloudSite,
    requests: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly RemovalAnswer[]>;
  /** Tags instances that came of a spot request, which EC2 leaves untagged. Throws `cloud-refused`. */
  tagInstances(
    site: CloudSite,
    instances: readonly string[],
    tags: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Prices now by `offeringKey`: spot from EC2's price history (remembered for minutes), on-demand from `own` and the
   * table that hostler brings. null = unknown. A look-up that fails leaves the last prices; throws `cloud-refused` when
   * there are none.
   */
  prices(
    site: CloudSite,
    asked: { offerings: readonly Offering[]; own: PriceTable | null },
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Price | null>>;
  /** Volumes without an instance, open spot requests, launch templates of this owner. Throws when a page fails. */
  listLeftovers(site: CloudSite, owner: string, signal: AbortSignal): Promise<readonly Leftover[]>;
  /** Deletes or cancels them; what is gone already counts as done. Never throws. */
  removeLeftovers(
    site: CloudSite,
    leftovers: readonly Leftover[],
    signal: AbortSignal,
  ): Promise<readonly RemovalAnswer[]>;
  /** Console output of a failed boot, or null while EC2 has none. Never throws. */
  consoleOutput(site: CloudSite, instance: string, signal: AbortSignal): Promise<string | null>;
  /**
   * How far EC2's clock is ahead of ours, in ms, as its answers say; to a second or two, 0 before the first answer. For
   * times that EC2 judges: those of a manager whose clock is off are refused as past.
   */
  clockAhead(site: CloudSite): DurationMs;
  /** Calls that may go out now. */
  budget(site: CloudSite): CallBudget;
  /** Calls sent so far by action, for metrics and proofs. */
  calls(): Readonly<Record<string, number>>;
}
