// docker-machine's store folder as a thing of the world: machine folders, half-made ones, the mailbox. The runner's user owns
// it; doors and daemon come and go. Must not decide anything. Every change happens whole: a rename is one moment.
import type { StoredHealth } from '../../contract/store-layout.ts';
import type { EpochMs } from '../../domain/units.ts';
import type { DoorNote, Release } from '../../ports/runner-store.ts';

export type MachineFolder = {
  url: string;
  machine: string;
  /** The authority that its ca.pem holds. */
  ca: string;
  health: StoredHealth | null;
  madeAt: EpochMs;
};

/** A note with its place in the file, so that a reader knows what it has read. */
export type WrittenNote = DoorNote & { line: number };

export type StoreFolder = {
  path: string;
  machines: Map<string, MachineFolder>;
  halfMade: Map<string, MachineFolder>;
  /** In the order in which they came. */
  released: Release[];
  notes: WrittenNote[];
  note(note: DoorNote): void;
  /** The list of machine folders changed. */
  changed(): void;
  onNames(listener: () => void): () => void;
  /** File notification of the mailbox. */
  onMail(listener: () => void): () => void;
  /** Somebody wiped the store. */
  wipe(): void;
};

/** An empty store. `isDeaf`: whether file notification fails at this moment. */
export function createStoreFolder(path: string, isDeaf: () => boolean = () => false): StoreFolder {
  const nameListeners = new Set<() => void>();
  const mailListeners = new Set<() => void>();
  let lines = 0;
  const tell = (listeners: Set<() => void>) => {
    for (const listener of listeners) listener();
  };
  const listen = (listeners: Set<() => void>) => (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const folder: StoreFolder = {
    path,
    machines: new Map(),
    halfMade: new Map(),
    released: [],
    notes: [],
    note(note) {
      folder.notes.push({ ...note, line: ++lines });
      if (!isDeaf()) tell(mailListeners);
    },
    changed: () => tell(nameListeners),
    onNames: listen(nameListeners),
    onMail: listen(mailListeners),
    wipe() {
      folder.machines.clear();
      folder.halfMade.clear();
      folder.released.length = 0;
      folder.notes.length = 0;
      folder.changed();
    },
  };
  return folder;
}
