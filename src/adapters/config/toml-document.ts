// A TOML file with the place of every key and value, so that each finding can name line and column.
// smol-toml reads the values and words the syntax errors; toml-eslint-parser knows the places.
// Trap: the two must agree; where the second fails on a file that the first reads, places fall back to the file's name.
import { parse, TomlError } from 'smol-toml';
import { parseTOML } from 'toml-eslint-parser';
import type { ConfigIssue } from '../../domain/config.ts';

export type TomlPath = readonly (string | number)[];
export type TomlTable = Readonly<Record<string, unknown>>;

export type TomlDocument = {
  file: string;
  value: TomlTable;
  /** `file:line:column` of the value, or of the nearest table around it. Both counted from 1. */
  where(path: TomlPath): string;
  /** The same for the key's own name. */
  whereKey(path: TomlPath): string;
};

type Position = { line: number; column: number };
type Places = Map<string, { key: Position; value: Position }>;
type Body = ReturnType<typeof parseTOML>['body'][0]['body'];
type KeyValue = Extract<Body[number], { type: 'TOMLKeyValue' }>;
type Content = KeyValue['value'];

const id = (path: TomlPath): string => JSON.stringify(path);
const from1 = (at: Position): Position => ({ line: at.line, column: at.column + 1 });

function notePair(places: Places, base: TomlPath, pair: KeyValue): void {
  let path = base;
  for (const part of pair.key.keys) {
    path = [...path, part.type === 'TOMLBare' ? part.name : part.value];
    const key = from1(part.loc.start);
    if (!places.has(id(path))) places.set(id(path), { key, value: key });
  }
  const last = pair.key.keys.at(-1);
  const key = from1((last ?? pair).loc.start);
  places.set(id(path), { key, value: from1(pair.value.loc.start) });
  noteContent(places, path, pair.value);
}

function noteContent(places: Places, path: TomlPath, content: Content): void {
  if (content.type === 'TOMLInlineTable') {
    for (const pair of content.body) notePair(places, path, pair);
  } else if (content.type === 'TOMLArray') {
    for (const [index, element] of content.elements.entries()) {
      const at = from1(element.loc.start);
      places.set(id([...path, index]), { key: at, value: at });
      noteContent(places, [...path, index], element);
    }
  }
}

function readPlaces(text: string): Places {
  const places: Places = new Map();
  for (const node of parseTOML(text).body[0].body) {
    if (node.type === 'TOMLKeyValue') notePair(places, [], node);
    else {
      const at = from1(node.key.loc.start);
      // A super-table is noted with its first part, `[a.b]` before any `[a]`.
      for (let length = 1; length <= node.resolvedKey.length; length += 1) {
        const part = id(node.resolvedKey.slice(0, length));
        if (!places.has(part)) places.set(part, { key: at, value: at });
      }
      for (const pair of node.body) notePair(places, node.resolvedKey, pair);
    }
  }
  return places;
}

function placesOrNone(text: string): Places {
  try {
    return readPlaces(text);
  } catch {
    return new Map();
  }
}

/** Reads TOML text. A syntax error comes back as one issue with its place, in one line. */
export function readToml(file: string, text: string): TomlDocument | ConfigIssue {
  let value: TomlTable;
  try {
    value = parse(text);
  } catch (error) {
    const at = error instanceof TomlError ? `${file}:${error.line}:${error.column}` : file;
    const said = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    const message = `TOML syntax: ${said.replace('Invalid TOML document: ', '')}`;
    return { severity: 'error', code: 'syntax', message, where: at, key: null, pool: null };
  }
  const places = placesOrNone(text);
  const find = (path: TomlPath, part: 'key' | 'value'): string => {
    for (let length = path.length; length > 0; length -= 1) {
      const place = places.get(id(path.slice(0, length)))?.[part];
      if (place) return `${file}:${place.line}:${place.column}`;
    }
    return file;
  };
  return { file, value, where: (path) => find(path, 'value'), whereKey: (path) => find(path, 'key') };
}

/** True for a table: not an array, not a date. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** `runners[0].machine.IdleCount`. */
export function dotted(path: TomlPath): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join('');
}
