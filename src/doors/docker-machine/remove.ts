// `docker-machine rm` in every form that bin/docker-machine does not take itself: by a person, several names, machines
// of another docker-machine, names without a folder.
// It must not end instances: it hands folders to the daemon. Trap: a removal that was noted durably is a success, also
// the second time: each failure costs the runner a slot for 30 s.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { halfMade, MACHINES, MAILBOX, MARK, NAME_PATTERN, RELEASED } from '../../contract/store-layout.ts';
import { noteCall } from './answers.ts';
import { askDaemon } from './ask-daemon.ts';
import { type DoorIo, Refusal, type VerbAction } from './door-io.ts';
import { removeFolder } from './remove-folder.cjs';
import { machineFolder, readMachine, releaseMachine, unknownMachine } from './store-folder.ts';
import { verbHelp, verbs } from './verbs.ts';

/** `docker-machine rm [-y] [-f] NAME…`; a person is asked first. */
export const rm: VerbAction = async ({ io, given }) => {
  const help = verbs.find((verb) => verb.name === 'rm');
  if (given.names.length === 0) {
    if (help) io.out(verbHelp(help));
    throw new Refusal('Error: Expected to get one or more machine names as arguments');
  }
  const force = given.switches.has('force');
  if (io.caller === 'person') {
    io.out(`About to remove ${given.names.join(', ')}\n`);
    io.out('WARNING: This ends the machine for good, with whatever runs on it.\n');
  }
  if (!force && !given.switches.has('y') && !(await confirmed(io))) return 0;
  const failures: string[] = [];
  for (const name of given.names) {
    const why = await removeOne(io, name, force);
    if (why === null) io.out(`Successfully removed ${name}\n`);
    else failures.push(`Error removing host ${JSON.stringify(name)}: ${why}`);
  }
  for (const failure of failures) io.err(`${failure}\n`);
  return failures.length > 0 && !force ? 1 : 0;
};

async function confirmed(io: DoorIo): Promise<boolean> {
  const answer = await io.ask('Are you sure? (y/n): ');
  if (answer === null)
    throw new Refusal('Error: there is no terminal to ask on: add -y to remove without a question');
  return answer.trim().toLowerCase().startsWith('y');
}

/** null: done. Otherwise why not. */
async function removeOne(io: DoorIo, name: string, force: boolean): Promise<string | null> {
  if (!NAME_PATTERN.test(name)) return unknownMachine(name);
  if (!existsSync(machineFolder(io.store, name))) return removeUnseen(io, name, force);
  return removeStanding(io, name, force);
}

function removeStanding(io: DoorIo, name: string, force: boolean): string | null {
  const folder = machineFolder(io.store, name);
  const made = existsSync(join(folder, MARK)) ? 'hostler' : foreignDriver(io, name);
  if (made === 'hostler' || made === 'amazonec2') {
    // A folder that the daemon noted as gone has nothing to release.
    if (made === 'hostler' && isGone(io, name)) return null;
    releaseMachine(io.store, name, io.caller === 'person');
    noteCall(io, 'release', name);
    return null;
  }
  if (made !== 'none' && made !== '' && !force)
    return `it was made by driver ${JSON.stringify(made)}, which hostler does not know: remove it with its own docker-machine, or -f to forget it`;
  removeFolder(join(io.store, MACHINES), name);
  return null;
}

function isGone(io: DoorIo, name: string): boolean {
  try {
    return readMachine(io.store, name) === null;
  } catch {
    // A folder with a broken config.json is still a lease to be ended.
    return false;
  }
}

/** Driver of another docker-machine's folder; empty when its config.json cannot be read. */
function foreignDriver(io: DoorIo, name: string): string {
  try {
    return readMachine(io.store, name)?.driver ?? '';
  } catch {
    return '';
  }
}

/** No folder: a release that still waits for the daemon, a create under way, or a machine's id. */
async function removeUnseen(io: DoorIo, name: string, force: boolean): Promise<string | null> {
  if (existsSync(join(io.store, MACHINES, MAILBOX, RELEASED, name))) return null;
  // A create that is about to end fails without its half-made folder, also while no daemon is there to tell it.
  const wasHalfMade = removeFolder(join(io.store, MACHINES), halfMade(name));
  const lease = await askDaemon(io.socket, 'DELETE', `/v1/leases/${name}`);
  // The create was faster: its folder stands by now.
  if (existsSync(machineFolder(io.store, name))) return removeStanding(io, name, force);
  if (wasHalfMade || ('status' in lease && lease.status === 200)) return null;
  if (io.caller === 'person' && name.startsWith('m-')) {
    const machine = await askDaemon(io.socket, 'POST', `/v1/machines/${name}/retire`);
    if ('away' in machine) return `no hostler daemon at ${io.socket}: ${machine.away}`;
    if (machine.status === 200) return null;
    if (machine.status !== 404) return messageIn(machine.body);
  }
  return unknownMachine(name);
}

function messageIn(body: unknown): string {
  const { error } = (body ?? {}) as { error?: { message?: unknown } };
  return typeof error?.message === 'string' ? error.message : 'the daemon refused';
}
