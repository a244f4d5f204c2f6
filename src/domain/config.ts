// Configuration after parsing: frozen, units resolved, origins kept. adapters/config makes it; nothing else reads files.
// Trap: Secret values are wrapped so that neither JSON nor a log line can hold them by accident.
import type { Market } from './instance.ts';
import type { TemplateOverride } from './launch.ts';
import type { InstanceNeeds, LaunchWay } from './offering.ts';
import type { PriceTable } from './price.ts';
import type { QueueSettings } from './queue.ts';
import type { DurationMs } from './units.ts';

/** A value that must not be printed. `reveal()` is called only where it is used. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '[secret]';
  }
  toJSON(): string {
    return '[secret]';
  }
}

/** IdleCount and its companions as one period gives them (facts/runner-seam.md: the policy). */
export type IdlePolicy = {
  idleCount: number;
  idleCountMin: number;
  /** 0 = off. */
  idleScaleFactor: number;
  idleTimeMs: DurationMs;
};

/** One `[[runners.machine.autoscaling]]` section. Periods are normalised to 7 fields (second first, year last). */
export type Period = IdlePolicy & {
  cron: readonly string[];
  /** As written in the file, for messages. */
  written: readonly string[];
  /** IANA name; 'Local' already resolved. */
  timezone: string;
};

/** Base values and the sections that replace them; the last section that holds wins. */
export type Schedule = { base: IdlePolicy; periods: readonly Period[] };

/** One account and region behind one endpoint: pools with equal sites share clients, listings and call budgets. */
export type CloudSite = {
  /** Region, endpoint and account's number: stable over a rotation of keys; holds no secret. */
  key: string;
  region: string;
  endpoint: string | null;
  credentials:
    | { kind: 'static'; accessKeyId: string; secretAccessKey: Secret; sessionToken: Secret | null }
    | { kind: 'chain' };
  assumeRoleArn: string | null;
};

/** How a pool's instances are launched: the `amazonec2-*` options with docker-machine's meaning and defaults. */
export type LaunchSpec = {
  site: CloudSite;
  /** `ami-…`, `resolve:ssm:NAME`, or null for the current Ubuntu LTS. */
  ami: string | null;
  vpcId: string | null;
  /** Full zone name, or null: the subnet's. */
  zone: string | null;
  subnetId: string | null;
  /** Group names, as docker-machine takes them; `sg-…` ids pass as they are. */
  securityGroups: readonly string[];
  securityGroupReadonly: boolean;
  /** `port/proto` beside SSH and Docker. */
  openPorts: readonly string[];
  tags: Readonly<Record<string, string>>;
  /** The first of `instanceTypes`; `by-need` with `needs`. */
  instanceType: string;
  /** Types to choose from, in the order of the options; empty with `needs`. */
  instanceTypes: readonly string[];
  /** Types by need; EC2 is asked which they are. null = by name. */
  needs: InstanceNeeds | null;
  /** Subnets to choose from; empty: as `subnetId`, VPC and zone say. */
  subnetIds: readonly string[];
  /** The first of `markets`. */
  market: Market;
  /** Markets that machines may come from, the preferred one first. */
  markets: readonly Market[];
  way: 'auto' | LaunchWay;
  /** A launch template of the user's, by name, and the fields that given options put over it. */
  template: { name: string; overrides: readonly TemplateOverride[] } | null;
  /** null = no cap (up to the on-demand price). */
  maxPriceUsd: string | null;
  /** null: as the AMI names its root device. */
  deviceName: string | null;
  rootSizeGb: number;
  volumeType: string;
  volumeEncrypted: boolean;
  volumeKmsKey: string | null;
  iamInstanceProfile: string | null;
  keypairName: string | null;
  monitoring: boolean;
  ebsOptimized: boolean;
  privateAddressOnly: boolean;
  usePrivateAddress: boolean;
  /** The user's own user data: raw bytes of the file, base64; null = none. */
  userData: string | null;
  metadataTokens: 'required' | 'optional';
  metadataHopLimit: number;
};

/** When machines come on demand in a pool that prefers spot. */
export type OnDemandRule =
  | { kind: 'never' }
  /** For jobs that have waited `fallbackAfterMs` for a spot machine. */
  | { kind: 'when-short' }
  /** Always that share of the pool's machines, 1 to 100. */
  | { kind: 'share'; percent: number }
  /** Always the pool's first so many machines. */
  | { kind: 'base'; count: number };

/** What EC2's advice to rebalance comes to: nothing, no new lease, or no new lease and a new machine ahead. */
export type RebalanceRule = 'ignore' | 'drain' | 'replace';

/** How hostler reaches and dresses the host. */
export type HostSpec = {
  sshUser: string;
  sshPort: number;
  /** Private key file given by `amazonec2-ssh-keypath`; null = the manager's own key. */
  sshKeyPath: string | null;
  dockerPort: number;
  engineInstallUrl: string;
  engineOptions: readonly string[];
  engineEnv: readonly string[];
  engineLabels: readonly string[];
  engineRegistryMirrors: readonly string[];
  engineInsecureRegistries: readonly string[];
  /** null: overlay2 by Docker's own choice. */
  engineStorageDriver: string | null;
  tlsSans: readonly string[];
  prepull: readonly string[];
  waitUserData: boolean;
};

export type PoolSpec = {
  /** Slug of the runner's name, made unique; stable over token rotation. */
  id: string;
  runnerName: string;
  /** Prefixes that machine names of this section start with, e.g. `runner-abc123def-gitlab-docker-machine-`. */
  namePrefixes: readonly string[];
  /** MachineOptions through `comparableOptions`: the second way to match a create. */
  options: readonly string[];
  machineDriver: string;
  /** The runner's `limit`; 0 = none. */
  limit: number;
  /** From the runner's file: what the runner itself will ask for (R). */
  runnerSchedule: Schedule;
  /** Ours where given, else the same (I). */
  ownSchedule: Schedule;
  /** 0 = no bound. */
  maxBuilds: number;
  /** MaxGrowthRate or max_coming; 0 = no bound. */
  maxComing: number;
  createWaitMs: DurationMs;
  bootTimeoutMs: DurationMs;
  /** 0 = none. */
  maxAgeMs: DurationMs;
  maxMachineLifeMs: DurationMs;
  deadManMs: DurationMs;
  onDemand: OnDemandRule;
  /** Unmet demand of this age may be met on demand (`when-short`). */
  fallbackAfterMs: DurationMs;
  rebalance: RebalanceRule;
  /** Launch calls that may fail within a minute before the pool waits. */
  failedLaunchesPerMinute: number;
  /** URL of an SQS queue with EC2's events about this pool's instances; null = none. */
  interruptionQueue: string | null;
  launch: LaunchSpec;
  host: HostSpec;
  /** `[runners.hostler.queue]`; absent: no queue is looked at. */
  queue?: QueueSettings;
};

export type DaemonSettings = {
  owner: string;
  takeover: boolean;
  listenAddress: string;
  socket: string;
  stateDir: string;
  /** `file`: below keys/ of the state folder; `ssm:/PATH`: SecureString parameters below that path. */
  keys: string;
  machineStoragePath: string;
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** Over all pools; 0 = none. */
  maxMachines: number;
  /** USD an hour over all pools; 0 = no bound. */
  maxCostPerHour: number;
  /** On-demand prices of the user's own file, which go before the ones hostler brings; null = none. */
  prices: PriceTable | null;
  /** The runner's own /metrics on this machine, from its file's listen_address; null = it has none. */
  runnerMetrics: string | null;
  /** `gitlab_runner_autoscaling_*` beside our own metrics (facts/peers.md §2a). */
  compatMetrics: boolean;
};

/** Something `check` says. Errors refuse the file; warnings do not. */
export type ConfigIssue = {
  severity: 'error' | 'warning';
  /** Stable short name, e.g. `idle-above-limit`. */
  code: string;
  message: string;
  /** `file:line:column` where known. */
  where: string | null;
  /** Dotted key, e.g. `runners[0].machine.IdleCount`. */
  key: string | null;
  pool: string | null;
};

/** One effective value for `hostler config`. Secrets are already replaced. */
export type ConfigValue = {
  key: string;
  value: string | number | boolean | null | readonly string[];
  origin: 'environment' | 'file' | 'runner-file' | 'default';
  where: string | null;
};

export type Config = {
  settings: DaemonSettings;
  /** The runner's `concurrent`; bounds jobs over all pools, never idle machines. */
  concurrent: number;
  pools: readonly PoolSpec[];
  /** Files that were read: a change in one of them triggers a reload. */
  files: readonly string[];
  warnings: readonly ConfigIssue[];
  values: readonly ConfigValue[];
};

/** Options whose values are secrets. */
const secretOption = /^amazonec2-(access-key|secret-key|session-token)(=|$)/;

/** Create options in a form in which two lists can be compared: trimmed, sorted, without secrets. */
export function comparableOptions(options: readonly string[]): string[] {
  return options
    .map((option) => option.trim())
    .filter((option) => !secretOption.test(option))
    .toSorted();
}
