// hostler's daemon in the world: the real parts on simulated ports, as a process that starts, is stopped, crashes and starts
// again over the same disk, keys and store folder. What daemon.ts does around them (order of the start, doors, supervisor) is
// done here the same way.
// Trap: everything of a process that ended is dead at once; only disk, keys and what is on the wire go on.
import { assemble, type Parts, type Ports } from '../../assemble.ts';
import type { Config } from '../../domain/config.ts';
import { messageOf } from '../../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { EventQueues } from '../../emulator/event-queues.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Keys } from '../../ports/keys.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Gitlab } from '../../sim/gitlab/gitlab.ts';
import type { Seeded } from '../../sim/seeded.ts';
import type { VirtualTimeline } from '../../sim/timeline.ts';
import type { World } from '../../sim/world.ts';
import type { DaemonSocket } from '../door/create.ts';
import type { StoreFolder } from '../door/store-folder.ts';
import type { HostPark } from '../hosts/host-park.ts';
import type { SimHost } from '../hosts/sim-host.ts';
import { createVirtualClock, type WallClock } from '../time/virtual-clock.ts';
import type { MemoryDisk } from './memory-disk.ts';
import { openMemoryStore } from './memory-store.ts';
import { createNetworkLine } from './network-line.ts';
import { Crashed, createProcessLife, type Point, type ProcessLife } from './process-life.ts';
import { createSimLog, createSimMetrics, type Said } from './quiet-ports.ts';
import { createSeededRandom } from './seeded-random.ts';
import { type CloudHooks, createSimCloud } from './sim-cloud.ts';
import { createSimDocker } from './sim-docker-port.ts';
import { createSimHosts } from './sim-hosts-port.ts';
import type { createSimKeys } from './sim-keys.ts';
import { createSimNotices } from './sim-notices.ts';
import { createOpenJobs, createSimQueue, type OpenJobs } from './sim-queue.ts';
import { createSimRunnerStore } from './sim-runner-store.ts';

/** From a process's end to the supervisor's next start (deploy's unit: RestartSec). */
const RESTART_MS: DurationMs = 2 * SECOND_MS;
/** What still works then is left behind (daemon.ts). */
const STOP_LIMIT_MS: DurationMs = 9 * SECOND_MS;

export type DaemonParts = {
  timeline: VirtualTimeline;
  world: World;
  /** Where EC2's events go. */
  events: EventQueues;
  gitlab: Gitlab;
  park: HostPark;
  folder: StoreFolder;
  disk: MemoryDisk;
  keys: ReturnType<typeof createSimKeys>;
  wall: WallClock;
  random: Seeded;
  config(): Config;
  cloud: CloudHooks;
  onClean(host: SimHost): void;
  /** Whether the process is killed at this point. */
  falls(point: Point): boolean;
  isUnreadable(): boolean;
  said: Said;
  /** A process has ended by an error of its own: a bug, since nothing may end it. */
  died(error: string): void;
  onStart(ports: Ports): void;
  onQueue: Metrics['queue'];
};

type Running = { life: ProcessLife; parts: Parts; ports: Ports; stop: AbortController };

export type SimDaemon = {
  start(): void;
  /** `kill -9`; it starts again after that time, or with null only when asked to. */
  crash(restartMs: DurationMs | null): void;
  /** SIGTERM and a start after it has ended. */
  restart(): void;
  reload(): void;
  /** A webhook of GitLab: something happened in that project. Lost while the process is down. */
  hook(project: number): void;
  isUp(): boolean;
  socket: DaemonSocket;
  /** The store as it is now, dead or alive. */
  disk: MemoryDisk;
  /** Machines that the last plan wanted, over all pools; 0 without one. */
  wanted(): number;
  calls(): Readonly<Record<string, number>>;
  starts(): number;
};

/** Keys take a moment to make: long enough for a create to come in between. */
const KEY_MS: DurationMs = 3;

function withPace(keys: DaemonParts['keys'], clock: Clock): Keys {
  const later =
    <A extends unknown[], T>(make: (...order: A) => Promise<T>) =>
    async (...order: A): Promise<T> => {
      await clock.sleep(KEY_MS);
      return make(...order);
    };
  const { hostKey, issueClient, issueServer } = keys;
  return {
    ...keys,
    hostKey: later(hostKey),
    issueClient: later(issueClient),
    issueServer: later(issueServer),
  };
}

/** Only where a pool asks for its queue: without one the real daemon's watch has nothing to do either. */
function queuePorts(
  { gitlab, timeline, config }: DaemonParts,
  own: Pick<Parameters<typeof createSimQueue>[0], 'clock' | 'line' | 'jobs'>,
): Pick<Ports, 'queue'> {
  if (!config().pools.some(({ queue }) => queue !== undefined)) return {};
  const seesInstance = () => config().pools.some(({ queue }) => queue?.source === 'instance');
  return { queue: createSimQueue({ ...own, gitlab, gitlabNow: () => timeline.now(), seesInstance }) };
}

function createPorts(parts: DaemonParts, life: ProcessLife, jobs: OpenJobs): Ports {
  const { timeline, park, world, wall, disk, random, folder } = parts;
  const clock = createVirtualClock(timeline, life, wall);
  const line = createNetworkLine(timeline, life);
  const log = createSimLog((level, message, fields) => {
    if (life.isAlive()) parts.said(level, message, fields);
  });
  return {
    store: openMemoryStore(disk, {
      check: () => life.check(),
      before: (what) => life.point(`store ${what}`, 'before'),
      after: (what) => life.point(`store ${what}`, 'after'),
    }),
    cloud: createSimCloud({ ...parts.cloud, world, line, clock, random, log }),
    notices: createSimNotices(parts.events, line),
    hosts: createSimHosts({ park, line, clock }),
    docker: createSimDocker({ park, line, clock, life, onClean: parts.onClean }),
    keys: withPace(parts.keys, clock),
    runnerStore: createSimRunnerStore({
      folders: new Map([[folder.path, folder]]),
      clock,
      life,
      isUnreadable: parts.isUnreadable,
    }),
    runnerFigures: { jobs: () => Promise.resolve(new Map()) },
    clock,
    random: createSeededRandom(random),
    log,
    metrics: createSimMetrics({ queue: parts.onQueue }),
    ...queuePorts(parts, { clock, line, jobs }),
  };
}

/** Starts one process: daemon.ts in short. */
function begin(parts: DaemonParts, jobs: OpenJobs): Running {
  const life = createProcessLife(parts.falls);
  const ports = createPorts(parts, life, jobs);
  const stop = new AbortController();
  const built = assemble({
    ports,
    config: parts.config(),
    loadConfig: () => Promise.resolve(parts.config()),
    reloaded: () => undefined,
    manager: parts.keys.manager,
    authority: parts.keys.ca,
    userKeyPath: '/var/lib/hostler/keys/user',
    process: () => {
      throw new Error('nobody asks a simulated process for its status');
    },
    stop: stop.signal,
  });
  parts.onStart(ports);
  built.run(stop.signal).then(
    () => {
      if (life.isAlive() && !stop.signal.aborted) parts.died('the loop ended by itself');
      if (life.isAlive()) ports.store.close();
      life.end();
    },
    (error: unknown) => {
      if (error instanceof Crashed || !life.isAlive()) return;
      parts.died(messageOf(error));
      life.end();
    },
  );
  return { life, parts: built, ports, stop };
}

/** The daemon of one installation; nothing runs before `start`. */
export function createSimDaemon(parts: DaemonParts): SimDaemon {
  const { timeline, disk } = parts;
  const jobs = createOpenJobs(parts.gitlab);
  let running: Running | null = null;
  let starts = 0;
  let calls: Record<string, number> = {};

  function sumCalls(): Record<string, number> {
    const sum = { ...calls };
    for (const [action, count] of Object.entries(running?.ports.cloud.calls() ?? {}))
      sum[action] = (sum[action] ?? 0) + count;
    return sum;
  }

  /** The process is no more, whatever ended it. */
  function ended(process: Running, restartMs: DurationMs | null): void {
    if (running !== process) return;
    calls = sumCalls();
    running = null;
    process.life.kill();
    if (restartMs !== null) timeline.after(restartMs, start);
  }

  function start(): void {
    if (running !== null) return;
    starts += 1;
    // Not at the end itself: that may come in the middle of a transaction, which is taken back first.
    disk.crash();
    const process = begin(parts, jobs);
    running = process;
    process.life.onEnd(() => ended(process, RESTART_MS));
  }

  return {
    start,
    disk,
    crash(restartMs) {
      if (running !== null) ended(running, restartMs);
    },
    restart() {
      const process = running;
      process?.stop.abort();
      timeline.after(STOP_LIMIT_MS, () => process?.life.end());
    },
    reload() {
      void running?.parts.reload('file changed').catch(() => undefined);
    },
    hook(project) {
      if (running?.life.isAlive() === true) running.parts.queue?.markDirty(project);
    },
    isUp: () => running !== null,
    socket: {
      open() {
        const process = running;
        if (process === null || !process.life.isAlive()) return null;
        return {
          useCases: process.parts.useCases,
          onEnd: (told) => process.life.onEnd(told),
          isAlive: () => process.life.isAlive(),
        };
      },
    },
    wanted: () => running?.parts.useCases.plan().pools.reduce((sum, pool) => sum + pool.wanted, 0) ?? 0,
    calls: sumCalls,
    starts: () => starts,
  };
}
