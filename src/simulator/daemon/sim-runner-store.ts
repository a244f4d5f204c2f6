// The RunnerStore port over a simulated store folder, for one process. Reads see the folder of that moment; notes are read on
// from where this process left off, and a new process reads the last seconds once more, as from the real file.
import { HostlerError } from '../../domain/error.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RunnerStore } from '../../ports/runner-store.ts';
import type { StoreFolder } from '../door/store-folder.ts';
import type { ProcessLife } from './process-life.ts';

/** How long a read note stays in the file: it is put aside after 2 s and deleted 2 s later. */
const NOTES_KEPT_MS: DurationMs = 4 * SECOND_MS;

type Deps = {
  folders: ReadonlyMap<string, StoreFolder>;
  clock: Clock;
  life: ProcessLife;
  /** Whether the store cannot be read now. */
  isUnreadable(): boolean;
};

/** The stores of a world as one process uses them. */
export function createSimRunnerStore({ folders, clock, life, isUnreadable }: Deps): RunnerStore {
  let lastLine = 0;

  const at = (path: string): StoreFolder => {
    const folder = folders.get(path);
    if (folder === undefined || isUnreadable())
      throw new HostlerError('state-unusable', `the machine store ${path} cannot be read`);
    return folder;
  };
  const read = <T>(path: string, work: (folder: StoreFolder) => T): Promise<T> => {
    if (!life.isAlive()) return life.never;
    try {
      return Promise.resolve(work(at(path)));
    } catch (error) {
      return Promise.reject(error);
    }
  };
  const change = (what: string, path: string, work: (folder: StoreFolder) => void): Promise<void> => {
    if (!life.isAlive()) return life.never;
    return new Promise((resolve) => {
      life.point(what, 'before');
      work(at(path));
      life.point(what, 'after');
      resolve();
    });
  };

  return {
    names: (path) => read(path, ({ machines }) => [...machines.keys()]),
    stands: (path, name) => read(path, ({ machines }) => machines.has(name)),
    isReleased: (path, name) => read(path, ({ released }) => released.some((one) => one.name === name)),
    releases: (path) => read(path, ({ released }) => [...released]),
    mark: (path, name) =>
      read(path, ({ machines }) => {
        const folder = machines.get(name);
        return folder === undefined ? null : { url: folder.url, machine: folder.machine };
      }),
    foreignMachine: () => Promise.resolve(null),
    takeRelease: (path, name) =>
      change('take release', path, ({ released }) => {
        const index = released.findIndex((one) => one.name === name);
        if (index >= 0) released.splice(index, 1);
      }),
    notes: (path) =>
      read(path, (folder) => {
        const { notes } = folder;
        const fresh = notes.length === 0 ? notes : notes.filter(({ line }) => line > lastLine);
        lastLine = Math.max(lastLine, notes.at(-1)?.line ?? 0);
        const old = clock.now() - NOTES_KEPT_MS;
        if ((notes[0]?.at ?? Infinity) < old)
          folder.notes = notes.filter(({ line, at: written }) => line > lastLine || written >= old);
        return fresh;
      }),
    putHealth(path, name, note) {
      const put = (folder: StoreFolder) => {
        const found = folder.machines.get(name);
        if (found !== undefined) found.health = note;
      };
      // A good note is renewed every few seconds and says nothing new: no point worth a crash.
      return note.kind === 'ok' ? read(path, put) : change(`note ${note.kind}`, path, put);
    },
    remove: (path, name) =>
      change('remove folder', path, (folder) => {
        folder.halfMade.delete(name);
        if (folder.machines.delete(name)) folder.changed();
      }),
    removeHalfMade: (path, name) =>
      change('remove half-made', path, ({ halfMade }) => void halfMade.delete(name)),
    tidy: (path, isStale) =>
      read(path, ({ halfMade }) => {
        for (const [name, { madeAt }] of halfMade) if (isStale(name, madeAt)) halfMade.delete(name);
      }),
    watch(path, changed) {
      const folder = folders.get(path);
      return folder === undefined ? () => undefined : folder.onMail(() => life.isAlive() && changed());
    },
  };
}
