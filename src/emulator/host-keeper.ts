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
};

/** Starts one host; resolves when it listens, or is powered on where it boots by itself. */
export type StartHost = (options: HostOptions) => Promise<RunningHost>;

export type HostKeeper = {
  up(instance: SimInstance): void;
  down(instance: SimInstance): void;
  /** What the host at this address has shown, or null where it has no console of its own. */
  console(address: string): string | null;
  /** Resolves when no host holds the address any more. */
  released(address: string): Promise<void>;
  close(): Promise<void>;
};

/** User data is 16 KB at most; unzipped, more than this is a bomb, not a boot script. */
const USER_DATA_BYTES_AT_MOST = 1_048_576;

/** User data as the host reads it. Throws for what cannot be unzipped. */
export function userDataText(base64: string | null): string {
  const raw = Buffer.from(base64 ?? '', 'base64');
  const zipped = raw[0] === 0x1f && raw[1] === 0x8b;
  return (zipped ? gunzipSync(raw, { maxOutputLength: USER_DATA_BYTES_AT_MOST }) : raw).toString('utf8');
}

export function createHostKeeper(options: {
  startHost: StartHost;
  sshPort: number;
  dockerPort: number;
  onTrouble: (line: string) => void;
}): HostKeeper {
  const { startHost, sshPort, dockerPort, onTrouble } = options;
  /** By address: the host, or null where it could not start. */
  const hosts = new Map<string, Promise<RunningHost | null>>();
  const running = new Map<string, RunningHost>();
  const closing = new Map<string, Promise<void>>();

  const start = async (instance: SimInstance, address: string) => {
    try {
      const userData = userDataText(instance.userData);
      const { id: instanceId, keyName, publicKey } = instance;
      const ports = { sshPort, dockerPort };
      const host = await startHost({ address, ...ports, userData, instanceId, keyName, publicKey });
      running.set(address, host);
      return host;
    } catch (error) {
      onTrouble(`host of ${instance.id} on ${address}:${sshPort} did not start: ${messageOf(error)}`);
      return null;
    }
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
  const turn = (address: string, work: () => Promise<void>): void => {
    const host = hosts.get(address);
    if (host === undefined) return;
    const turned = host.then(async (one) => {
      await work().catch((error: unknown) => onTrouble(`host on ${address}: ${messageOf(error)}`));
      return one;
    });
    hosts.set(address, turned);
  };

  return {
    up(instance) {
      const { address } = instance;
      if (address === null) return;
      const power = running.get(address)?.power;
      if (hosts.has(address) && power !== undefined) {
        turn(address, () => power.on());
        return;
      }
      // A host that was stopped has its address again at once: what stood there must be gone before.
      const gone = closing.get(address);
      const host = gone === undefined ? start(instance, address) : gone.then(() => start(instance, address));
      hosts.set(address, host);
    },
    down(instance) {
      const { address } = instance;
      if (address === null) return;
      const power = instance.state === 'stopping' ? running.get(address)?.power : undefined;
      if (power === undefined) void stop(address);
      else turn(address, () => power.off());
    },
    console: (address) => running.get(address)?.console?.() ?? null,
    released: stop,
    async close() {
      await Promise.all([...hosts.keys()].map(stop));
      await Promise.all(closing.values());
    },
  };
}
