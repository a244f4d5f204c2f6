// All simulated hosts of a world by address: they come with their instance's boot and go with its power.
// Must not know hostler. Trap: an address is used again after its host is gone; who kept the old one meets a stranger.
import type { SimInstance } from '../../sim/instance.ts';
import type { Seeded } from '../../sim/seeded.ts';
import type { AddressBook } from '../../sim/start-instances.ts';
import type { Timeline } from '../../sim/timeline.ts';
import { createSimHost, type HostTrouble, type SimHost } from './sim-host.ts';

export type HostPark = {
  up(instance: SimInstance): void;
  down(instance: SimInstance): void;
  at(address: string): SimHost | null;
  /** Hosts that have power now, in the order of their boot. */
  all(): IterableIterator<SimHost>;
  of(instance: string): SimHost | null;
  addresses: AddressBook;
};

type ParkParts = {
  timeline: Timeline;
  random: Seeded;
  /** What is wrong with a host from its boot on, or null. */
  fate(instance: SimInstance): HostTrouble | null;
  /** A host ends itself. */
  shutDown(instance: SimInstance): void;
};

/** Private addresses of one big network, the longest unused one first. */
function createAddresses(): AddressBook {
  const returned: string[] = [];
  let taken = 0;
  return {
    take() {
      if (taken < 65_000) {
        taken += 1;
        return `10.${64 + (taken >> 14)}.${(taken >> 7) & 127}.${(taken & 127) + 1}`;
      }
      return returned.shift() ?? null;
    },
    give: (address) => void returned.push(address),
  };
}

/** No hosts yet. */
export function createHostPark(parts: ParkParts): HostPark {
  const byAddress = new Map<string, SimHost>();
  const byInstance = new Map<string, SimHost>();
  return {
    addresses: createAddresses(),
    at: (address) => byAddress.get(address) ?? null,
    of: (instance) => byInstance.get(instance) ?? null,
    all: () => byAddress.values(),
    up(instance) {
      const host = createSimHost(instance, parts);
      const trouble = parts.fate(instance);
      if (trouble !== null) host.afflict(trouble);
      byAddress.set(host.address, host);
      byInstance.set(instance.id, host);
    },
    down(instance) {
      const host = byInstance.get(instance.id);
      if (host === undefined) return;
      byInstance.delete(instance.id);
      byAddress.delete(host.address);
      host.powerOff();
    },
  };
}
