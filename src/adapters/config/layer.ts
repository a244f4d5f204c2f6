// Where a key of ours may come from, nearest first: environment, our file, tables of ours in the runner's file.
// The first layer that has the key decides; a wrong value there is an error, never a reason to look further.
import type { ConfigValue } from '../../domain/config.ts';
import { expandBraced } from './expand.ts';
import { type Spot, shown } from './findings.ts';
import type { Environment, Reading } from './reading.ts';
import type { ValueKind } from './value-kind.ts';

export type Entry = { raw: unknown; spot: Spot; origin: ConfigValue['origin'] };
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
    const at = issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')} `;
    const words =
      issue.code === 'unrecognized_keys' ? `has unknown key ${issue.keys.join(', ')}` : issue.message;
    reading.findings.error('value', `${at}${words}, is ${shown(valueAt(value, issue.path))}`, entry.spot);
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
