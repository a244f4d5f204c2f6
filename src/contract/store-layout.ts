// Names inside docker-machine's store folder that the shell door, the Node door and the daemon agree on.
// Trap: bin/docker-machine (POSIX sh) holds the same names as literals; a test compares both.

/** Below MACHINE_STORAGE_PATH. The runner lists this folder and skips names that begin with a dot. */
export const MACHINES = 'machines';
/** Below `machines/`: the door's mailbox to the daemon. */
export const MAILBOX = '.hostler';
/** Below the mailbox: folders that `rm` moved away, waiting for the daemon. `NAME`, then `NAME~2`, `NAME~3` … */
export const RELEASED = 'released';
/** Below the mailbox: one line a door call, `VERB NAME`, appended. */
export const CALLS = 'calls';
/** In a machine's folder: first line the URL, second the machine id. Its presence says that hostler made the folder. */
export const MARK = 'hostler';
/** In a machine's folder: `ok EPOCH_SECONDS` | `dead WHY` | `gone WHY`. */
export const HEALTH = 'hostler-health';
/** In a released folder: present when a person asked for the end (rm without the runner's flag). */
export const BY_PERSON = 'hostler-by-person';
/** In a machine's folder: the host's pinned SSH keys, for `docker-machine ssh` and `scp`. */
export const KNOWN_HOSTS = 'known_hosts';

/**
 * Machine names: letters, digits, dot, dash, underscore, not first a dot or a dash; no path can be built from one.
 * At most 240 characters: `.NAME.tmp` and `NAME~2` are folders too, and a folder's name has 255 bytes at most.
 */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,239}$/;

/** Below `machines/`: where `create` writes NAME's folder until the daemon has committed the lease. */
export function halfMade(name: string): string {
  return `.${name}.tmp`;
}

/** The health note as the file holds it. `until`: epoch milliseconds; the file has whole seconds, rounded down. */
export type StoredHealth =
  | { kind: 'ok'; until: number }
  | { kind: 'dead'; why: string }
  | { kind: 'gone'; why: string };

/** Text of the HEALTH file: one line, so that `read` of a shell takes it whole. */
export function formatHealth(note: StoredHealth): string {
  if (note.kind === 'ok') return `ok ${Math.floor(note.until / 1000)}\n`;
  return `${note.kind} ${note.why.replaceAll(/[\r\n]+/g, ' ').slice(0, 300)}\n`;
}

/** Reads the HEALTH file; null for anything else than the three known forms, which callers treat as stale. */
export function parseHealth(text: string): StoredHealth | null {
  const [line = ''] = text.split('\n', 1);
  const space = line.indexOf(' ');
  const word = space < 0 ? line : line.slice(0, space);
  const rest = space < 0 ? '' : line.slice(space + 1).trim();
  if (word === 'ok') return /^\d{1,12}$/.test(rest) ? { kind: 'ok', until: Number(rest) * 1000 } : null;
  return word === 'dead' || word === 'gone' ? { kind: word, why: rest } : null;
}
