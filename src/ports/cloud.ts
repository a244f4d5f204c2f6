// EC2 in our words. SDK types stop at adapters/aws; the emulated and the real cloud both stand behind the same adapter.
// Trap: a failed listing throws; an empty one means that EC2 said "none". Never turn one into the other.
import type { CloudSite, LaunchSpec } from '../domain/config.ts';
import type { Instance } from '../domain/instance.ts';
import type { LaunchRequest, ResolvedLaunch } from '../domain/launch.ts';
import type { CallBudget } from '../domain/observation.ts';
import type { Outcome } from '../domain/outcome.ts';

export type { ResolvedLaunch };

/** TCP ports of a host that security groups let the manager in to. */
export type HostPorts = { ssh: number; docker: number };

export type LaunchAnswer =
  /** At least one instance. `short` = how many of `count` EC2 did not give. */
  | { kind: 'launched'; instances: readonly Instance[]; short: number }
  | { kind: 'refused'; outcome: Outcome }
  /** The answer was lost: it may have happened. Ask again with the same token. */
  | { kind: 'unknown'; outcome: Outcome };

export type TerminateAnswer =
  | { instance: string; kind: 'accepted' }
  | { instance: string; kind: 'failed'; outcome: Outcome };

export interface Cloud {
  /**
   * Looks up AMI, root device, security groups and subnet. Throws HostlerError `cloud-refused` with the outcome's words;
   * `outcomeOf` gives the outcome. `hostPorts`: what the manager must reach on a host (default 22 and 2376).
   */
  resolve(spec: LaunchSpec, signal: AbortSignal, hostPorts?: HostPorts): Promise<ResolvedLaunch>;
  /** One RunInstances call, one attempt. Never throws. */
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
  /** Console output of a failed boot, or null while EC2 has none. Never throws. */
  consoleOutput(site: CloudSite, instance: string, signal: AbortSignal): Promise<string | null>;
  /** Calls that may go out now. */
  budget(site: CloudSite): CallBudget;
  /** Calls sent so far by action, for metrics and proofs. */
  calls(): Readonly<Record<string, number>>;
}
