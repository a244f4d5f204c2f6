// `hostler reload`: has the daemon read its configuration again; a refused file is an error here and changes nothing there.
import type { Command } from 'commander';
import { type CallOptions, callDaemon, withSocket } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { plain } from './paint.ts';

/** Registers `reload`. */
export function register(program: Command, io: CliIo): void {
  withSocket(program.command('reload'))
    .description('read the configuration again')
    .action((options: CallOptions) =>
      callDaemon(io, options, async (client) => {
        io.out(`${plain((await client.reload()).message)}\n`);
      }),
    );
}
