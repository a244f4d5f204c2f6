// What a verb of the door may touch, and how it says no. Verbs get this instead of reaching for process themselves.
// Trap: stdout of `config`, `env`, `url`, `ip`, `inspect`, `ls` is read by programs: words for people go to stderr.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HEALTH } from '../../contract/store-layout.ts';
import type { Arguments } from './argv.ts';
import { machineFolder, readMachine, type StoredMachine, unknownMachine } from './store-folder.ts';

export type DoorIo = {
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute MACHINE_STORAGE_PATH. */
  store: string;
  /** The runner marks its calls with --bugsnag-api-token. */
  caller: 'runner' | 'person';
  socket: string;
  out(text: string): void;
  err(text: string): void;
  /** Asks on the terminal; null when there is none. */
  ask(question: string): Promise<string | null>;
  /** Epoch milliseconds. */
  now(): number;
};

export type VerbCall = { io: DoorIo; given: Arguments; words: readonly string[] };
export type VerbAction = (call: VerbCall) => number | Promise<number>;

/** A plain no: the message goes to stderr as it is, exit 1. */
export class Refusal extends Error {}

/** The one machine that a verb is about: its argument, else `default`. Throws Refusal as docker-machine does. */
export function soleMachine({ io, given }: VerbCall): StoredMachine {
  if (given.names.length > 1) throw new Refusal('Error: Expected one machine name as an argument');
  return theMachine(io, nameOrDefault(io, given));
}

/** The machines that a verb is about: its arguments, else `default`. */
export function namedMachines({ io, given }: VerbCall): StoredMachine[] {
  const names = given.names.length > 0 ? given.names : [nameOrDefault(io, given)];
  return names.map((name) => theMachine(io, name));
}

/** NAME's machine, or a Refusal in docker-machine's words. */
export function theMachine(io: DoorIo, name: string): StoredMachine {
  const machine = readMachine(io.store, name);
  if (!machine) throw new Refusal(unknownMachine(name));
  return machine;
}

function nameOrDefault(io: DoorIo, given: Arguments): string {
  const [name] = given.names;
  if (name !== undefined) return name;
  if (existsSync(join(machineFolder(io.store, 'default'), 'config.json'))) return 'default';
  throw new Refusal('Error: No machine name(s) specified and no "default" machine exists');
}

/** Why the daemon holds the machine for dead, or null. */
export function deadBecause(machine: StoredMachine): string | null {
  return machine.health?.kind === 'dead' ? machine.health.why || `see its ${HEALTH} note` : null;
}
