// `hostler drain`: empties pools. No launches, no new leases; idle machines end, busy ones when their job does.
import type { Command } from 'commander';
import { type CallOptions, callDaemon, confirm, withSocket } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { choosePools, orderEach } from './pool-order.ts';

/** Registers `drain`. */
export function register(program: Command, io: CliIo): void {
  withSocket(program.command('drain'))
    .description('empty pools: no new leases, idle machines end, busy ones after their job')
    .argument('[pools...]', 'pools by name')
    .option('-a, --all', 'all pools')
    .option('-y, --yes', 'do not ask')
    .action((names: string[], options: CallOptions & { all?: boolean; yes?: boolean }) =>
      callDaemon(io, options, async (client) => {
        const pools = await choosePools(client, names, options.all === true);
        await confirm(
          io,
          options.yes,
          `drain ends all idle machines of ${pools.join(', ')} and hands out no more`,
        );
        await orderEach(io, pools, (pool) => client.drain(pool));
      }),
    );
}
