// Emulated hosts that something is wrong with: the next ones that boot, or one that stands. It also notes which steps of
// scripts each host played.
import type { HostFault } from '../../src/emulator/host/host-faults.ts';
import { type EmulatedHost, startHost } from '../../src/emulator/host/start-host.ts';
import type { StartHost } from '../../src/emulator/host-keeper.ts';

export type FaultyHosts = {
  /** For `startEmulator`. */
  startHost: StartHost;
  /** One host each of those that boot next has one of these. */
  next(...faults: readonly HostFault[]): void;
  /** The fault that a host booted with, by instance. */
  faults: ReadonlyMap<string, HostFault>;
  /** The host of an instance that stands. */
  host(instance: string | null): EmulatedHost;
  /** Its machine is gone without a word: what was connected to it hears nothing, not even an end, until `endAll`. */
  vanish(instance: string | null): Promise<void>;
  /** Ends what has vanished. */
  endAll(): Promise<void>;
  /** How often the host of an instance played a step. */
  plays(instance: string | null, step: string): number;
};

/** Hosts that are well until told otherwise. */
export function createFaultyHosts(): FaultyHosts {
  const waiting: HostFault[] = [];
  const faults = new Map<string, HostFault>();
  const hosts = new Map<string, EmulatedHost>();
  const played = new Map<string, string[]>();
  const vanished = new Set<string>();
  const find = (instance: string | null): EmulatedHost => {
    const found = hosts.get(instance ?? '');
    if (found === undefined) throw new Error(`no host of ${instance ?? 'no instance'} has booted`);
    return found;
  };
  return {
    faults,
    next: (...more) => void waiting.push(...more),
    async startHost(options) {
      const fault = waiting.shift() ?? null;
      if (fault !== null) faults.set(options.instanceId, fault);
      const steps: string[] = [];
      played.set(options.instanceId, steps);
      const host = await startHost({ ...options, fault, reached: (step) => void steps.push(step) });
      hosts.set(options.instanceId, host);
      const { instanceId } = options;
      return { ...host, close: async () => (vanished.has(instanceId) ? undefined : host.close()) };
    },
    host: find,
    async vanish(instance) {
      await find(instance).afflict('silent');
      vanished.add(instance ?? '');
    },
    async endAll() {
      await Promise.all([...vanished].map((instance) => find(instance).close()));
    },
    plays: (instance, step) => (played.get(instance ?? '') ?? []).filter((one) => one === step).length,
  };
}
