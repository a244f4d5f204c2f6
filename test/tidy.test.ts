// House rules as tests: who may import whom, sizes, banned calls, documented codes. A broken rule names file and line.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '../src/domain/error.ts';
import { reasonTexts } from '../src/domain/reason.ts';

const root = join(import.meta.dirname, '..');
const src = join(root, 'src');

function filesBelow(folder: string, endings: readonly string[]): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** Room of a source file: the first folder below src, for adapters and doors the second too, for files in src their name. */
function room(file: string): string {
  const [first = '', second = ''] = relative(src, join(root, file)).split('/');
  if ((first === 'adapters' || first === 'doors') && second !== '') return `${first}/${second}`;
  return first;
}

/** May import, besides itself; the table of docs/architecture.md. Types count too. */
const mayImport: Record<string, readonly string[]> = {
  domain: [],
  ports: ['domain'],
  planner: ['domain', 'ports', 'queue'],
  // Pure rules of the job queue: matching, pace of the looks, forecast.
  queue: ['domain'],
  provision: ['domain', 'ports'],
  reconcile: ['domain', 'ports', 'planner', 'provision', 'service', 'queue'],
  service: ['domain', 'ports', 'contract', 'planner', 'queue'],
  contract: ['domain'],
  'adapters/*': ['domain', 'ports', 'contract'],
  // The reader of periods asks the calendar that will run them.
  'adapters/config': ['domain', 'ports', 'contract', 'planner'],
  'doors/http': ['domain', 'service', 'contract', 'ports'],
  'doors/cli': [
    'domain',
    'contract',
    'planner',
    'adapters/config',
    'adapters/telemetry',
    'emulator',
    'demo',
    'simulator',
    'daemon.ts',
  ],
  'doors/docker-machine': ['domain', 'contract'],
  sim: ['domain'],
  emulator: ['domain', 'sim'],
  // The stand-in runner goes by the runner's rules, which the simulator's runner shares.
  demo: ['domain', 'contract', 'sim'],
  // A second composition root: the daemon's parts on simulated ports.
  simulator: ['*'],
  'assemble.ts': ['domain', 'ports', 'contract', 'planner', 'provision', 'reconcile', 'service'],
  'wire.ts': ['*'],
  'daemon.ts': ['*'],
  'main.ts': ['*'],
};

const sources = filesBelow(src, ['.ts', '.cjs']);
const imports = sources.flatMap((file) =>
  [
    ...readFileSync(join(root, file), 'utf8').matchAll(
      /(?:from\s+|import\s*\(\s*|import\s+|require\()'([^']+)'/g,
    ),
  ].map((match) => ({ file, target: match[1] ?? '' })),
);

describe('layers', () => {
  test('a file imports only the rooms that the table allows', () => {
    const breaches = imports
      .filter(({ target }) => target.startsWith('.'))
      .map(({ file, target }) => ({ file, to: relative(root, resolve(dirname(join(root, file)), target)) }))
      .filter(({ file, to }) => {
        const [from, into] = [room(file), room(to)];
        if (from === into) return false;
        const allowed =
          mayImport[from] ?? (from.startsWith('adapters/') ? mayImport['adapters/*'] : undefined);
        return !(allowed?.includes('*') || allowed?.includes(into));
      });
    expect(breaches).toEqual([]);
  });

  test('only adapters know packages of the outside world', () => {
    const homes: Record<string, string> = {
      '@aws-sdk/': 'src/adapters/aws/',
      ssh2: 'src/(adapters/(ssh|keys)|emulator)/',
      pino: 'src/adapters/telemetry/',
      'prom-client': 'src/adapters/telemetry/',
      fastify: 'src/(doors/http|emulator)/',
      zod: 'src/(contract|adapters|doors/http)/',
      'node:sqlite': 'src/adapters/sqlite/',
      croner: 'src/planner/schedule.ts',
      '@peculiar/x509': 'src/adapters/keys/',
      undici: 'src/adapters/gitlab/',
      commander: 'src/doors/',
      'smol-toml': 'src/adapters/config/',
      'toml-eslint-parser': 'src/adapters/config/',
    };
    const breaches = imports.filter(({ file, target }) =>
      Object.entries(homes).some(
        ([name, home]) => target.startsWith(name) && !new RegExp(`^${home}`).test(file),
      ),
    );
    expect(breaches).toEqual([]);
  });
});

describe('time and randomness', () => {
  test('only the system adapter, doors, the emulator and the demo touch the real clock or entropy', () => {
    const free = /^src\/(adapters\/system|adapters\/keys|doors|emulator|demo|daemon\.ts|main\.ts)/;
    const banned =
      /\b(Date\.now\(|new Date\(\)|Math\.random\(|setTimeout\(|setInterval\(|performance\.now\(|AbortSignal\.timeout\()/;
    const breaches = sources
      .filter((file) => !free.test(file))
      .flatMap((file) =>
        readFileSync(join(root, file), 'utf8')
          .split('\n')
          .flatMap((line, index) => (banned.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
      );
    expect(breaches).toEqual([]);
  });
});

describe('shape', () => {
  test('a source file has at most 300 lines, a test at most 500', () => {
    const long = [
      ...sources.map((file) => [file, 300] as const),
      ...filesBelow(join(root, 'test'), ['.ts']).map((file) => [file, 500] as const),
    ]
      .map(([file, limit]) => ({
        file,
        limit,
        lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1,
      }))
      .filter(({ lines, limit }) => lines > limit);
    expect(long).toEqual([]);
  });

  test('a source file begins with what it is for', () => {
    expect(
      sources.filter((file) => !/^(#!.*\n)?(\/\/|\/\*)/.test(readFileSync(join(root, file), 'utf8'))),
    ).toEqual([]);
  });

  test('no folder or file is a dumping ground', () => {
    expect(
      sources.filter((file) => /\/(utils?|helpers?|common|misc|lib|index|types)(\.ts|\/)/.test(file)),
    ).toEqual([]);
  });
});

describe('documents', () => {
  const read = (file: string) => readFileSync(join(root, file), 'utf8');

  test('every error code has its entry in docs/errors.md', () => {
    const text = read('docs/errors.md');
    expect(Object.keys(errorCodes).filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  test('every reason code has its entry in docs/reasons.md', () => {
    const text = read('docs/reasons.md');
    expect(Object.keys(reasonTexts).filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  test('the changelog has an entry for the current version', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(read('CHANGELOG.md')).toContain(`## ${version}`);
  });
});
