// The runner's own config.toml, in the runner's own syntax: what hostler needs of it, checked for shape.
// Other keys are the runner's business, and sections of other executors are not looked at.
// Trap: the runner takes its keys in any letter case, so they are looked up the same way.
import { z } from 'zod';
import { expandLikeRunner } from './expand.ts';
import { type Spot, shown } from './findings.ts';
import { nearest } from './nearest.ts';
import type { Reading } from './reading.ts';
import { dotted, isTable, type TomlDocument, type TomlPath, type TomlTable } from './toml-document.ts';

const count = z.int('must be a whole number').min(0, 'must not be negative');
const factor = z.number('must be a number').min(0, 'must not be negative');
const words = z.string('must be text in quotes');
const texts = z.array(words, 'must be a list of texts in quotes');
const policy = {
  IdleCount: count.optional(),
  IdleCountMin: count.optional(),
  IdleScaleFactor: factor.optional(),
  IdleTime: count.optional(),
};
const fileShape = { concurrent: count.optional(), listen_address: words.optional() };
const sectionShape = {
  name: words.optional(),
  url: words.optional(),
  token: words.optional(),
  executor: words.optional(),
  limit: count.optional(),
  /** The runner's number in GitLab, and its authorities: of use to the job queue only, so never refused. */
  id: z.unknown(),
  'tls-ca-file': z.unknown(),
  machine: z.unknown(),
};
const machineShape = {
  ...policy,
  MaxGrowthRate: count.optional(),
  MaxBuilds: count.optional(),
  MachineDriver: words.optional(),
  MachineName: words.optional(),
  MachineOptions: texts.optional(),
  MachineOptionsWithName: texts.optional(),
  autoscaling: z.unknown(),
  OffPeakPeriods: z.unknown(),
  OffPeakTimezone: z.unknown(),
  OffPeakIdleCount: z.unknown(),
  OffPeakIdleTime: z.unknown(),
};
const periodShape = { ...policy, Periods: texts.optional(), Timezone: words.optional() };
const periodKeys: readonly string[] = Object.keys(periodShape);
const machineKeys: readonly string[] = Object.keys(machineShape);

/** Values of one table with the spot of each key: where it stands, or where its table does. */
export type Fields<S extends z.ZodRawShape> = {
  value: { [K in keyof S]: z.output<S[K]> | undefined };
  spot(key: keyof S & string, index?: number): Spot;
};

/** The rows of `[[runners.machine.autoscaling]]` as written. */
export type RunnerPeriod = Fields<typeof periodShape>;
export type RunnerMachine = Fields<typeof machineShape> & { periods: readonly RunnerPeriod[] };

/** One `[[runners]]` section with executor docker+machine. */
export type RunnerSection = Fields<typeof sectionShape> & {
  index: number;
  name: string;
  /** Expanded as the runner does; a secret. */
  token: string;
  machine: RunnerMachine | null;
};

export type RunnerFile = {
  doc: TomlDocument;
  top: Fields<typeof fileShape>;
  sections: readonly RunnerSection[];
  /** Executors of the sections that were passed over. */
  otherExecutors: readonly string[];
};

function writtenKey(table: TomlTable, key: string): string | null {
  if (key in table) return key;
  return Object.keys(table).find((each) => each.toLowerCase() === key.toLowerCase()) ?? null;
}

/** The TOML path of an issue's place, with the letter case of the file. */
function pathOf(path: TomlPath, key: string, rest: readonly PropertyKey[]): TomlPath {
  return [...path, key, ...rest.filter((part) => typeof part !== 'symbol')];
}

function readFields<S extends z.ZodRawShape>(
  reading: Reading,
  doc: TomlDocument,
  path: TomlPath,
  from: { table: TomlTable; shape: S },
): Fields<S> {
  const { table, shape } = from;
  const value: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(shape)) {
    const written = writtenKey(table, key);
    if (written === null) continue;
    const parsed = (schema as z.ZodType).safeParse(table[written]);
    if (parsed.success) value[key] = parsed.data;
    else {
      for (const issue of parsed.error.issues.slice(0, 5)) {
        const at = pathOf(path, written, issue.path);
        const raw = issue.path.reduce<unknown>(
          (inner, part) => (Array.isArray(inner) ? (inner as unknown[])[Number(part)] : inner),
          table[written],
        );
        const said = key === 'token' ? '' : `, is ${shown(raw)}`;
        reading.findings.error('value', `${issue.message}${said}`, { where: doc.where(at), key: dotted(at) });
      }
    }
  }
  return {
    value: value as Fields<S>['value'],
    spot: (key, index) => {
      const at = pathOf(path, writtenKey(table, key) ?? key, index === undefined ? [] : [index]);
      return { where: doc.where(at), key: dotted(at) };
    },
  };
}

/** The runner reads on over a misspelt key, and the setting is silently not there: worth a word. */
function warnNearMisses(
  reading: Reading,
  doc: TomlDocument,
  path: TomlPath,
  from: { table: TomlTable; known: readonly string[] },
): void {
  for (const key of Object.keys(from.table)) {
    if (from.known.some((each) => each.toLowerCase() === key.toLowerCase())) continue;
    const near = nearest(key, from.known);
    if (near === null) continue;
    const spot = { where: doc.whereKey([...path, key]), key: dotted([...path, key]) };
    reading.findings.warn(
      'runner-key-unknown',
      `the runner does not know ${key}; did you mean ${near}?`,
      spot,
    );
  }
}

function readPeriods(reading: Reading, doc: TomlDocument, path: TomlPath, raw: unknown): RunnerPeriod[] {
  if (raw === undefined) return [];
  const spot = { where: doc.where(path), key: dotted(path) };
  if (!Array.isArray(raw)) {
    reading.findings.error(
      'shape',
      'must be an array of tables: write [[runners.machine.autoscaling]]',
      spot,
    );
    return [];
  }
  return raw.flatMap((table: unknown, index): RunnerPeriod[] => {
    const at = [...path, index];
    if (!isTable(table)) {
      reading.findings.error('shape', 'must be a table', { where: doc.where(at), key: dotted(at) });
      return [];
    }
    warnNearMisses(reading, doc, at, { table, known: periodKeys });
    return [readFields(reading, doc, at, { table, shape: periodShape })];
  });
}

function readMachine(
  reading: Reading,
  doc: TomlDocument,
  path: TomlPath,
  raw: unknown,
): RunnerMachine | null {
  if (!isTable(raw)) {
    const said =
      raw === undefined ? 'is missing: the runner needs a [runners.machine] table' : 'must be a table';
    reading.findings.error('machine-missing', said, { where: doc.where(path), key: dotted(path) });
    return null;
  }
  warnNearMisses(reading, doc, path, { table: raw, known: machineKeys });
  const fields = readFields(reading, doc, path, { table: raw, shape: machineShape });
  const at = [...path, writtenKey(raw, 'autoscaling') ?? 'autoscaling'];
  return { ...fields, periods: readPeriods(reading, doc, at, fields.value.autoscaling) };
}

function readSection(
  reading: Reading,
  doc: TomlDocument,
  path: TomlPath,
  from: { table: TomlTable; index: number },
): RunnerSection {
  const fields = readFields(reading, doc, path, { table: from.table, shape: sectionShape });
  const { name, token } = fields.value;
  const expanded = expandLikeRunner(token ?? '', reading.env);
  for (const variable of expanded.unset) {
    reading.findings.warn(
      'variable-unset',
      `\${${variable}} is not set here: machines of this section are matched by their options instead of their names`,
      fields.spot('token'),
      name,
    );
  }
  const at = [...path, writtenKey(from.table, 'machine') ?? 'machine'];
  return {
    ...fields,
    index: from.index,
    name: name ?? '',
    token: expanded.unset.length > 0 ? '' : expanded.value,
    machine: readMachine(reading, doc, at, fields.value.machine),
  };
}

/** Reads the runner's file: its top, and every section with executor docker+machine. */
export function readRunnerFile(reading: Reading, doc: TomlDocument): RunnerFile {
  const top = readFields(reading, doc, [], { table: doc.value, shape: fileShape });
  const name = writtenKey(doc.value, 'runners') ?? 'runners';
  const raw = doc.value[name] ?? [];
  const otherExecutors: string[] = [];
  const sections: RunnerSection[] = [];
  if (!Array.isArray(raw)) {
    const spot = { where: doc.where([name]), key: name };
    reading.findings.error('shape', 'must be an array of tables: write [[runners]]', spot);
  }
  for (const [index, table] of (Array.isArray(raw) ? (raw as unknown[]) : []).entries()) {
    const path = [name, index];
    if (!isTable(table)) {
      reading.findings.error('shape', 'must be a table', { where: doc.where(path), key: dotted(path) });
      continue;
    }
    const executor = table[writtenKey(table, 'executor') ?? 'executor'];
    if (executor === 'docker+machine') sections.push(readSection(reading, doc, path, { table, index }));
    else otherExecutors.push(typeof executor === 'string' ? executor : 'none');
  }
  return { doc, top, sections, otherExecutors };
}
