// Ports in, running parts out: the loop, the lease service, the mailbox, the host watch. Used by the daemon and by
// anything that runs hostler on other ports. Must not make an adapter or read a file.
import { dockerUrl, machineFiles } from './contract/machine-files.ts';
import type { Config } from './domain/config.ts';
import type { Machine } from './domain/machine.ts';
import type { Plan } from './domain/plan.ts';
import { type DurationMs, SECOND_MS } from './domain/units.ts';
import type { Clock } from './ports/clock.ts';
import type { Cloud } from './ports/cloud.ts';
import type { Connections } from './ports/connections.ts';
import type { Docker, DockerHost, DockerTls } from './ports/docker.ts';
import type { Hosts } from './ports/host.ts';
import type { Keys } from './ports/keys.ts';
import type { Log } from './ports/log.ts';
import type { Metrics } from './ports/metrics.ts';
import type { QueuePorts } from './ports/queue.ts';
import type { Random } from './ports/random.ts';
import type { RunnerFigures } from './ports/runner-figures.ts';
import type { RunnerStore } from './ports/runner-store.ts';
import type { Store } from './ports/store.ts';
import { type Background, createBackground } from './reconcile/background.ts';
import type { Loop } from './reconcile/loop.ts';
import { createReconciler, type Reconciler, type SpotPorts } from './reconcile/reconciler.ts';
import { type SourceState, seesAll, sourcesOf } from './reconcile/sources.ts';
import { takeUp } from './reconcile/take-up.ts';
import { createAbandonedLeases } from './service/abandoned-leases.ts';
import { cleanUp } from './service/cleanup.ts';
import { type CurrentConfig, createCurrentConfig } from './service/current-config.ts';
import { createForeignMachines } from './service/foreign-machines.ts';
import { createGhostFolders } from './service/ghost-folders.ts';
import { createHostAccess } from './service/host-access.ts';
import { createHousekeeping, type Housekeeping } from './service/housekeeping.ts';
import { createJournal, type Journal } from './service/journal.ts';
import { createLeases, type Leases } from './service/leases.ts';
import { createLostHosts, type LostHosts } from './service/lost-hosts.ts';
import { createMailbox } from './service/mailbox.ts';
import type { OwnClient } from './service/own-client.ts';
import { switchPools } from './service/pool-switches.ts';
import { findHolder } from './service/relearn-leases.ts';
import { reloadConfig } from './service/reload.ts';
import { createStuckJobs } from './service/stuck-jobs.ts';
import { createSweep } from './service/sweep.ts';
import { createUnknownFolders } from './service/unknown-folders.ts';
import { createUseCases, type UseCases } from './service/use-cases.ts';
import { waitReason } from './service/wait-reason.ts';
import { createWaitingLine, type WaitingLine } from './service/waiting-line.ts';
import { createHostWatch, NOTE_GOOD_MS } from './service/watch-hosts.ts';
import { createQueueWatch, type QueueWatch } from './service/watch-queue.ts';

/** The first tick waits for the first look at EC2, but not for ever: creates must not wait for a broken listing. */
const FIRST_LOOK_MS: DurationMs = 10 * SECOND_MS;

export type Ports = SpotPorts & {
  store: Store;
  cloud: Cloud;
  hosts: Hosts;
  docker: Docker;
  keys: Keys;
  runnerStore: RunnerStore;
  runnerFigures: RunnerFigures;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
  /** Absent: no job queue is looked at. */
  queue?: QueuePorts;
  /** Absent: connections to lost hosts are left alone. */
  connections?: Connections;
};

export type Parts = {
  useCases: UseCases;
  leases: Leases;
  loop: Loop;
  journal: Journal;
  /** null: no job queue is looked at. */
  queue: QueueWatch | null;
  /** Reads the configuration again; throws when it is refused. */
  reload(why: string): Promise<string>;
  /** Runs everything until the signal aborts; resolves when all background work has ended. */
  run(signal: AbortSignal): Promise<void>;
  /** For status and health: what EC2 showed, by site. */
  sources(): SourceState[];
};

export type AssembleInput = {
  ports: Ports;
  config: Config;
  loadConfig(): Promise<Config>;
  /** A new configuration is in force: its files may be others. */
  reloaded(config: Config): void;
  /** uuid of the state folder (the `hostler:manager` tag). */
  manager: string;
  /** The manager's own SSH key file, for people's `docker-machine ssh`. */
  userKeyPath: string;
  /** PEM of the authority, read once at start. */
  authority: string;
  /** The manager's own client certificate for its looks at hosts; without one each machine's own is used. */
  ownClient?: OwnClient;
  /** What only the process knows, for `status`. */
  process: Parameters<typeof createUseCases>[0]['process'];
  stop: AbortSignal;
};

/** What all parts share. `late` closes the circle: leases wake the loop, the loop's work hands out leases. */
type Context = Omit<AssembleInput, 'config'> & {
  config: CurrentConfig;
  journal: Journal;
  line: WaitingLine;
  background: Background;
  /** The machine's own certificates, as its folder gets them. */
  tlsOf(machine: Machine): DockerTls | null;
  /** Where the manager reaches its Docker. */
  hostOf(machine: Machine): DockerHost | null;
  paths(): readonly string[];
  lost: LostHosts;
  queue: QueueWatch | null;
  late: { leases: Leases; loop: Loop; lastPlan(): Plan | null };
};

function createContext(input: AssembleInput): Context {
  const { store, clock, log, metrics } = input.ports;
  const config = createCurrentConfig(input.config, clock.now());
  const background = createBackground(log);
  const late = {} as Context['late'];
  const journal = createJournal({ store, log, metrics, clock });
  const nudge = () => late.loop.nudge();
  const { queue: ports, ...common } = input.ports;
  const lateCalls = { leases: () => late.leases, lastPlan: () => late.lastPlan() };
  const queued = { ...common, config, journal, nudge, ...lateCalls };
  const queue = ports ? createQueueWatch({ ...queued, ports }, input.stop) : null;
  return {
    ...input,
    config,
    journal,
    queue,
    line: createWaitingLine(),
    paths: () => [...new Set([config.get().settings.machineStoragePath, ...store.stores()])],
    background,
    late,
    lost: createLostHosts({
      ...input.ports,
      stop: input.stop,
      leases: () => late.leases,
      track: background.track,
    }),
    ...createHostAccess({ store, config, authority: input.authority, ownClient: input.ownClient }),
  };
}

type Core = Reconciler & { housekeeping: Housekeeping };

function buildReconciler(context: Context): Core {
  const { ports, config, journal, line, manager, stop, hostOf, paths, late } = context;
  const { track } = context.background;
  const grantReady = (pool: string) => late.leases.grantReady(pool);
  const loseHost = (name: string, why: string) => context.lost.lose(name, 'instance-gone', why);
  const folders = createUnknownFolders({ ...ports, paths });
  const holderOf = (id: string) => findHolder({ ...ports, hostOf, paths, folders }, id);
  const acts = { manager, hostOf, grantReady, loseHost, holderOf, paths, folders, line, track, stop };
  const { queue } = context;
  const queueView = queue === null ? {} : { queueView: queue.view };
  const deps = { ...ports, config, journal, ...acts, ...queueView };
  const reconciler = createReconciler(deps);
  late.loop = reconciler.loop;
  late.lastPlan = () => reconciler.explainer.last();
  return { ...reconciler, housekeeping: createHousekeeping({ ...deps, ...reconciler }) };
}

function buildLeases(context: Context, { cleaner, explainer, proof }: Reconciler): Leases {
  const { ports, config, journal, line, stop, late } = context;
  const { store, clock, log, metrics, runnerStore } = ports;
  late.leases = createLeases({
    store,
    config,
    clock,
    log,
    journal,
    metrics,
    line,
    runnerStore,
    startCleaning: (machine, job) => cleaner.start(machine, job),
    isOpen: (machine) => proof.isOpen(machine),
    isStopping: () => stop.aborted,
    nudge: () => late.loop.nudgeForDemand(),
    waitReason: (pool) => waitReason({ store, config, clock, lastPlan: () => explainer.last() }, pool),
    filesFor(lease, machine) {
      const pool = config.pool(machine.pool);
      const tls = context.tlsOf(machine);
      if (pool === null || machine.address === null || tls === null)
        throw new Error(`machine ${machine.id} has no certificates`);
      const sshKeyPath = pool.host.sshKeyPath ?? context.userKeyPath;
      const healthyUntil = clock.now() + NOTE_GOOD_MS;
      const files = machineFiles({
        name: lease.name,
        store: lease.store,
        machine,
        pool,
        tls,
        sshKeyPath,
        healthyUntil,
      });
      return { url: dockerUrl(machine.address, pool.host.dockerPort), files };
    },
  });
  return late.leases;
}

function buildUseCases(context: Context, core: Core, leases: Leases, reload: Parts['reload']): UseCases {
  const { ports, config, journal, line, manager, stop } = context;
  const { store, clock, cloud } = ports;
  const { nudge, observer, explainer, actor } = core;
  const { owner } = config.get().settings;
  const drainPools = () => void switchPools({ store, config, journal, nudge }, 'drain', null);
  const { lose: loseHost, tell: tellGone } = context.lost;
  const cleanupDeps = { store, cloud, clock, journal, owner, manager, drainPools, nudge, tellGone };
  return createUseCases({
    store,
    config,
    clock,
    journal,
    leases,
    line,
    lastPlan: () => explainer.last(),
    queueStatus: () => context.queue?.status(clock.now()) ?? [],
    retireNow: (ids, code) => actor.retireNow(ids, code),
    loseHost,
    process: context.process,
    leaks: () => core.housekeeping.leaks(),
    cost: (by, since) => core.housekeeping.cost(by, since),
    reload: () => reload('asked for'),
    cleanup: (allManagers) => cleanUp(cleanupDeps, observer.sites(), allManagers),
    isStopping: () => stop.aborted,
    nudge,
  });
}

/** What runs beside the loop, each until its signal aborts. The mailbox is named: it is read once before the first tick. */
function buildWatchers(context: Context, core: Core, useCases: UseCases) {
  const { ports, config, journal, hostOf, paths, late } = context;
  const { nudge, observer } = core;
  const shared = { ...ports, config, journal, hostOf, leases: late.leases, nudge };
  const home = () => config.get().settings.machineStoragePath;
  const retireByPerson = (machine: string) => void useCases.retire(machine, false);
  const isOurs = (id: string) =>
    ports.store.machines().some(({ instance, phase }) => instance === id && phase !== 'gone');
  const endForeign = createForeignMachines({ ...shared, sites: () => observer.sites(), isOurs });
  const mailbox = createMailbox({ ...shared, home, endForeign, retireByPerson });
  const abandoned = createAbandonedLeases(shared);
  const ghosts = createGhostFolders({ ...shared, paths, seesAll: () => seesAll(core) });
  const stuck = createStuckJobs({ ...shared, figures: ports.runnerFigures });
  const watch = createHostWatch(shared);
  const sweep = createSweep(shared);
  const queue = context.queue ?? { run: async () => undefined };
  const kept = core.housekeeping.watchers;
  return {
    mailbox,
    all: [mailbox, watch, abandoned, ghosts, stuck, sweep, late.loop, queue, ...core.watches, ...kept],
  };
}

/** Builds all parts of one daemon; nothing runs before `run`. */
export function assemble(input: AssembleInput): Parts {
  const context = createContext(input);
  const { ports, config, journal, background } = context;
  const { store, clock, metrics } = ports;
  const core = buildReconciler(context);
  const leases = buildLeases(context, core);
  const load = () => input.loadConfig();
  const reload = async (why: string) => {
    const said = await reloadConfig({ config, store, clock, metrics, journal, load, nudge: core.nudge }, why);
    input.reloaded(config.get());
    return said;
  };
  const useCases = buildUseCases(context, core, leases, reload);
  const watchers = buildWatchers(context, core, useCases);
  return {
    useCases,
    leases,
    queue: context.queue,
    loop: core.loop,
    journal,
    reload,
    sources: () => sourcesOf(core, context.queue?.states(clock.now()) ?? []),
    async run(signal) {
      takeUp(store, clock.now());
      await watchers.mailbox.read();
      const proving = core.proof.run(signal);
      const looks = core.observer.sites().map((site) => core.sightings.sweep(site).catch(() => undefined));
      await Promise.race([Promise.all(looks), clock.sleep(FIRST_LOOK_MS, signal)]);
      core.actor.resume();
      core.cleaner.resume();
      await Promise.all([proving, ...watchers.all.map((watcher) => watcher.run(signal))]);
      await background.settled();
      await core.cleaner.settled();
    },
  };
}
