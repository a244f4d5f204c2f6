// hostler's own tables as they stand in a file: [hostler], [[pools]] by name, [runners.hostler] under [[runners]].
// Checks names only; values are checked where they are picked. An unknown key is an error with the nearest known one.
// Trap: the same tables may stand in the runner's own file, where the runner drops them when it writes its file anew.

import type { Entry, Layer } from './layer.ts';
import { hint, nearest } from './nearest.ts';
import { daemonKeys, poolKeys } from './own-keys.ts';
import { queueKeys } from './queue-keys.ts';
import type { Reading } from './reading.ts';
import { dotted, isTable, type TomlDocument, type TomlPath } from './toml-document.ts';

/** One table of ours for a pool: which section it means, and what it says. */
export type OwnPool = {
  /** The runner's name it is for; null for a table inside the runner's own section. */
  runner: string | null;
  /** Index of the section it stands in; null when it goes by name. */
  section: number | null;
  layer: Layer;
  /** Its `queue` table; null when there is none. */
  queue: Layer | null;
  where: string;
};

export type OwnTables = { daemon: Layer; pools: readonly OwnPool[]; found: boolean };

type Origin = Entry['origin'];

function readLayer(
  reading: Reading,
  doc: TomlDocument,
  path: TomlPath,
  rules: { table: unknown; known: readonly string[]; skip?: readonly string[]; origin: Origin },
): Layer {
  const layer = new Map<string, Entry>();
  if (!isTable(rules.table)) {
    const spot = { where: doc.where(path), key: dotted(path) };
    reading.findings.error('shape', 'must be a table', spot);
    return layer;
  }
  for (const [key, raw] of Object.entries(rules.table)) {
    const at = [...path, key];
    if (rules.skip?.includes(key)) continue;
    const spotAt = (rest: TomlPath) => ({
      where: doc.where([...at, ...rest]),
      key: dotted([...at, ...rest]),
    });
    if (rules.known.includes(key)) {
      layer.set(key, { raw, spot: spotAt([]), inner: spotAt, origin: rules.origin });
    } else {
      const spot = { where: doc.whereKey(at), key: dotted(at) };
      reading.findings.error('unknown-key', `unknown key ${key}${hint(key, rules.known)}`, spot);
    }
  }
  return layer;
}

function nameOf(reading: Reading, doc: TomlDocument, path: TomlPath, table: unknown): string | null {
  const name = isTable(table) ? table['name'] : undefined;
  if (typeof name === 'string' && name !== '') return name;
  const spot = { where: doc.where([...path, 'name']), key: dotted([...path, 'name']) };
  reading.findings.error('name-missing', 'needs the name of the [[runners]] section that it is for', spot);
  return null;
}

/** `[pools.queue]`, or `[runners.hostler.queue]`. */
function readQueue(
  reading: Reading,
  doc: TomlDocument,
  path: TomlPath,
  from: { table: unknown; origin: Origin },
): Layer | null {
  const table = isTable(from.table) ? from.table['queue'] : undefined;
  if (table === undefined) return null;
  const known = Object.keys(queueKeys);
  return readLayer(reading, doc, [...path, 'queue'], { table, known, origin: from.origin });
}

function readNamedPools(reading: Reading, doc: TomlDocument, origin: Origin): OwnPool[] {
  const tables = doc.value['pools'];
  if (tables === undefined) return [];
  if (!Array.isArray(tables)) {
    const spot = { where: doc.where(['pools']), key: 'pools' };
    reading.findings.error('shape', 'must be an array of tables: write [[pools]]', spot);
    return [];
  }
  return tables.flatMap((table: unknown, index): OwnPool[] => {
    const path = ['pools', index];
    const runner = nameOf(reading, doc, path, table);
    const layer = readLayer(reading, doc, path, {
      table,
      known: Object.keys(poolKeys),
      skip: ['name', 'queue'],
      origin,
    });
    const queue = readQueue(reading, doc, path, { table, origin });
    return runner === null ? [] : [{ runner, section: null, layer, queue, where: doc.where(path) }];
  });
}

function readSectionPools(reading: Reading, doc: TomlDocument, origin: Origin): OwnPool[] {
  const sections = doc.value['runners'];
  if (sections === undefined) return [];
  if (!Array.isArray(sections)) {
    const spot = { where: doc.where(['runners']), key: 'runners' };
    reading.findings.error(
      'shape',
      'must be an array of tables: write [[runners]] above [runners.hostler]',
      spot,
    );
    return [];
  }
  return sections.flatMap((section: unknown, index): OwnPool[] => {
    const path = ['runners', index];
    const table = isTable(section) ? section['hostler'] : undefined;
    if (origin === 'file')
      readLayer(reading, doc, path, { table: section, known: [], skip: ['name', 'hostler'], origin });
    if (table === undefined) return [];
    const own = [...path, 'hostler'];
    const known = Object.keys(poolKeys);
    const layer = readLayer(reading, doc, own, { table, known, skip: ['queue'], origin });
    const queue = readQueue(reading, doc, own, { table, origin });
    const where = doc.where(own);
    if (origin === 'runner-file') return [{ runner: null, section: index, layer, queue, where }];
    const runner = nameOf(reading, doc, path, section);
    return runner === null ? [] : [{ runner, section: null, layer, queue, where }];
  });
}

/** Reads our tables of one file. `runner-file`: that file is the runner's, whose other keys are its own business. */
export function readOwnTables(
  reading: Reading,
  doc: TomlDocument,
  origin: 'file' | 'runner-file',
): OwnTables {
  const table = doc.value['hostler'];
  const known = Object.keys(daemonKeys);
  const daemon =
    table === undefined
      ? new Map<string, Entry>()
      : readLayer(reading, doc, ['hostler'], { table, known, origin });
  const pools = [...readNamedPools(reading, doc, origin), ...readSectionPools(reading, doc, origin)];
  const found = table !== undefined || doc.value['pools'] !== undefined || pools.length > 0;
  if (origin === 'file') refuseStrangers(reading, doc);
  if (origin === 'runner-file' && found) {
    const first = table === undefined ? pools[0]?.where : doc.where(['hostler']);
    reading.findings.warn(
      'own-tables-in-runner-file',
      "hostler's tables stand in the runner's own file, which the runner rewrites without them (token rotation, register); keep them in a file of their own with runner_config",
      { where: first ?? doc.file, key: table === undefined ? null : 'hostler' },
    );
  }
  return { daemon, pools, found };
}

function refuseStrangers(reading: Reading, doc: TomlDocument): void {
  const own = ['hostler', 'pools', 'runners'];
  for (const key of Object.keys(doc.value).filter((name) => !own.includes(name))) {
    const spot = { where: doc.whereKey([key]), key };
    const home =
      nearest(key, Object.keys(daemonKeys)) === null ? hint(key, own) : `; it belongs under [hostler]`;
    reading.findings.error('unknown-key', `unknown key ${key} at the top of hostler's file${home}`, spot);
  }
}
