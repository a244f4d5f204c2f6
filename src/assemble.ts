// Ports in, running parts out: the loop, the lease service, the mailbox, the host watch. Used by the daemon and by
// anything that runs hostler on other ports. Must not make an adapter or read a file.

import { machineFiles } from './contract/machine-files.ts';
import type { CloudSite, Config } from './domain/config.ts';
import type { Machine } from './domain/machine.ts';
import { moveMachine } from './domain/machine.ts';
import type { Clock } from './ports/clock.ts';
import type { Cloud } from './ports/cloud.ts';
import type { Docker, DockerHost } from './ports/docker.ts';
import type { Hosts } from './ports/host.ts';
import type { Keys } from './ports/keys.ts';
import type { Log } from './ports/log.ts';
import type { Metrics } from './ports/metrics.ts';
import type { Random } from './ports/random.ts';
import type { RunnerStore } from './ports/runner-store.ts';
import type { Store } from './ports/store.ts';
import { createActor } from './reconcile/act.ts';
import type { ActDeps } from './reconcile/act-deps.ts';
import { createExplainer } from './reconcile/explain.ts';
import { createHostCleaner } from './reconcile/host-cleaner.ts';
import { createLoop, type Loop } from './reconcile/loop.ts';
import { createObserver } from './reconcile/observe.ts';
import { createResolver } from './reconcile/resolver.ts';
import { createSightings } from './reconcile/sightings.ts';
import { cleanUp } from './service/cleanup.ts';
import { createCurrentConfig } from './service/current-config.ts';
import { createJournal, type Journal } from './service/journal.ts';
import { createLeases, type Leases } from './service/leases.ts';
import { createMailbox } from './service/mailbox.ts';
import { reloadConfig } from './service/reload.ts';
import { createUseCases, type UseCases } from './service/use-cases.ts';
import { waitReason } from './service/wait-reason.ts';
import { createWaitingLine } from './service/waiting-line.ts';
import { createHostWatch, NOTE_GOOD_MS } from './service/watch-hosts.ts';

/** Leases are swept this often: time limits and signs of life have a grain of seconds. */
const SWEEP_EVERY_MS = 1_000;

export type Ports = {
  store: Store;
  cloud: Cloud;
  hosts: Hosts;
  docker: Docker;
  keys: Keys;
  runnerStore: RunnerStore;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
};

export type Parts = {
  useCases: UseCases;
  leases: Leases;
  loop: Loop;
  journal: Journal;
  /** Reads the configuration again; throws when it is refused. */
  reload(why: string): Promise<string>;
  /** Runs everything until the signal aborts; resolves when all background work has ended. */
  run(signal: AbortSignal): Promise<void>;
  /** For status and health: what EC2 showed, by site. */
  sources(): { source: string; state: 'fresh' | 'stale' | 'failed'; at: number | null; why: string | null }[];
};

export type AssembleInput = {
  ports: Ports;
  config: Config;
  loadConfig(): Promise<Config>;
  /** uuid of the state folder (the `hostler:manager` tag). */
  manager: string;
  /** PEM of the authority, read once at start. */
  authority: string;
  /** What only the process knows, for `status`. */
  process: Parameters<typeof createUseCases>[0]['process'];
  stop: AbortSignal;
};

/** The machine a crash left in the middle of provisioning begins again: its steps are idempotent. */
function resetProvisioning(store: Store, now: number): void {
  for (const machine of store.machines()) {
    if (machine.phase === 'provisioning') store.putMachine(moveMachine(machine, 'booting', now));
  }
}

/** Builds all parts of one daemon; nothing runs before `run`. */
export function assemble(input: AssembleInput): Parts {
  const { ports, manager, authority, stop } = input;
  const { store, clock, log, metrics, cloud, docker } = ports;
  const config = createCurrentConfig(input.config, clock.now());
  const journal = createJournal({ store, log, metrics, clock });
  const line = createWaitingLine();
  const background = new Set<Promise<void>>();
  const nudge = () => loop.nudge();

  function track(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) => log.error('background work failed', { error: String(error).slice(0, 300) }))
      .finally(() => background.delete(settled));
    background.add(settled);
  }

  function hostOf(machine: Machine): DockerHost | null {
    const tls = store.machineTls(machine.id);
    if (tls === null || machine.address === null) return null;
    const port = config.pool(machine.pool)?.host.dockerPort ?? 2376;
    return { address: machine.address, port, tls: { ca: authority, ...tls } };
  }

  const sightings = createSightings(
    { cloud, clock, owner: () => config.get().settings.owner, changed: nudge },
    stop,
  );
  const resolver = createResolver({ cloud, clock, changed: nudge }, stop);
  const observer = createObserver({ store, config, clock, cloud, sightings, resolver, manager });
  const explainer = createExplainer({ metrics, journal });
  const grantReady = (pool: string) => leases.grantReady(pool);
  const cleaner = createHostCleaner(
    { store, config, docker, clock, journal, hostOf, grantReady, nudge },
    stop,
  );
  const actDeps: ActDeps = {
    ...ports,
    config,
    journal,
    sightings,
    resolver,
    manager,
    site: (key) => observer.site(key),
    hostOf,
    grantReady,
    nudge,
    track,
    stop,
  };
  const actor = createActor(actDeps);
  const loop = createLoop({
    observer,
    actor,
    explainer,
    clock,
    random: ports.random,
    keys: ports.keys,
    log,
    metrics,
    dropGone: (before) => store.dropGone(before),
  });
  const leases = createLeases({
    store,
    config,
    clock,
    journal,
    metrics,
    line,
    runnerStore: ports.runnerStore,
    startCleaning: (machine) => cleaner.start(machine),
    isStopping: () => stop.aborted,
    nudge: () => loop.nudgeForDemand(),
    waitReason: (pool) => waitReason({ store, clock, lastPlan: () => explainer.last() }, pool),
    filesFor(lease, machine) {
      const pool = config.pool(machine.pool);
      const host = hostOf(machine);
      if (pool === null || host === null) throw new Error(`machine ${machine.id} has no certificates`);
      const healthyUntil = clock.now() + NOTE_GOOD_MS;
      const files = machineFiles({
        name: lease.name,
        store: lease.store,
        machine,
        pool,
        tls: host.tls,
        sshKeyPath: pool.host.sshKeyPath,
        healthyUntil,
      });
      return { url: `tcp://${host.address}:${host.port}`, files };
    },
  });
  const reload = (why: string) =>
    reloadConfig({ config, store, clock, metrics, journal, load: input.loadConfig, nudge }, why);
  const sites = (): readonly CloudSite[] => observer.sites();
  const useCases = createUseCases({
    store,
    config,
    clock,
    journal,
    leases,
    line,
    lastPlan: () => explainer.last(),
    retireNow: (ids, code) => actor.retireNow(ids, code),
    process: input.process,
    reload: () => reload('asked for'),
    cleanup: (allManagers) =>
      cleanUp(
        { store, cloud, clock, journal, owner: config.get().settings.owner, manager, nudge },
        sites(),
        allManagers,
      ),
    isStopping: () => stop.aborted,
    nudge,
  });
  const mailbox = createMailbox({
    store,
    leases,
    runnerStore: ports.runnerStore,
    clock,
    log,
    home: () => config.get().settings.machineStoragePath,
    retireByPerson: (machine) => void useCases.retire(machine, false),
  });
  const watch = createHostWatch({
    store,
    config,
    docker,
    runnerStore: ports.runnerStore,
    clock,
    hostOf,
    nudge,
  });

  async function sweep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      leases.sweep();
      await clock.sleep(SWEEP_EVERY_MS, signal);
    }
  }

  /** The first tick waits for the first look at EC2, but not for ever: creates must not wait for a broken listing. */
  async function firstLook(signal: AbortSignal): Promise<void> {
    const looks = sites().map((site) => sightings.sweep(site).catch(() => undefined));
    await Promise.race([Promise.all(looks), clock.sleep(10_000, signal)]);
  }

  return {
    useCases,
    leases,
    loop,
    journal,
    reload,
    async run(signal) {
      resetProvisioning(store, clock.now());
      await mailbox.read();
      await firstLook(signal);
      cleaner.resume();
      await Promise.all([loop.run(signal), mailbox.run(signal), watch.run(signal), sweep(signal)]);
      await Promise.all(background);
      await cleaner.settled();
    },
    sources: () =>
      sites().map((site) => {
        const source = sightings.view(site.key);
        const at = source.kind === 'failed' ? null : source.at;
        return {
          source: `instances ${site.key}`,
          state: source.kind,
          at,
          why: source.kind === 'fresh' ? null : source.why,
        };
      }),
  };
}
