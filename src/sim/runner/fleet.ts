// The runner's memory of its machines, by name, over all its sections: what the store lists, what is being made, what
// goes. One that it finds in the store without having made it counts as used once and idle.
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

/** `stored`: names of all folders in the store. */
export function createFleet(stored: () => readonly string[]): Fleet {
  const machines = new Map<string, RunnerMachine>();

  return {
    add(name, now) {
      const machine: RunnerMachine = { name, state: 'creating', builds: 0, usedAt: now };
      machines.set(name, machine);
      return machine;
    },
    find: (name) => machines.get(name),
    forget: (name) => void machines.delete(name),
    list(names, now) {
      const folders = stored()
        .filter((name) => names.fits(name))
        .toSorted();
      const there = new Set(folders);
      for (const name of folders) {
        if (!machines.has(name)) machines.set(name, { name, state: 'idle', builds: 1, usedAt: now });
      }
      const making: string[] = [];
      for (const { name, state } of machines.values()) {
        if (there.has(name) || !names.fits(name)) continue;
        // A folder that went away took its machine along, whatever the runner thought of it.
        if (state === 'idle') machines.delete(name);
        else making.push(name);
      }
      return [...folders, ...making].flatMap((name) => machines.get(name) ?? []);
    },
    all: () => [...machines.values()],
  };
}
