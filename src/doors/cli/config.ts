// `hostler config`: every effective value of a configuration and where it came from, secrets hidden. Reads the files as
// the daemon would; needs no daemon.
import type { Command } from 'commander';
import type { ConfigReply } from '../../contract/api.ts';
import type { ConfigValue } from '../../domain/config.ts';
import { printJson, printLines } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { createPaint, plain } from './paint.ts';
import { drawTable } from './text-table.ts';

type ConfigOptions = { config: string; json?: boolean };

function shownValue(value: ConfigValue['value']): string {
  if (value === null || value === '') return '-';
  return typeof value === 'object' ? value.join(', ') || '-' : String(value);
}

/** Registers `config`. */
export function register(program: Command, io: CliIo): void {
  program
    .command('config')
    .description('print every effective value and where it came from')
    .option(
      '-c, --config <file>',
      "hostler's own file, or the runner's config.toml",
      '/etc/hostler/config.toml',
    )
    .option('--json', 'print the documented JSON instead of text')
    .action(async (options: ConfigOptions) => {
      const { loadConfig } = await import('../../adapters/config/load.ts');
      const { values, warnings } = await loadConfig({ path: options.config, env: io.env });
      if (options.json) {
        printJson(io, { values, warnings } satisfies ConfigReply);
        return;
      }
      const columns = [
        { title: 'KEY', of: (row: ConfigValue) => row.key },
        { title: 'VALUE', of: (row: ConfigValue) => plain(shownValue(row.value)).slice(0, 80) },
        { title: 'ORIGIN', of: (row: ConfigValue) => row.origin },
        { title: 'WHERE', of: (row: ConfigValue) => row.where },
      ];
      printLines(io, drawTable(values, columns, createPaint(io)));
    });
}
