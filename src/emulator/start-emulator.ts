// Puts the emulated cloud together: world, HTTP door, hosts on loopback addresses of their own.
// Listens on loopback only. Trap: close() ends all hosts, jobs on them included.
import { createServer } from 'node:http';
import { HostlerError } from '../domain/error.ts';
import type { QuotaClass } from '../domain/offering.ts';
import type { FaultRule } from '../sim/faults.ts';
import type { SimInstance } from '../sim/instance.ts';
import type { Timing } from '../sim/lives.ts';
import type { Market } from '../sim/run-request.ts';
import { createWorld, type World } from '../sim/world.ts';
import { type AddressBlocks, createAddressBlocks } from './address-blocks.ts';
import { createDispatch, type Dispatch } from './dispatch.ts';
import { createEventQueues } from './event-queues.ts';
import { createHostKeeper, type StartHost } from './host-keeper.ts';
import { listen, requestListener } from './http-door.ts';
import { createRealTimeline } from './real-timeline.ts';

export type CapacityRule = { type: string; zone: string; market: Market | null; count: number };

/** A vCPU quota of the account, e.g. 32 for spot machines of the standard classes. */
export type QuotaRule = { market: Market; class: QuotaClass; vcpus: number };

export type EmulatorOptions = {
  /** 0 (default) = a free one. */
  port?: number;
  /** SSH port of the hosts; default 2222. */
  sshPort?: number;
  /** Docker port of the hosts; default 2376, docker-machine's. */
  dockerPort?: number;
  /** Launch until a host answers; default 5 s. */
  bootMs?: number;
  /** How long Describe does not know a new instance; default 250 ms. */
  unseenMs?: number;
  /** The only access key that is let in; null (default) = any. */
  accessKey?: string | null;
  capacity?: readonly CapacityRule[];
  quotas?: readonly QuotaRule[];
  faults?: readonly FaultRule[];
  /** Ids and names that nobody made do not exist; default false. */
  strict?: boolean;
  seed?: number;
  /** How hosts are made; default: in-process ones. */
  startHost?: StartHost;
  /** Where hosts get their addresses; closed with the emulator. Default: loopback addresses. */
  addresses?: AddressBlocks | null;
  /** One line about what went wrong inside; default: nothing. */
  onTrouble?: (line: string) => void;
};

export type Emulator = {
  /** `http://127.0.0.1:PORT` */
  endpoint: string;
  port: number;
  sshPort: number;
  dockerPort: number;
  world: World;
  /** EC2 calls so far by action. */
  calls: Dispatch['ec2Calls'];
  /** The same of SSM, SQS and Service Quotas. */
  ssmCalls: Dispatch['ssmCalls'];
  sqsCalls: Dispatch['sqsCalls'];
  quotaCalls: Dispatch['quotaCalls'];
  close(): Promise<void>;
};

const DEFAULT_BOOT_MS = 5_000;
/** Long enough for a caller to meet it, short enough for a test. EC2: about a second. */
const DEFAULT_UNSEEN_MS = 250;
/** docker-machine's defaults on unprivileged ground: 22 needs root, 2376 does not. */
const DEFAULT_SSH_PORT = 2222;
const DEFAULT_DOCKER_PORT = 2376;
/** Longer than any caller's pause between two looks: closing an idle connection just then would look like a lost answer. */
const KEEP_ALIVE_MS = 75_000;

/** EC2's pace, scaled to the boot: running after three fifths of it, gone two seconds after the end at most, a spot
 * request looked at within a second. */
function timingFor(bootMs: number, unseenMs: number): Timing {
  return {
    bootMs,
    unseenMs,
    pendingMs: Math.round(bootMs * 0.6),
    endingMs: Math.min(2_000, Math.max(200, bootMs)),
    shownMs: 3_600_000,
    evaluateMs: Math.min(1_000, Math.round(bootMs * 0.2)),
  };
}

/** In-process hosts; loaded late, since they bring SSH and TLS. */
const inProcessHost: StartHost = async (options) => {
  const { startHost } = await import('./host/start-host.ts');
  return startHost(options);
};

const defaults = {
  port: 0,
  sshPort: DEFAULT_SSH_PORT,
  dockerPort: DEFAULT_DOCKER_PORT,
  bootMs: DEFAULT_BOOT_MS,
  unseenMs: DEFAULT_UNSEEN_MS,
  accessKey: null,
  capacity: [],
  quotas: [],
  faults: [],
  strict: false,
  seed: 1,
  startHost: inProcessHost,
  addresses: null,
  onTrouble: () => {},
} as const satisfies Required<EmulatorOptions>;

/** Starts an emulated cloud on loopback. Throws HostlerError `port-in-use`, or `usage` for a bad failure rule. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const settings: Required<EmulatorOptions> = { ...defaults, ...options };
  const { sshPort, dockerPort, seed, strict, accessKey, startHost, onTrouble } = settings;
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  const port = await listen(server, settings.port);
  const timeline = createRealTimeline();
  const addresses = settings.addresses ?? createAddressBlocks(port, dockerPort);
  const onEnded = ({ id }: SimInstance): void => {
    const found = world.find(id);
    if (found !== null) found.region.unaskedEnds.hostOff(found.instance);
  };
  const keeper = createHostKeeper({ startHost, sshPort, dockerPort, onEnded, onTrouble });
  const world = createWorld({
    timeline,
    seed,
    strict,
    timing: timingFor(settings.bootMs, settings.unseenMs),
    addresses: {
      take: () => addresses.take(),
      give: (address) => void keeper.released(address).then(() => addresses.give(address)),
    },
    hosts: {
      hostUp: (instance) => keeper.up(instance),
      hostDown: (instance) => keeper.down(instance),
      console: (instance) => keeper.console(instance),
    },
  });
  const prepareAddresses = (count: number): Promise<void> => addresses.prepare(count);
  const queues = createEventQueues(world, timeline);
  const dispatch = createDispatch({ world, accessKey, prepareAddresses, queues, onTrouble });

  const close = async (): Promise<void> => {
    timeline.close();
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    await keeper.close();
    await addresses.close();
  };

  try {
    for (const rule of settings.faults) world.faults.set(rule);
    for (const { count, ...place } of settings.capacity) world.capacity.set(place, count);
    for (const { vcpus, ...quota } of settings.quotas) world.quotas.set(quota, vcpus);
    await addresses.prepare(1);
  } catch (error) {
    await close();
    throw error instanceof RangeError ? new HostlerError('usage', error.message) : error;
  }
  server.on('request', requestListener({ world, dispatch, afflict: keeper.afflict }, onTrouble));
  const endpoint = `http://127.0.0.1:${port}`;
  const { ec2Calls: calls, ssmCalls, sqsCalls, quotaCalls } = dispatch;
  return { endpoint, port, sshPort, dockerPort, world, calls, ssmCalls, sqsCalls, quotaCalls, close };
}
