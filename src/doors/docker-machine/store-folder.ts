// docker-machine's store as the door's slower verbs read it: hostler's folders and those of another docker-machine.
// It must not judge hosts or talk to the daemon. Trap: another docker-machine's config.json is anyone's text: every
// field is looked at before it is used.
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BY_PERSON,
  HEALTH,
  MACHINES,
  MAILBOX,
  MARK,
  NAME_PATTERN,
  parseHealth,
  RELEASED,
  type StoredHealth,
} from '../../contract/store-layout.ts';
import { removeFolder } from './remove-folder.cjs';
import { makeMailbox } from './store-rights.cjs';

/** Bytes; a config.json has some 4 KB. */
const MAX_CONFIG_BYTES = 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

/** One machine folder. */
export type StoredMachine = {
  name: string;
  folder: string;
  /** Made by hostler. */
  ours: boolean;
  driver: string;
  /** null: not derivable. */
  url: string | null;
  address: string | null;
  health: StoredHealth | null;
  config: Json;
  ssh: { user: string; port: number; key: string | null };
};

/** Why a folder could not be read, by name. */
export type BrokenMachine = { name: string; why: string };

/** What docker-machine says about a name it does not know. */
export function unknownMachine(name: string): string {
  return `Docker machine ${JSON.stringify(name)} does not exist. Use "docker-machine ls" to list machines. Use "docker-machine create" to add a new one.`;
}

export function machineFolder(store: string, name: string): string {
  return join(store, MACHINES, name);
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/**
 * NAME's folder; null when there is none (or its name is no name). A folder that the daemon noted as gone is removed
 * and counts as none. Throws a plain Error in words when config.json is unreadable.
 */
export function readMachine(store: string, name: string): StoredMachine | null {
  const folder = machineFolder(store, name);
  if (!NAME_PATTERN.test(name) || !existsSync(folder)) return null;
  const health = parseHealth(readIfThere(join(folder, HEALTH)) ?? '');
  if (health?.kind === 'gone') {
    removeFolder(join(store, MACHINES), name);
    return null;
  }
  const config = readConfig(folder);
  const driver = record(config['Driver']);
  const [url = ''] = (readIfThere(join(folder, MARK)) ?? '').split('\n', 1);
  const ours = existsSync(join(folder, MARK));
  const found = ours ? url : derivedUrl(driver);
  return {
    name,
    folder,
    ours,
    driver: text(config['DriverName']),
    url: found === '' ? null : found,
    address: text(driver['IPAddress']) || addressOf(found),
    health,
    config,
    ssh: {
      user: text(driver['SSHUser']) || 'root',
      port: Number(driver['SSHPort']) || 22,
      key: text(driver['SSHKeyPath']) || existing(join(folder, 'id_rsa')),
    },
  };
}

function existing(file: string): string | null {
  return existsSync(file) ? file : null;
}

function readConfig(folder: string): Json {
  const file = join(folder, 'config.json');
  let body: string;
  try {
    if (statSync(file).size > MAX_CONFIG_BYTES) throw new Error('it is larger than 1 MB');
    body = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  try {
    return record(JSON.parse(body));
  } catch (error) {
    throw new Error(`${file} is not JSON: remove the machine with docker-machine rm`, { cause: error });
  }
}

/** Driver none keeps a URL; the drivers of clouds an address, with Docker at its usual TLS port. */
function derivedUrl(driver: Json): string {
  const url = text(driver['URL']);
  const address = text(driver['IPAddress']);
  return url || (address ? `tcp://${address.includes(':') ? `[${address}]` : address}:2376` : '');
}

function addressOf(url: string): string | null {
  const match = /^tcp:\/\/\[?([^\]/]*?)\]?:\d+$/.exec(url);
  return match?.[1] ?? null;
}

/** All machines of the store by name, and the folders that cannot be read. */
export function readMachines(store: string): { machines: StoredMachine[]; broken: BrokenMachine[] } {
  const machines: StoredMachine[] = [];
  const broken: BrokenMachine[] = [];
  const folder = join(store, MACHINES);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => NAME_PATTERN.test(name)) : [];
  for (const name of names) {
    try {
      const machine = statSync(join(folder, name)).isDirectory() ? readMachine(store, name) : null;
      if (machine) machines.push(machine);
    } catch (error) {
      broken.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { machines, broken };
}

/**
 * Moves NAME's folder where the daemon finds it: the end of a lease, or a machine of another docker-machine to be
 * ended. Durable once it returns; throws what the file system says.
 */
export function releaseMachine(store: string, name: string, byPerson: boolean): void {
  const released = join(store, MACHINES, MAILBOX, RELEASED);
  makeMailbox(join(store, MACHINES));
  const folder = machineFolder(store, name);
  if (byPerson) writeFileSync(join(folder, BY_PERSON), '');
  for (let number = 1; ; number++) {
    const target = join(released, number === 1 ? name : `${name}~${number}`);
    try {
      if (existsSync(target)) continue;
      renameSync(folder, target);
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
  }
}
