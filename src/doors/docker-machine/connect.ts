// `docker-machine ssh` and `scp`: the system's own ssh, scp or rsync with a machine's address, user, key and pinned
// host keys. It must not copy keys: SSHKeyPath names a file that only the daemon's user may be able to read.
// Trap: machines of another docker-machine have no pinned keys; they are reached unchecked, as that one does.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { KNOWN_HOSTS } from '../../contract/store-layout.ts';
import { type DoorIo, Refusal, soleMachine, theMachine, type VerbAction } from './door-io.ts';
import type { StoredMachine } from './store-folder.ts';
import { verbHelp, verbs } from './verbs.ts';

/** Seconds; a host that runs answers at once. */
const CONNECT_SECONDS = 10;

function sshOptions(machine: StoredMachine): string[] {
  const pins = join(machine.folder, KNOWN_HOSTS);
  const pinned = machine.ours && existsSync(pins);
  const options = [
    `ConnectTimeout=${CONNECT_SECONDS}`,
    'LogLevel=error',
    ...(pinned
      ? ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${quoted(pins)}`]
      : ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null']),
    `Port=${machine.ssh.port}`,
    ...(machine.ssh.key === null ? [] : ['IdentitiesOnly=yes', `IdentityFile=${quoted(machine.ssh.key)}`]),
  ];
  return options.flatMap((option) => ['-o', option]);
}

function quoted(path: string): string {
  return `"${path.replaceAll('"', '\\"')}"`;
}

function addressOf(machine: StoredMachine): string {
  if (machine.address === null)
    throw new Refusal(`Error: Cannot run SSH command: Host ${JSON.stringify(machine.name)} is not running`);
  return machine.address;
}

/** Exit code of the command; the terminal belongs to it meanwhile. */
function runAttached(command: string, words: readonly string[]): Promise<number> {
  // A person's Ctrl-C is for the program on the other side, not for this one.
  process.on('SIGINT', () => undefined);
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: 'inherit' });
    child.on('error', () => reject(new Refusal(`Error: ${command} is not installed here`)));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

export const ssh: VerbAction = (call) => {
  const [first, ...command] = call.words;
  const help = verbs.find((verb) => verb.name === 'ssh');
  if (help && first !== undefined && /^--?(?:h|help)$/.test(first)) {
    call.io.out(verbHelp(help));
    return 0;
  }
  const names = first === undefined ? [] : [first];
  const machine = soleMachine({ ...call, given: { ...call.given, names } });
  const words = command[0] === '--' ? command.slice(1) : command;
  return runAttached('ssh', [...sshOptions(machine), `${machine.ssh.user}@${addressOf(machine)}`, ...words]);
};

/** One side of a copy: a path here, or a machine and a path there. */
type Side = { location: string; options: readonly string[] };

function side(io: DoorIo, text: string): Side {
  const colon = text.indexOf(':');
  if (colon < 0) return { location: text, options: [] };
  const path = text.slice(colon + 1);
  const [host = '', user = ''] = text.slice(0, colon).split('@').toReversed();
  if (host === 'localhost') return { location: path, options: [] };
  const machine = theMachine(io, host);
  const address = addressOf(machine);
  const shown = address.includes(':') ? `[${address}]` : address;
  return { location: `${user || machine.ssh.user}@${shown}:${path}`, options: sshOptions(machine) };
}

export const scp: VerbAction = ({ io, given }) => {
  const [from, to, ...more] = given.names;
  if (from === undefined || to === undefined || more.length > 0)
    throw new Refusal('Improper number of arguments');
  const sides = [side(io, from), side(io, to)];
  const options = sides.flatMap((one) => one.options);
  const locations = sides.map((one) => one.location);
  const recursive = given.switches.has('recursive') ? ['-r'] : [];
  const quiet = given.switches.has('quiet');
  if (!given.switches.has('delta'))
    return runAttached('scp', ['-3', ...recursive, ...(quiet ? ['-q'] : []), ...options, ...locations]);
  const shell = `ssh ${options.map((word) => (word.includes(' ') ? `'${word}'` : word)).join(' ')}`;
  return runAttached('rsync', [...(quiet ? [] : ['--progress']), '-e', shell, ...recursive, ...locations]);
};
