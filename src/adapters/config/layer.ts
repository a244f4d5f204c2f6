// Where a key of ours may come from, nearest first: environment, our file, tables of ours in the runner's file.
// The first layer that has the key decides; a wrong value there is an error, never a reason to look further.
import type { ConfigValue } from '../../domain/config.ts';
import { expandBraced } from './expand.ts';
import { type Spot, shown } from './findings.ts';
import { hint } from './nearest.ts';
import type { Environment, Reading } from './reading.ts';
import { ownPeriodKeys, type ValueKind } from './value-kind.ts';

export type Entry = {
  raw: unknown;
  spot: Spot;
  /** Place of a part of the value, where the file knows it. */
  inner?: (rest: readonly (string | number)[]) => Spot;
  origin: ConfigValue['origin'];
};
export type Layer = ReadonlyMap<string, Entry>;
export type Picked<T> = { value: T; entry: Entry };

/** The variables that are set, by key. An empty variable counts as not set: compose files pass those. */
export function environmentLayer(
  env: Environment,
  kinds: Readonly<Record<string, ValueKind<unknown>>>,
  variable: (key: string) => string,
): Layer {
  const layer = new Map<string, Entry>();
  for (const [key, kind] of Object.entries(kinds)) {
    const name = variable(key);
    const said = env[name];
    if (said === undefined || said === '') continue;
    const spot = { where: `environment ${name}`, key: name };
    layer.set(key, { raw: kind.fromText(said), spot, origin: 'environment' });
  }
  return layer;
}

/** The value that counts for `key`, checked; null when no layer has it or it is wrong (then an error is noted). */
export function pick<T>(
  reading: Reading,
  layers: readonly Layer[],
  key: string,
  kind: ValueKind<T>,
): Picked<T> | null {
  const entry = layers.map((layer) => layer.get(key)).find((found) => found !== undefined);
  if (!entry) return null;
  const { value, unset } = expandBraced(entry.raw, reading.env);
  for (const name of unset) {
    reading.findings.error('variable-unset', `\${${name}} is not set in the environment`, entry.spot);
  }
  if (unset.length > 0) return null;
  const parsed = kind.schema.safeParse(value);
  if (parsed.success) return { value: parsed.data, entry };
  for (const issue of parsed.error.issues.slice(0, 5)) {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys : [];
    const path = [...issue.path.filter((part) => typeof part !== 'symbol'), ...unknown.slice(0, 1)];
    const spot = entry.inner?.(path) ?? entry.spot;
    const [word = ''] = unknown;
    const said =
      word === ''
        ? `${issue.message}, is ${shown(valueAt(value, issue.path))}`
        : `unknown key ${word}${hint(word, ownPeriodKeys)}`;
    reading.findings.error(word === '' ? 'value' : 'unknown-key', said, spot);
  }
  return null;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, part) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[part] : undefined,
    value,
  );
}

/** Notes an effective value for `hostler config`. */
export function record(
  reading: Reading,
  key: string,
  value: ConfigValue['value'],
  from: Pick<Entry, 'origin' | 'spot'> | null,
): void {
  reading.values.push({ key, value, origin: from?.origin ?? 'default', where: from?.spot.where ?? null });
}
