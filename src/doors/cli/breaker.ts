// `hostler breaker reset`: opens by hand what failed launches have closed.
import type { Command } from 'commander';
import { type CallOptions, callDaemon, withSocket } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { plain } from './paint.ts';

/** Registers `breaker`. */
export function register(program: Command, io: CliIo): void {
  const group = program.command('breaker').description('open what failed launches have closed');
  withSocket(group.command('reset'))
    .description('launches may go out there at once; "hostler breakers" lists the keys')
    .argument('<keys...>', 'keys as "hostler breakers" shows them')
    .action((keys: string[], options: CallOptions) =>
      callDaemon(io, options, async (client) => {
        for (const key of keys) io.out(`${plain((await client.resetBreaker(key)).message)}\n`);
      }),
    );
}
