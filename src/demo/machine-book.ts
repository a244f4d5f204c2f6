// The runner's memory of its machines and the line of jobs that wait for one. A free machine goes to the oldest waiting
// job at once, whoever's create brought it; without one it stands idle, newest first to be used.
// Trap: a machine found dead goes back to idle without being offered, or the waiting jobs would take it in circles.
import type { EpochMs } from '../domain/units.ts';
import {
  byName,
  countMachines,
  type RunnerCounts,
  type RunnerMachine,
  type RunnerMachineState,
} from './policy.ts';

/** A job's place in the line. */
export type Place = {
  give(machine: RunnerMachine): void;
  fail(error: Error): void;
};

export type MachineBook = {
  add(name: string, state: RunnerMachineState, facts: { builds: number; at: EpochMs }): RunnerMachine;
  find(name: string): RunnerMachine | undefined;
  all(): readonly RunnerMachine[];
  counts(): RunnerCounts;
  /** Idle ones, newest first: the order in which the runner uses them. */
  idle(): readonly RunnerMachine[];
  forget(name: string): void;
  /** Hands a free machine to the oldest waiting job, else it becomes idle. */
  offer(machine: RunnerMachine): void;
  /** The runner's race: the next free machine that a job waits for stands idle instead, for whoever claims with it. */
  raceNext(): void;
  /** Takes the end of the line. */
  wait(place: Place): void;
  /** Leaves the line; false when the place had been served. */
  leave(place: Place): boolean;
  /** Fails all who wait. */
  dismiss(error: Error): void;
};

/** An empty book. */
export function createMachineBook(): MachineBook {
  const machines = new Map<string, RunnerMachine>();
  const line: Place[] = [];
  let races = 0;
  return {
    add(name, state, { builds, at }) {
      const machine: RunnerMachine = { name, state, builds, usedAt: at };
      machines.set(name, machine);
      return machine;
    },
    find: (name) => machines.get(name),
    all: () => [...machines.values()],
    counts: () => countMachines(machines.values()),
    idle: () =>
      [...machines.values()].filter((machine) => machine.state === 'idle').toSorted((a, b) => byName(b, a)),
    forget(name) {
      machines.delete(name);
    },
    offer(machine) {
      const isLost = races > 0 && line.length > 0;
      if (isLost) races -= 1;
      const place = isLost ? undefined : line.shift();
      machine.state = place === undefined ? 'idle' : 'acquired';
      place?.give(machine);
    },
    raceNext() {
      races += 1;
    },
    wait(place) {
      line.push(place);
    },
    leave(place) {
      const index = line.indexOf(place);
      if (index < 0) return false;
      line.splice(index, 1);
      return true;
    },
    dismiss(error) {
      for (const place of line.splice(0)) place.fail(error);
    },
  };
}
