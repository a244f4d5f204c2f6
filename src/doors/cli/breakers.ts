// `hostler breakers`: what failed launches have closed, and when it is tried again.
import type { Command } from 'commander';
import type { BreakerReply } from '../../contract/api.ts';
import { callDaemon, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import { describeDuration } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint } from './paint.ts';
import { drawTable } from './text-table.ts';

/** Lines of the table. */
export function drawBreakers(breakers: readonly BreakerReply[], now: number, paint: Paint): string[] {
  const colours = { closed: paint.red, 'half-open': paint.yellow, marked: paint.dim };
  const tryIn = ({ state, next_try: at }: BreakerReply) => {
    const left = Date.parse(at) - now;
    if (state === 'half-open' || left <= 0) return 'one machine, at the next need';
    return state === 'marked' ? `last choice for ${describeDuration(left)}` : `in ${describeDuration(left)}`;
  };
  return drawTable(
    breakers,
    [
      { title: 'KEY', of: (one) => one.key },
      { title: 'STATE', of: (one) => one.state, paint: (text, one) => colours[one.state](text) },
      { title: 'NEXT TRY', of: tryIn },
      { title: 'FAILURES', of: (one) => one.failures },
      { title: 'POOLS', of: (one) => one.pools.join(' ') },
      { title: 'WHY', of: (one) => `${one.code}: ${one.message}` },
    ],
    paint,
  );
}

/** Registers `breakers`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('breakers'))
    .description('list what failed launches have closed: offerings, markets, quotas, subnets, accounts')
    .action((options: ReadOptions) =>
      callDaemon(io, options, async (client) => {
        const breakers = await client.breakers();
        if (options.json === true) printJson(io, breakers);
        else if (breakers.length > 0) printLines(io, drawBreakers(breakers, io.now(), createPaint(io)));
        else printLines(io, ['nothing is closed: launches may go out everywhere']);
      }),
    );
}
