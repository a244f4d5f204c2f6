// What users read about the configuration agrees with what is read of it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../../../src/adapters/config/load.ts';
import { optionNames } from '../../../../src/adapters/config/option-table.ts';
import { daemonKeys, poolKeys } from '../../../../src/adapters/config/own-keys.ts';
import { queueKeys } from '../../../../src/adapters/config/queue-keys.ts';
import { ownPeriodKeys } from '../../../../src/adapters/config/value-kind.ts';

const root = join(import.meta.dirname, '../../../..');
const text = readFileSync(join(root, 'docs/configuration.md'), 'utf8');

function section(title: string): string {
  const [, after = ''] = text.split(`\n## ${title}\n`);
  return after.split('\n## ')[0] ?? '';
}

/** Names in the first column of the tables of a section. */
function firstColumn(title: string): string[] {
  return section(title)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
}

describe('docs/configuration.md', () => {
  test('has each key of [hostler] and no other', () => {
    expect(firstColumn('`[hostler]`')).toEqual(Object.keys(daemonKeys));
  });

  test('has each key of a pool and no other', () => {
    expect(firstColumn('`[[pools]]`')).toEqual(['name', ...Object.keys(poolKeys)]);
  });

  test('has each key of a queue and no other', () => {
    expect(firstColumn('Job queue')).toEqual(Object.keys(queueKeys));
  });

  test('has each key of a period', () => {
    expect(ownPeriodKeys.filter((key) => !section('Periods').includes(`\`${key}\``))).toEqual([]);
  });

  test('has each create option and no other', () => {
    const written = firstColumn('Create options').filter((name) => name !== 'swarm-…');
    const plain = optionNames.filter((name) => !name.startsWith('swarm-'));
    expect(written.toSorted()).toEqual(plain.toSorted());
  });

  test('has each warning and no other', () => {
    const folders = ['src/adapters/config', 'src/doors/cli'];
    const sources = folders.flatMap((folder) =>
      readdirSync(join(root, folder)).map((file) => readFileSync(join(root, folder, file), 'utf8')),
    );
    const spoken = sources.flatMap((source) =>
      [...source.matchAll(/(?:findings\.warn\(|code: )\s*'([a-z]+-[a-z-]+)'/g)].map(([, code]) => code ?? ''),
    );
    const known = [...new Set(spoken)].filter((code) => !/^runner-unreadable$/.test(code));
    expect(firstColumn('Warnings').toSorted()).toEqual(known.toSorted());
  });
});

describe('the examples in deploy/examples', () => {
  const env = { HOME: '/home/ci', RUNNER_TOKEN: 'glrt-abcdefghijklmno' };
  const example = (name: string): string => join(root, 'deploy/examples', name);

  test('for a runner on demand and for our own file fit each other', async () => {
    const { config, issues } = await readConfig({
      path: example('hostler.toml'),
      env: { ...env, HOSTLER_RUNNER_CONFIG: example('runner-on-demand.toml') },
    });
    expect(issues).toEqual([]);
    expect(config?.pools).toMatchObject([
      {
        id: 'aws-builds',
        ownSchedule: { base: { idleCount: 3 } },
        runnerSchedule: { base: { idleCount: 0 } },
      },
    ]);
  });

  test('for a runner by the clock stands alone', async () => {
    const { config, issues } = await readConfig({ path: example('runner-by-the-clock.toml'), env });
    expect(issues.map(({ code }) => code)).toEqual(['listen-claimed']);
    expect(config?.settings.listenAddress).toBe(':9253');
  });
});
