// From a path and an environment to a Config: finds the runner's file, reads both, collects every finding in one pass.
// Must not change anything. A file without a docker+machine section is refused: the runner empties its file for a
// moment when it writes it, and a daemon that believed it would end every machine.
// Trap: `path` may be our file or the runner's own; a section with an executor, a token or a machine table tells.
import { dirname, resolve } from 'node:path';
import type { Config, ConfigIssue } from '../../domain/config.ts';
import { type ErrorCode, HostlerError } from '../../domain/error.ts';
import { readDaemonSettings } from './daemon-settings.ts';
import { checkEnvironmentNames } from './environment-names.ts';
import { absolute } from './expand.ts';
import { createFindings, secretsIn, shown } from './findings.ts';
import { environmentLayer, type Layer, pick, record } from './layer.ts';
import { hint, nearest } from './nearest.ts';
import { daemonDefaults, daemonKeys, daemonVariable } from './own-keys.ts';
import { type OwnTables, readOwnTables } from './own-tables.ts';
import { readPools } from './pool-spec.ts';
import { type Environment, MAX_FILE_BYTES, type Reading, readSmall } from './reading.ts';
import { type RunnerFile, readRunnerFile } from './runner-file.ts';
import { isTable, readToml, type TomlDocument } from './toml-document.ts';

export type ConfigSource = {
  /** Our file, or the runner's own. */
  path: string;
  env: Environment;
  /** Home folder for the default store; HOME of `env` when absent. */
  home?: string;
  /** Zone of this machine; the system's when absent. */
  zone?: string;
};

export type ReadResult = { config: Config | null; issues: readonly ConfigIssue[] };

async function readDocument(
  reading: Reading,
  path: string,
  code = 'unreadable',
): Promise<TomlDocument | null> {
  const read = await readSmall(reading, path, MAX_FILE_BYTES);
  if ('problem' in read) {
    reading.findings.error(code, `the configuration ${read.problem}`, { where: path });
    return null;
  }
  const text = read.bytes.toString('utf8');
  reading.findings.hide(secretsIn(text));
  const doc = readToml(path, text);
  if ('value' in doc) return doc;
  reading.findings.error(doc.code, doc.message, { where: doc.where });
  return null;
}

/** Whether this is the runner's own file. An empty or half-written one is: it must never count as ours with defaults. */
function isRunnerFile(doc: TomlDocument): boolean {
  const table = doc.value['hostler'];
  if (isTable(table) && 'runner_config' in table) return false;
  const sections = doc.value['runners'] ?? doc.value['Runners'];
  const named = Array.isArray(sections) ? (sections as unknown[]).filter(isTable) : [];
  if (named.some((section) => ['executor', 'token', 'url', 'machine'].some((key) => key in section)))
    return true;
  const isOurs = (key: string): boolean => nearest(key, ['hostler', 'pools']) !== null;
  return !Object.keys(doc.value).some(isOurs) && !named.some((section) => 'hostler' in section);
}

type Documents = {
  own: OwnTables | null;
  inRunner: OwnTables;
  runner: RunnerFile;
  folder: string;
  environment: Layer;
};

async function readDocuments(reading: Reading, path: string): Promise<Documents | null> {
  const environment = environmentLayer(reading.env, daemonKeys, daemonVariable);
  const first = await readDocument(reading, path);
  if (!first) return null;
  const isRunners = isRunnerFile(first);
  const tables = readOwnTables(reading, first, isRunners ? 'runner-file' : 'file');
  const layers = [environment, tables.daemon];
  const picked = pick(reading, layers, 'runner_config', daemonKeys.runner_config);
  const named = picked?.value ?? (isRunners ? path : daemonDefaults.runner_config);
  const runnerPath = absolute(named, picked?.entry.origin === 'environment' ? resolve('.') : dirname(path));
  record(reading, 'hostler.runner_config', runnerPath, picked?.entry ?? null);
  const folder = dirname(path);
  if (isRunners && runnerPath === path) {
    return { own: null, inRunner: tables, runner: readRunnerFile(reading, first), folder, environment };
  }
  const second = runnerPath === path ? first : await readDocument(reading, runnerPath, 'runner-unreadable');
  if (!second) return null;
  const inRunner = second === first ? tables : readOwnTables(reading, second, 'runner-file');
  return { own: tables, inRunner, runner: readRunnerFile(reading, second), folder, environment };
}

function refuseWithoutPools(reading: Reading, runner: RunnerFile): void {
  const { otherExecutors, sections, doc } = runner;
  if (sections.length > 0) return;
  const wanted = 'executor = "docker+machine"';
  const [first = ''] = otherExecutors;
  const found =
    otherExecutors.length === 0
      ? 'no [[runners]] section'
      : `only ${[...new Set(otherExecutors)].map(shown).join(', ')}${hint(first, ['docker+machine'])}`;
  const said = `no [[runners]] section with ${wanted}; found ${found}`;
  reading.findings.error('no-pools', said, { where: doc.file });
}

async function build(reading: Reading, documents: Documents): Promise<Config> {
  const { own, inRunner, runner, environment } = documents;
  const layers = [environment, ...(own ? [own.daemon] : []), inRunner.daemon];
  const { settings, assumeRoleArn, interruptionQueue } = await readDaemonSettings({
    reading,
    layers,
    folder: documents.folder,
    runner,
  });
  const scope = {
    reading,
    folder: dirname(runner.doc.file),
    runnerFile: runner.doc.file,
    assumeRoleArn,
    interruptionQueue,
    accounts: new Map<string, string[]>(),
  };
  const pools = await readPools(scope, runner, [
    ...(own?.pools ?? []),
    ...(own === inRunner ? [] : inRunner.pools),
  ]);
  checkEnvironmentNames(
    reading,
    pools.map(({ id }) => id),
  );
  const { concurrent } = runner.top.value;
  const spot = runner.top.spot('concurrent');
  if (concurrent === 0)
    reading.findings.warn(
      'concurrent-zero',
      'concurrent 0 does not mean no bound: the runner takes no job',
      spot,
    );
  const fromRunner = concurrent === undefined ? null : ({ origin: 'runner-file', spot } as const);
  record(reading, 'concurrent', concurrent ?? 1, fromRunner);
  return {
    settings,
    // The runner's own default.
    concurrent: concurrent ?? 1,
    pools,
    files: [],
    warnings: [],
    values: [],
  };
}

/**
 * Reads the whole configuration and every finding about it, errors first. `config` is null when there is an error.
 * Never throws for what a file or the environment holds.
 */
export async function readConfig(source: ConfigSource): Promise<ReadResult> {
  const path = resolve(source.path);
  const reading: Reading = {
    env: source.env,
    home: source.home ?? (source.env['HOME'] || null),
    zone: source.zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone,
    findings: createFindings(),
    values: [],
    files: new Set(),
    tokenOrigin: null,
  };
  const { findings } = reading;
  const documents = await readDocuments(reading, path);
  if (documents) refuseWithoutPools(reading, documents.runner);
  const built = documents ? await build(reading, documents) : null;
  const issues = findings.all();
  if (!built || findings.hasErrors()) return { config: null, issues };
  const values = reading.values.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return { config: { ...built, files: [...reading.files], warnings: issues, values }, issues };
}

/** `file:line:column: key: message`. */
export function describeIssue({ where, key, message }: ConfigIssue): string {
  const named = key !== null && !(where ?? '').includes(key) ? key : null;
  return [where, named, message].filter((part) => part !== null).join(': ');
}

const codes: Record<string, ErrorCode> = {
  unreadable: 'config-unreadable',
  'runner-unreadable': 'config-unreadable',
  syntax: 'config-syntax',
  'no-pools': 'config-no-pools',
};

/** The catalogue's code for one error of a reading. */
export function codeOfIssue(issue: ConfigIssue): ErrorCode {
  return codes[issue.code] ?? 'config-invalid';
}

/** The error that stands for a refused configuration: its first finding, and how many more there are. */
function refusal(issues: readonly ConfigIssue[]): HostlerError {
  const errors = issues.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (!first) return new HostlerError('config-invalid', 'the configuration cannot be used');
  const more = errors.length === 1 ? '' : ` (and ${errors.length - 1} more: hostler check lists them)`;
  const where = first.where === null ? {} : { where: first.where };
  return new HostlerError(codeOfIssue(first), `${describeIssue(first)}${more}`, where);
}

/**
 * The configuration, or HostlerError `config-unreadable`, `config-syntax`, `config-no-pools` or `config-invalid` that
 * names place, key and what would be right.
 */
export async function loadConfig(source: ConfigSource): Promise<Config> {
  const { config, issues } = await readConfig(source);
  if (!config) throw refusal(issues);
  return config;
}
