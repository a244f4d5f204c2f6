// docker-machine's store folder on disk, as the daemon reads and marks it (ports/runner-store.ts).
// It must not decide about leases. Trap: the runner and the door change the folder at any moment, so a file that has just
// gone is normal; an unreadable store is not, and throws: it must never look like an empty one.
import { access, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import {
  BY_PERSON,
  formatHealth,
  HEALTH,
  halfMade,
  MACHINES,
  MAILBOX,
  MARK,
  NAME_PATTERN,
  RELEASED,
} from '../../contract/store-layout.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ForeignMachine, Release, RunnerStore } from '../../ports/runner-store.ts';
import { createCallsReader, isMissing } from './calls-reader.ts';
import { watchMailbox } from './watch-mailbox.ts';

/** A released folder's name: the machine's, and a number when several releases of one name wait. */
const RELEASED_PATTERN = /^(?<name>[^~]+)(?:~(?<number>\d+))?$/;

/** Bytes; docker-machine's config.json has some 3 KB. */
const MAX_FILE_BYTES = 1024 * 1024;

type Deps = { clock: Clock; log: Log };
type Entry = { folder: string; name: string; number: number };

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** A small file's text; null when it is missing or larger than any such file is. */
async function readSmall(file: string): Promise<string | null> {
  try {
    return (await stat(file)).size > MAX_FILE_BYTES ? null : await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

const foreignSchema = z.object({
  DriverName: z.string(),
  Driver: z.object({ InstanceId: z.string().optional(), Region: z.string().optional() }).optional(),
});

function readForeign(text: string): ForeignMachine | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = foreignSchema.safeParse(value);
  if (!parsed.success) return null;
  const { DriverName: driver, Driver: made } = parsed.data;
  return { driver, instance: made?.InstanceId || null, region: made?.Region || null };
}

/** Made by hostler. A folder that may not be looked into counts as such: taken for gone, its lease would end. */
async function isMarked(folder: string): Promise<boolean> {
  return access(join(folder, MARK)).then(
    () => true,
    (error: unknown) => !isMissing(error),
  );
}

/**
 * Which folders of a store are ours, asked once for each: with thousands of machines a look at every mark, twice a minute,
 * is what a manager would be busy with. A folder that another docker-machine made is asked for again, as it may be ours next
 * time; one of ours keeps its mark until it is renamed or removed, and then its name is not listed.
 */
function createMarks() {
  const marked = new Map<string, ReadonlySet<string>>();
  return {
    async among(store: string, names: readonly string[]): Promise<string[]> {
      const known = marked.get(store);
      const found: string[] = [];
      for (const name of names)
        if (known?.has(name) === true || (await isMarked(folderOf(store, name)))) found.push(name);
      marked.set(store, new Set(found));
      return found;
    },
  };
}

const folderOf = (store: string, name: string) => join(store, MACHINES, name);
const releasedIn = (store: string) => join(store, MACHINES, MAILBOX, RELEASED);

/** Folders that `rm` moved away, by name in the order they came. */
async function entries(store: string): Promise<Entry[]> {
  const released = releasedIn(store);
  return (await namesIn(released))
    .map((file) => ({ file, groups: RELEASED_PATTERN.exec(file)?.groups }))
    .map(({ file, groups }) => ({
      folder: join(released, file),
      name: groups?.['name'] ?? '',
      number: Number(groups?.['number'] ?? 1),
    }))
    .filter(({ name }) => NAME_PATTERN.test(name))
    .toSorted((one, other) => one.number - other.number);
}

/** null when it was taken meanwhile: what is not there has no mark either, and must not count as another's. */
async function readRelease({ folder, name }: Entry): Promise<Release | null> {
  const [byPerson, ours] = await Promise.all([exists(join(folder, BY_PERSON)), exists(join(folder, MARK))]);
  return ours || (await exists(folder)) ? { name, byPerson, foreign: !ours } : null;
}

/** What a removal renames a folder to: a name that is neither a machine's nor a release's. */
const REMOVED_PATTERN = /^\..+\.gone$/;
const removedName = (folder: string) => join(dirname(folder), `.${basename(folder)}.gone`);
const drop = (folder: string) => rm(folder, { recursive: true, force: true, maxRetries: 2 });

/**
 * Renamed first: a process killed in the middle would leave half a folder under a name that means something. Without its
 * mark a release looks like another docker-machine's, whose instance is to be ended.
 */
async function removeWhole(folder: string): Promise<void> {
  const removed = removedName(folder);
  await drop(removed);
  try {
    await rename(folder, removed);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  await drop(removed);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

/** Half-made folders of a store, with when each last changed. */
async function halfMadeIn(store: string): Promise<{ name: string; at: number }[]> {
  const found: { name: string; at: number }[] = [];
  for (const file of await namesIn(join(store, MACHINES))) {
    const name = /^\.(?<name>.+)\.tmp$/.exec(file)?.groups?.['name'] ?? '';
    if (!NAME_PATTERN.test(name)) continue;
    const seen = await stat(folderOf(store, file)).catch(() => null);
    if (seen?.isDirectory() === true) found.push({ name, at: seen.mtimeMs });
  }
  return found;
}

/** The store of one or several MACHINE_STORAGE_PATH folders. */
export function createRunnerStore(deps: Deps): RunnerStore {
  const calls = createCallsReader(deps.clock);
  const ours = createMarks();
  return {
    async names(store) {
      const found = await readdir(join(store, MACHINES), { withFileTypes: true });
      const folders = found.filter((entry) => entry.isDirectory() && NAME_PATTERN.test(entry.name));
      return ours.among(
        store,
        folders.map(({ name }) => name),
      );
    },

    async stands(store, name) {
      const found = await stat(join(folderOf(store, name), 'config.json')).catch((error: unknown) => {
        if (isMissing(error)) return null;
        throw error;
      });
      return found !== null && found.size > 0;
    },

    isReleased: (store, name) => exists(join(releasedIn(store), name, MARK)),

    async releases(store) {
      const found = await Promise.all((await entries(store)).map(readRelease));
      return found.filter((release) => release !== null);
    },

    async mark(store, name) {
      if (!NAME_PATTERN.test(name)) return null;
      const text = await readSmall(join(folderOf(store, name), MARK));
      const [url = '', machine = ''] = text?.split('\n') ?? [];
      return url.startsWith('tcp://') && machine !== '' ? { url, machine } : null;
    },

    async foreignMachine(store, name) {
      const entry = (await entries(store)).find((each) => each.name === name);
      const text = entry === undefined ? null : await readSmall(join(entry.folder, 'config.json'));
      return text === null ? null : readForeign(text);
    },

    async takeRelease(store, name) {
      const first = (await entries(store)).find((entry) => entry.name === name);
      if (first) await removeWhole(first.folder);
    },

    notes: (store) => calls.read(join(store, MACHINES, MAILBOX)),

    async putHealth(store, name, note) {
      const file = join(folderOf(store, name), HEALTH);
      try {
        // A shell may read at any moment: it must see the old line or the new one. In a shared store it is another
        // user's; who may read at all is decided by the folder.
        await writeFile(`${file}.tmp`, formatHealth(note), { mode: 0o640 });
        await rename(`${file}.tmp`, file);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    },

    async remove(store, name) {
      if (!NAME_PATTERN.test(name)) return;
      for (const folder of [name, halfMade(name)]) await removeWhole(folderOf(store, folder));
    },

    async removeHalfMade(store, name) {
      if (NAME_PATTERN.test(name)) await removeWhole(folderOf(store, halfMade(name)));
    },

    async tidy(store, isStale) {
      for (const folder of [join(store, MACHINES), releasedIn(store)]) {
        const left = (await namesIn(folder)).filter((file) => REMOVED_PATTERN.test(file));
        for (const file of left) await drop(join(folder, file));
      }
      for (const { name, at } of await halfMadeIn(store))
        if (isStale(name, at)) await removeWhole(folderOf(store, halfMade(name)));
    },

    watch(store, changed) {
      const mailbox = join(store, MACHINES, MAILBOX);
      const open = () => mkdir(releasedIn(store), { recursive: true });
      return watchMailbox({ ...deps, mailbox, open, changed });
    },
  };
}
