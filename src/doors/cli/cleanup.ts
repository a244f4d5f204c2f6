// `hostler cleanup`: ends everything that this owner has in EC2. For the end of an installation; jobs on it are lost.
// Trap: it fails when something is left, so that a script that tears an account down stops there.
import type { Command } from 'commander';
import type { CleanupReply } from '../../contract/api.ts';
import { HostlerError } from '../../domain/error.ts';
import { callDaemon, confirm, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { plain } from './paint.ts';

/** What ended, what was kept and why. */
export function drawCleanup(reply: CleanupReply): string[] {
  const ended =
    reply.terminated.length === 0
      ? 'nothing to terminate'
      : `terminated ${reply.terminated.length}: ${reply.terminated.join(' ')}`;
  // A daemon one version older does not tell.
  const ids: readonly string[] = (reply as Partial<CleanupReply>).removed ?? [];
  const removed = ids.length === 0 ? [] : [`removed ${ids.length}: ${ids.join(' ')}`];
  const kept = reply.kept.map(({ instance, why }) => `kept ${instance}: ${why}`);
  const next = 'all pools are drained now; hostler resume POOL opens one again';
  return [ended, ...removed, ...kept, `left: ${reply.left}`, next].map((line) => plain(line));
}

/** Registers `cleanup`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('cleanup'))
    .description('terminate everything of this owner in EC2; jobs that run there are lost')
    .option('--all-managers', 'also what other state folders of this owner launched')
    .option('-y, --yes', 'do not ask')
    .action((options: ReadOptions & { yes?: boolean; allManagers?: boolean }) =>
      callDaemon(io, options, async (client) => {
        const { owner } = await client.status();
        await confirm(io, options.yes, `cleanup terminates every instance of owner ${owner}, jobs included`);
        const reply = await client.cleanup(options.allManagers === true);
        if (options.json === true) printJson(io, reply);
        else printLines(io, drawCleanup(reply));
        if (reply.left > 0)
          throw new HostlerError(
            'cloud-refused',
            `${reply.left} things of owner ${owner} are left in EC2; run cleanup again`,
          );
      }),
    );
}
