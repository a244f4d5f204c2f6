// A folder of its own for configuration files of one test, and a section in the runner's syntax to start from.
// Real files: the reader sees what it would see on a machine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/adapters/config/load.ts';
import { HostlerError } from '../../src/domain/error.ts';

export type ConfigFolder = {
  path: string;
  /** Writes a file and gives its path. */
  write(name: string, text: string): string;
  /** What the daemon says about a file that it does not take, with the folder's own path cut out. */
  refused(path: string, env?: Readonly<Record<string, string>>): Promise<{ code: string; line: string }>;
  end(): void;
};

export function createConfigFolder(): ConfigFolder {
  const path = mkdtempSync(join(tmpdir(), 'hostler-config-'));
  return {
    path,
    write: (name, text) => {
      writeFileSync(join(path, name), text);
      return join(path, name);
    },
    refused: async (file, env = {}) => {
      try {
        await loadConfig({ path: file, env: { HOME: '/nowhere', ...env }, zone: 'UTC' });
      } catch (error) {
        if (!(error instanceof HostlerError)) throw error;
        return { code: error.code, line: error.message.replaceAll(`${path}/`, '') };
      }
      throw new Error('the configuration was taken');
    },
    end: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Options of a section that has nothing to warn about. */
export const plainOptions: readonly string[] = [
  'amazonec2-region=eu-central-1',
  'amazonec2-subnet-id=subnet-0a1b2c3d',
  'amazonec2-instance-type=m5.large',
];

export type SectionText = {
  name?: string;
  token?: string;
  executor?: string;
  limit?: number;
  /** Lines of [runners.machine] beside MachineDriver, MachineName and MachineOptions. */
  machine?: string;
  options?: readonly string[];
  /** Lines after [runners.machine], such as its periods. */
  after?: string;
};

/** One `[[runners]]` section as text; the third line is its token. */
export function sectionText(over: SectionText = {}): string {
  const options = (over.options ?? plainOptions).map((option) => `    ${JSON.stringify(option)},`);
  return `[[runners]]
  name = ${JSON.stringify(over.name ?? 'build')}
  token = ${JSON.stringify(over.token ?? 'glrt-abcdefghijklmno')}
  executor = ${JSON.stringify(over.executor ?? 'docker+machine')}
  limit = ${over.limit ?? 20}
  [runners.machine]
    MachineDriver = "amazonec2"
    MachineName = "ci-%s"
    ${(over.machine ?? 'IdleCount = 2\n    IdleTime = 600\n    MaxBuilds = 10').trim()}
    MachineOptions = [
${options.join('\n')}
    ]
${over.after ?? ''}`;
}

/** A whole runner's file. */
export function runnerText(...sections: readonly SectionText[]): string {
  return `concurrent = 10\n\n${(sections.length === 0 ? [{}] : sections).map(sectionText).join('\n')}`;
}
