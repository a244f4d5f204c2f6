// Configuration after parsing: frozen, units resolved, origins kept. adapters/config makes it; nothing else reads files.
// Trap: Secret values are wrapped so that neither JSON nor a log line can hold them by accident.
import type { Market } from './instance.ts';
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
  instanceType: string;
  market: Market;
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
  launch: LaunchSpec;
  host: HostSpec;
};

export type DaemonSettings = {
  owner: string;
  takeover: boolean;
  listenAddress: string;
  socket: string;
  stateDir: string;
  machineStoragePath: string;
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** Over all pools; 0 = none. */
  maxMachines: number;
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
