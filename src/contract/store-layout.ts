// Names inside docker-machine's store folder that the shell door, the Node door and the daemon agree on.
// Trap: bin/docker-machine (POSIX sh) holds the same names as literals; a test compares both.

/** Below MACHINE_STORAGE_PATH. The runner lists this folder and skips names that begin with a dot. */
export const MACHINES = 'machines';
/** Below `machines/`: the door's mailbox to the daemon. */
export const MAILBOX = '.hostler';
/** Below the mailbox: folders that `rm` moved away, waiting for the daemon. */
export const RELEASED = 'released';
/** Below the mailbox: one line a door call, `VERB NAME`, appended. */
export const CALLS = 'calls';
/** In a machine's folder: first line the URL, second the machine id. Its presence says that hostler made the folder. */
export const MARK = 'hostler';
/** In a machine's folder: `ok EPOCH_SECONDS` | `dead WHY` | `gone WHY`. */
export const HEALTH = 'hostler-health';
/** In a released folder: present when a person asked for the end (rm without the runner's flag). */
export const BY_PERSON = 'hostler-by-person';

/** machine names: letters, digits, dot, dash, underscore, not first a dot or a dash; no path can be built from one. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
