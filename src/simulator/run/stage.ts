// The stage of a run: EC2, hosts, GitLab, a runner with its doors, and hostler's daemon over its disk, all in one virtual time.
// It only builds and connects; what happens on it is the workload's, the faults' and the checkers' business.
import type { Ports } from '../../assemble.ts';
import type { Config, PoolSpec } from '../../domain/config.ts';
import type { DurationMs, EpochMs } from '../../domain/units.ts';
import { createEventQueues } from '../../emulator/event-queues.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { createGitlab, type Gitlab } from '../../sim/gitlab/gitlab.ts';
import type { SimInstance } from '../../sim/instance.ts';
import { createRunner, type Runner } from '../../sim/runner/runner.ts';

import type { RunnerOdds } from '../../sim/runner/runner-settings.ts';
import { createSeeded, type Seeded } from '../../sim/seeded.ts';
import { createVirtualTimeline, type VirtualTimeline } from '../../sim/timeline.ts';
import { createWorld, realTiming, type World } from '../../sim/world.ts';
import { createMemoryDisk } from '../daemon/memory-disk.ts';
import type { Point } from '../daemon/process-life.ts';
import type { Said } from '../daemon/quiet-ports.ts';
import type { CloudHooks } from '../daemon/sim-cloud.ts';
import { createSimDaemon, type SimDaemon } from '../daemon/sim-daemon.ts';
import { createSimKeys } from '../daemon/sim-keys.ts';
import { WEBHOOK_MS } from '../daemon/sim-queue.ts';
import { createSimDoor } from '../door/sim-door.ts';
import { createStoreFolder, type StoreFolder } from '../door/store-folder.ts';
import { createHostPark, type HostPark } from '../hosts/host-park.ts';
import type { HostTrouble, SimHost } from '../hosts/sim-host.ts';
import { createSimJobHosts, type SimJobHosts } from '../hosts/sim-job-hosts.ts';
import type { WallClock } from '../time/virtual-clock.ts';
import { type RunnerWay, runnerSettings } from './runner-file.ts';

/** What a run hooks into; each has a default that does nothing. */
export type StageHooks = CloudHooks & {
  onClean(host: SimHost): void;
  falls(point: Point): boolean;
  isUnreadable(): boolean;
  isDeaf(): boolean;
  fate(instance: SimInstance): HostTrouble | null;
  doorKilledAfter(verb: string): DurationMs | null;
  onAsk(name: string): void;
  onCreate(name: string, made: boolean, ms: DurationMs): void;
  /** A host ends itself, by its own timer. */
  onShutDown(instance: SimInstance): void;
  /** The queue's gauges, each round. */
  onQueue: Metrics['queue'];
  said: Said;
  died(error: string): void;
  onStart(ports: Ports): void;
};

export type StageOptions = {
  startAt: EpochMs;
  seed: number;
  config: Config;
  way: RunnerWay;
  /** Launch to a host that answers. */
  bootMs: DurationMs;
  /** PEM for the keys (`prepareSimKeys`). */
  pem: string;
  odds?: Partial<RunnerOdds>;
  /** Ms from a claim's Docker call to the job's script. */
  prepareMs?: DurationMs;
  hooks?: Partial<StageHooks>;
};

export type Stage = {
  timeline: VirtualTimeline;
  world: World;
  park: HostPark;
  folder: StoreFolder;
  gitlab: Gitlab;
  runner: Runner;
  jobHosts: SimJobHosts;
  daemon: SimDaemon;
  wall: WallClock;
  random: Seeded;
  config(): Config;
  /** A new configuration for both, as after an edit of the file. */
  change(config: Config): void;
  /** The runner's file asks for a drain at the next stop. */
  drainRunner(): void;
};

/** The runner's own numbers for a drain (facts L). */
const DRAIN = { concurrency: 3, maxRetries: 3, retryBackoffMs: 5_000 };
const STORE = '/home/gitlab-runner/.docker/machine';

const noHooks: StageHooks = {
  trouble: () => null,
  onCall: () => undefined,
  onTerminate: () => undefined,
  onLaunch: () => undefined,
  onClean: () => undefined,
  falls: () => false,
  isUnreadable: () => false,
  isDeaf: () => false,
  fate: () => null,
  doorKilledAfter: () => null,
  onAsk: () => undefined,
  onCreate: () => undefined,
  onShutDown: () => undefined,
  onQueue: () => undefined,
  said: () => undefined,
  died: () => undefined,
  onStart: () => undefined,
};

/** EC2 with its hosts. */
function createCloudSide(options: StageOptions, timeline: VirtualTimeline, hooks: StageHooks) {
  const park = createHostPark({
    timeline,
    random: createSeeded(options.seed + 11),
    fate: hooks.fate,
    shutDown(instance) {
      hooks.onShutDown(instance);
      world.region(instance.zone.slice(0, -1)).unaskedEnds.hostOff(instance);
    },
  });
  const world = createWorld({
    timeline,
    seed: options.seed,
    strict: false,
    timing: {
      ...realTiming,
      bootMs: options.bootMs,
      pendingMs: Math.min(realTiming.pendingMs, options.bootMs * 0.6),
    },
    addresses: park.addresses,
    hosts: { hostUp: (instance) => park.up(instance), hostDown: (instance) => park.down(instance) },
  });
  return { world, park };
}

/** GitLab with one runner of it for each pool. */
function createGitlabSide(options: StageOptions, timeline: VirtualTimeline) {
  const gitlab = createGitlab({ timeline, seed: options.seed + 21 });
  gitlab.addProject();
  const runners = new Map(
    options.config.pools.map((pool) => {
      const tags = options.config.pools.length > 1 ? [pool.id] : [];
      return [pool.id, gitlab.addRunner({ tags, runUntagged: tags.length === 0 }).id] as const;
    }),
  );
  return { gitlab, runners };
}

type Sides = ReturnType<typeof createCloudSide> & {
  timeline: VirtualTimeline;
  wall: WallClock;
  folder: StoreFolder;
  gitlab: Gitlab;
  /** GitLab's number of each pool's runner. */
  runners: ReadonlyMap<string, number>;
  /** What the file says at this moment. */
  config(): Config;
};

/** hostler's daemon and its doors, over one disk, one keys folder and one store folder. */
function createHostlerSide(options: StageOptions, hooks: StageHooks, sides: Sides) {
  const { seed, pem } = options;
  const keys = createSimKeys(createSeeded(seed + 31), pem);
  const { config, runners, gitlab, timeline } = sides;
  const numbered = (pool: PoolSpec): PoolSpec =>
    pool.queue === undefined
      ? pool
      : { ...pool, queue: { ...pool.queue, runnerId: runners.get(pool.id) ?? null } };
  const daemon = createSimDaemon({
    ...hooks,
    ...sides,
    events: createEventQueues(sides.world, timeline),
    disk: createMemoryDisk(),
    keys,
    random: createSeeded(seed + 41),
    config: () => ({
      ...config(),
      pools: config().pools.map(numbered),
      settings: { ...config().settings, machineStoragePath: STORE },
    }),
    cloud: hooks,
  });
  gitlab.on(({ job }) => {
    const isTold = job.status === 'pending' && config().pools.some(({ queue }) => queue?.webhook != null);
    if (isTold) timeline.after(WEBHOOK_MS, () => daemon.hook(job.project));
  });
  const isOf = (token: string) => (pool: PoolSpec) =>
    pool.namePrefixes.some((prefix) => prefix.startsWith(`runner-${token}-`));
  const tool = createSimDoor({
    ...sides,
    socket: daemon.socket,
    killedAfter: hooks.doorKilledAfter,
    onAsk: hooks.onAsk,
    onCreate: hooks.onCreate,
    optionsOf(section) {
      const pool = config().pools.find(isOf(section));
      return { driver: pool?.machineDriver ?? 'amazonec2', options: pool?.options ?? [] };
    },
  });
  return { daemon, tool };
}

/** Sets the stage; the daemon and the runner are not started yet. */
export function createStage(options: StageOptions): Stage {
  const hooks = { ...noHooks, ...options.hooks };
  const { seed, way, prepareMs, odds } = options;
  let file = options.config;
  let drains = false;
  const config = () => file;
  const timeline = createVirtualTimeline(options.startAt);
  const wall: WallClock = { aheadMs: 0 };
  const { world, park } = createCloudSide(options, timeline, hooks);
  const { gitlab, runners } = createGitlabSide(options, timeline);
  const folder = createStoreFolder(STORE, hooks.isDeaf);
  const settings = () => ({ ...runnerSettings(file, runners, way), drain: drains ? DRAIN : null });
  const { daemon, tool } = createHostlerSide(options, hooks, {
    world,
    park,
    timeline,
    wall,
    folder,
    gitlab,
    runners,
    config,
  });
  const jobHosts = createSimJobHosts({
    timeline,
    park,
    folder,
    ...(prepareMs === undefined ? {} : { prepareMs }),
  });
  const runner = createRunner({
    timeline,
    seed: seed + 51,
    gitlab,
    tool,
    hosts: jobHosts,
    settings: settings(),
    ...(odds === undefined ? {} : { odds }),
  });
  return {
    timeline,
    world,
    park,
    folder,
    gitlab,
    runner,
    jobHosts,
    daemon,
    wall,
    random: createSeeded(seed + 61),
    config,
    change(next) {
      file = next;
      runner.settings(settings());
      daemon.reload();
    },
    drainRunner() {
      drains = true;
      runner.settings(settings());
    },
  };
}
