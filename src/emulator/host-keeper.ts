// Starts a host for each instance whose host comes up, and closes it when it goes down. What kind of host is StartHost's.
// Trap: an address may be used again only after its host is closed, which takes a moment; give() waits for that.
import { gunzipSync } from 'node:zlib';
import { messageOf } from '../domain/error.ts';
import type { SimInstance } from '../sim/instance.ts';

export type HostOptions = {
  address: string;
  sshPort: number;
  dockerPort: number;
  /** Decoded and unzipped text. */
  userData: string;
  instanceId: string;
  keyName: string | null;
  /** The key pair's public key as a line of authorized_keys, where EC2 knows it. */
  publicKey?: string | null;
};

export type RunningHost = {
  /** Ends it; resolves when its address is free. */
  close(): Promise<void>;
  /** The end of what its console showed so far; absent where a host has none. */
  console?(): string;
  /** Stopping and starting with all that is on its disk; a host without it is closed, and made new when it starts. */
  power?: { off(): Promise<void>; on(): Promise<void> };
  /** Resolves when it next powers itself off, never when it is told to; asked anew after each start. */
  ended?(): Promise<void>;
  /** Something goes wrong with it now, or (`none`) it is well again. Throws RangeError for what it cannot have. */
  afflict?(fault: string): Promise<void>;
};

/** Starts one host; resolves when it listens, or is powered on where it boots by itself. */
export type StartHost = (options: HostOptions) => Promise<RunningHost>;

export type HostKeeper = {
  up(instance: SimInstance): void;
  down(instance: SimInstance): void;
  /** What an instance's host has shown, also when it is gone; null where it had no console of its own. */
  console(instance: SimInstance): string | null;
  /** Something goes wrong with an instance's host. Throws RangeError when there is none, or it cannot have that. */
  afflict(instance: SimInstance, fault: string): Promise<void>;
  /** Resolves when no host holds the address any more. */
  released(address: string): Promise<void>;
  close(): Promise<void>;
};

/** User data is 16 KB at most; unzipped, more than this is a bomb, not a boot script. */
const USER_DATA_BYTES_AT_MOST = 1_048_576;

/** Consoles of closed hosts that are kept: EC2 shows one for an hour, a test asks for its last few. */
const CONSOLES_KEPT = 100;

/** User data as the host reads it. Throws for what cannot be unzipped. */
export function userDataText(base64: string | null): string {
  const raw = Buffer.from(base64 ?? '', 'base64');
  const zipped = raw[0] === 0x1f && raw[1] === 0x8b;
  return (zipped ? gunzipSync(raw, { maxOutputLength: USER_DATA_BYTES_AT_MOST }) : raw).toString('utf8');
}

/** What consoles of hosts that are gone have shown, by instance. */
function createConsoles() {
  const kept = new Map<string, string>();
  return {
    of: ({ id }: SimInstance): string | null => kept.get(id) ?? null,
    keep({ id }: SimInstance, host: RunningHost | null): void {
      const text = host?.console?.();
      if (text !== undefined) kept.set(id, text);
      const [oldest] = kept.keys();
      if (kept.size > CONSOLES_KEPT && oldest !== undefined) kept.delete(oldest);
    },
  };
}

type KeeperOptions = {
  startHost: StartHost;
  sshPort: number;
  dockerPort: number;
  /** A host powered itself off. */
  onEnded: (instance: SimInstance) => void;
  onTrouble: (line: string) => void;
};

/** The host of an instance, or null when it does not start. */
async function startFor(
  { startHost, sshPort, dockerPort, onTrouble }: KeeperOptions,
  instance: SimInstance,
  address: string,
): Promise<RunningHost | null> {
  try {
    const userData = userDataText(instance.userData);
    const { id: instanceId, keyName, publicKey } = instance;
    const ports = { sshPort, dockerPort };
    return await startHost({ address, ...ports, userData, instanceId, keyName, publicKey });
  } catch (error) {
    onTrouble(`host of ${instance.id} on ${address}:${sshPort} did not start: ${messageOf(error)}`);
    return null;
  }
}

export function createHostKeeper(options: KeeperOptions): HostKeeper {
  const { onEnded, onTrouble } = options;
  /** By address: the host, or null where it could not start. */
  const hosts = new Map<string, Promise<RunningHost | null>>();
  const running = new Map<string, RunningHost>();
  const closing = new Map<string, Promise<void>>();
  const consoles = createConsoles();
  const hostOf = ({ address }: SimInstance) => running.get(address ?? '') ?? null;
  const watch = (instance: SimInstance, host: RunningHost): void => {
    void host.ended?.().then(() => onEnded(instance));
  };

  const start = async (instance: SimInstance, address: string) => {
    const host = await startFor(options, instance, address);
    if (host === null) return null;
    running.set(address, host);
    watch(instance, host);
    return host;
  };

  const stop = (address: string): Promise<void> => {
    const host = hosts.get(address);
    if (host === undefined) return closing.get(address) ?? Promise.resolve();
    hosts.delete(address);
    const closed = host
      .then((one) => one?.close())
      .catch((error: unknown) => onTrouble(`host on ${address} did not close: ${messageOf(error)}`))
      .finally(() => {
        running.delete(address);
        closing.delete(address);
      });
    closing.set(address, closed);
    return closed;
  };

  /** Turns a host off or on when all that was asked of it before is done. */
  const turn = (address: string, work: (host: RunningHost) => Promise<void>): void => {
    const host = hosts.get(address);
    if (host === undefined) return;
    const turned = host.then(async (one) => {
      if (one === null) return one;
      await work(one).catch((error: unknown) => onTrouble(`host on ${address}: ${messageOf(error)}`));
      return one;
    });
    hosts.set(address, turned);
  };

  const up = (instance: SimInstance, address: string): void => {
    const power = running.get(address)?.power;
    if (hosts.has(address) && power !== undefined) {
      turn(address, async (host) => {
        await power.on();
        watch(instance, host);
      });
      return;
    }
    // A host that was stopped has its address again at once: what stood there must be gone before.
    const gone = closing.get(address);
    const host = gone === undefined ? start(instance, address) : gone.then(() => start(instance, address));
    hosts.set(address, host);
  };

  return {
    up(instance) {
      if (instance.address !== null) up(instance, instance.address);
    },
    down(instance) {
      const { address, state } = instance;
      if (address === null) return;
      const host = hostOf(instance);
      consoles.keep(instance, host);
      const power = state === 'stopping' ? host?.power : undefined;
      if (power === undefined) void stop(address);
      else turn(address, () => power.off());
    },
    console: (instance) => hostOf(instance)?.console?.() ?? consoles.of(instance),
    async afflict(instance, fault) {
      const host = hostOf(instance);
      if (host?.afflict === undefined) throw new RangeError(`no host of ${instance.id} runs here`);
      await host.afflict(fault);
    },
    released: stop,
    async close() {
      await Promise.all([...hosts.keys()].map(stop));
      await Promise.all(closing.values());
    },
  };
}
