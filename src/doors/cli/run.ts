// `hostler run`: starts the daemon. Its modules (EC2, SSH, SQLite) load only here, so that light verbs stay light.
import type { Command } from 'commander';
import type { CliIo } from './io.ts';

/** Registers `run`. The daemon's exit code becomes the process's. */
export function register(program: Command, io: CliIo): void {
  program
    .command('run')
    .description('run the daemon')
    .option(
      '-c, --config <file>',
      "hostler's own file, or the runner's config.toml",
      '/etc/hostler/config.toml',
    )
    .action(async (options: { config: string }) => {
      const { runDaemon } = await import('../../daemon.ts');
      process.exitCode = await runDaemon({
        configPath: options.config,
        env: io.env,
        out: (text: string) => {
          io.out(text);
        },
        err: (text: string) => {
          io.err(text);
        },
      });
    });
}
