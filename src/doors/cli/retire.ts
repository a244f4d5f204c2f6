// `hostler retire`: ends single machines that a person has chosen. A machine that a runner holds
// is refused, unless `--force` says that its job may be lost.
import type { Command } from 'commander';
import type { Client } from '../../contract/client.ts';
import { HostlerError } from '../../domain/error.ts';
import { type CallOptions, callDaemon, confirm, withSocket } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { plain } from './paint.ts';

/** Machine ids for what was typed: ids, instance ids, addresses or lease names. Throws `not-found` before anything changes. */
async function chooseMachines(client: Client, names: readonly string[]): Promise<string[]> {
  const machines = await client.machines();
  const ids = names.map((name) => {
    const match = machines.find((machine) =>
      [machine.id, machine.instance, machine.address, machine.lease].includes(name),
    );
    if (match !== undefined) return match.id;
    throw new HostlerError('not-found', `no machine ${name}; "hostler machines" lists them`);
  });
  return [...new Set(ids)];
}

/** Registers `retire`. */
export function register(program: Command, io: CliIo): void {
  withSocket(program.command('retire'))
    .description('end machines; one that a runner holds is refused')
    .argument('<machines...>', 'machine ids, instance ids, addresses or lease names')
    .option('-f, --force', 'also machines that a runner holds; their jobs are lost')
    .option('-y, --yes', 'do not ask')
    .action((names: string[], options: CallOptions & { force?: boolean; yes?: boolean }) =>
      callDaemon(io, options, async (client) => {
        const ids = await chooseMachines(client, names);
        const isForced = options.force === true;
        const loss = isForced ? ', and their jobs with them' : '';
        await confirm(io, options.yes, `retire ends ${ids.join(', ')}${loss}`);
        for (const id of ids) io.out(`${plain((await client.retire(id, isForced)).message)}\n`);
      }),
    );
}
