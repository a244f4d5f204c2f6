// `hostler leaks`: what of this owner stands in EC2 without use, and what becomes of it. Looks only.
import type { Command } from 'commander';
import type { LeakReply } from '../../contract/api.ts';
import { callDaemon, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import { describeAge } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint } from './paint.ts';
import { type Column, drawTable } from './text-table.ts';

/** Lines of the table. */
export function drawLeaks(leaks: readonly LeakReply[], now: number, paint: Paint): string[] {
  const columns: Column<LeakReply>[] = [
    { title: 'KIND', of: (leak) => leak.kind },
    { title: 'ID', of: (leak) => leak.id },
    { title: 'SITE', of: (leak) => leak.site },
    { title: 'POOL', of: (leak) => leak.pool },
    { title: 'AGE', of: (leak) => describeAge(leak.created, now) },
    { title: 'DETAIL', of: (leak) => leak.detail },
    {
      title: 'STATE',
      of: (leak) => leak.state,
      paint: (text, leak) => (leak.state === 'stuck' ? paint.red(text) : text),
    },
    { title: 'WHY', of: (leak) => leak.why },
  ];
  return drawTable(leaks, columns, paint);
}

/** Registers `leaks`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('leaks'))
    .description("list what stands in EC2 with this owner's tags and no use")
    .action((options: ReadOptions) =>
      callDaemon(io, options, async (client) => {
        const reply = await client.leaks();
        if (options.json === true) return printJson(io, reply);
        if (reply.leaks.length > 0) return printLines(io, drawLeaks(reply.leaks, io.now(), createPaint(io)));
        return printLines(io, [`no leaks: everything of owner ${reply.owner} in EC2 is a machine on record`]);
      }),
    );
}
