// `hostler pause`: holds pools as they are: no launches, no retirements; machines that are ready are still handed out.
import type { Command } from 'commander';
import { type CallOptions, callDaemon, withSocket } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { choosePools, orderEach } from './pool-order.ts';

/** Registers `pause`. */
export function register(program: Command, io: CliIo): void {
  withSocket(program.command('pause'))
    .description('stop launching and retiring in pools; leases go on')
    .argument('[pools...]', 'pools by name')
    .option('-a, --all', 'all pools')
    .action((names: string[], options: CallOptions & { all?: boolean }) =>
      callDaemon(io, options, async (client) => {
        const pools = await choosePools(client, names, options.all === true);
        await orderEach(io, pools, (pool) => client.pause(pool));
      }),
    );
}
