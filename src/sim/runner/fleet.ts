// The runner's memory of its machines, by name, over all its sections: what the store lists, what is being made, what
// goes. One that it finds in the store without having made it counts as used once and idle.
import { FOUND_BUILDS } from './lifecycle-rules.ts';
import type { RunnerMachine } from './machine.ts';
import type { MachineNames } from './machine-names.ts';

export type Fleet = {
  add(name: string, now: number): RunnerMachine;
  find(name: string): RunnerMachine | undefined;
  forget(name: string): void;
  /** The section's machines: those of the store by name, then those that are being made and not there yet. */
  list(names: MachineNames, now: number): readonly RunnerMachine[];
  all(): readonly RunnerMachine[];
};

/** `stored`: names of all folders in the store; `onStored`: told of their changes, else they are read each time. */
export function createFleet(
  stored: () => readonly string[],
  onStored?: (listener: () => void) => () => void,
): Fleet {
  const machines = new Map<string, RunnerMachine>();
  const known = new Map<MachineNames, readonly RunnerMachine[]>();
  onStored?.(() => known.clear());

  const read = (names: MachineNames, now: number): readonly RunnerMachine[] => {
    const folders = stored()
      .filter((name) => names.fits(name))
      .toSorted();
    const there = new Set(folders);
    for (const name of folders) {
      if (!machines.has(name)) machines.set(name, { name, state: 'idle', builds: FOUND_BUILDS, usedAt: now });
    }
    const making: RunnerMachine[] = [];
    for (const machine of machines.values()) {
      const { name, state } = machine;
      if (there.has(name) || !names.fits(name)) continue;
      // A folder that went away takes its machine along, whatever the runner thought of it.
      if (state === 'idle') machines.delete(name);
      else making.push(machine);
    }
    const listed = [...folders.flatMap((name) => machines.get(name) ?? []), ...making];
    // One that lost its folder while it was in use is to be looked at again.
    const settled = making.every(({ state }) => state === 'creating');
    if (onStored !== undefined && settled) known.set(names, listed);
    return listed;
  };

  return {
    add(name, now) {
      const machine: RunnerMachine = { name, state: 'creating', builds: 0, usedAt: now };
      machines.set(name, machine);
      known.clear();
      return machine;
    },
    find: (name) => machines.get(name),
    forget(name) {
      machines.delete(name);
      known.clear();
    },
    list: (names, now) => known.get(names) ?? read(names, now),
    all: () => [...machines.values()],
  };
}
