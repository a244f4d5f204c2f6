// docker-machine's store folder as the daemon uses it: the runner and the door read and write the same files.
// Layout and formats: contract/store-layout.ts. The door writes machine folders; the daemon writes only notes in them.
import type { EpochMs } from '../domain/units.ts';

/** What the door's shell part told us since the last look. */
export type DoorNote = { verb: 'url' | 'config' | 'release'; name: string; at: EpochMs };

/** A release: the folder that `rm` moved away. `byPerson`: rm came without the runner's own flag. */
export type Release = {
  name: string;
  byPerson: boolean /** The folder's own config.json was made by another docker-machine. */;
  foreign: boolean;
};

/** What a folder of ours says of its machine: enough to know the host again after the database was lost. */
export type FolderMark = { url: string; machine: string };

/** What another docker-machine's config.json says of a machine that `rm` moved away. */
export type ForeignMachine = { driver: string; instance: string | null; region: string | null };

/** How fresh the daemon's word on a host is: `ok` until then, or why it is dead or gone. */
export type HealthNote =
  | { kind: 'ok'; until: EpochMs }
  | { kind: 'dead'; why: string }
  | { kind: 'gone'; why: string };

export interface RunnerStore {
  /** Names of hostler's machine folders in that store. Throws when the folder cannot be read. */
  names(store: string): Promise<string[]>;
  /** True when NAME's folder stands whole (config.json inside). */
  stands(store: string, name: string): Promise<boolean>;
  /** True when a release of hostler's folder NAME waits to be taken. */
  isReleased(store: string, name: string): Promise<boolean>;
  /** Folders that `rm` moved away and that were not taken yet. */
  releases(store: string): Promise<Release[]>;
  /** The mark of NAME's folder, or null when it does not stand or is not ours. */
  mark(store: string, name: string): Promise<FolderMark | null>;
  /** The machine behind a foreign release, or null when its config.json cannot be read. */
  foreignMachine(store: string, name: string): Promise<ForeignMachine | null>;
  /** Deletes a release after the lease's end is stored. */
  takeRelease(store: string, name: string): Promise<void>;
  /** Door calls noted since the last read, oldest first; reading consumes them. */
  notes(store: string): Promise<DoorNote[]>;
  /** Writes the health note into NAME's folder, if it stands. */
  putHealth(store: string, name: string, note: HealthNote): Promise<void>;
  /** Removes NAME's folder and its half-made twin, each out of sight at once. */
  remove(store: string, name: string): Promise<void>;
  /** Removes NAME's half-made twin: a create that has not renamed it yet fails from then on. */
  removeHalfMade(store: string, name: string): Promise<void>;
  /** Removes what killed processes left: removals in their middle, and half-made folders that `isStale` knows (`at`: last change). */
  tidy(store: string, isStale: (name: string, at: EpochMs) => boolean): Promise<void>;
  /** Calls back when something may have changed; also poll, since file notification can fail. Returns the end. */
  watch(store: string, changed: () => void): () => void;
}
