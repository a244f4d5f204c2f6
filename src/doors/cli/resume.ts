// `hostler resume`: ends a pause or a drain.
import type { Command } from 'commander';
import { type CallOptions, callDaemon, withSocket } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { choosePools, orderEach } from './pool-order.ts';

/** Registers `resume`. */
export function register(program: Command, io: CliIo): void {
  withSocket(program.command('resume'))
    .description('end a pause or a drain')
    .argument('[pools...]', 'pools by name')
    .option('-a, --all', 'all pools')
    .action((names: string[], options: CallOptions & { all?: boolean }) =>
      callDaemon(io, options, async (client) => {
        const pools = await choosePools(client, names, options.all === true);
        await orderEach(io, pools, (pool) => client.resume(pool));
      }),
    );
}
