// `hostler version`: this program and its Node, without asking any daemon.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { printJson } from './daemon-call.ts';
import type { CliIo } from './io.ts';

/** The version in package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Registers `version`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('version')
    .description('print the version')
    .option('--json', 'print the documented JSON instead of text')
    .action((options: { json?: boolean }) => {
      const [version, node] = [packageVersion(), process.version];
      if (options.json === true) printJson(io, { version, node });
      else io.out(`hostler ${version} (node ${node})\n`);
    });
}
