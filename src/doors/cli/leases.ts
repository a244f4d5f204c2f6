// `hostler leases`: who holds a machine and who waits for one.
import type { Command } from 'commander';
import type { LeaseReply } from '../../contract/api.ts';
import { callDaemon, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import { describeAge, describeDuration } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint } from './paint.ts';
import { drawTable } from './text-table.ts';

/** Lines of the table. */
export function drawLeases(leases: readonly LeaseReply[], now: number, paint: Paint): string[] {
  const stateColours = { waiting: paint.yellow, granted: paint.yellow, held: paint.green, busy: paint.bold };
  return drawTable(
    leases,
    [
      { title: 'NAME', of: (lease) => lease.name },
      { title: 'POOL', of: (lease) => lease.pool },
      {
        title: 'STATE',
        of: (lease) => (lease.place === null ? lease.state : `${lease.state} (${lease.place}.)`),
        paint: (text, lease) => stateColours[lease.state](text),
      },
      { title: 'MACHINE', of: (lease) => lease.machine },
      { title: 'FOR', of: (lease) => describeAge(lease.since, now) },
      { title: 'WAITED', of: (lease) => describeDuration(lease.waited_s * 1_000) },
      { title: 'RUNNER PID', of: (lease) => lease.runner_pid },
      { title: 'JOBS', of: (lease) => lease.jobs.map((job) => job.id).join(' ') },
    ],
    paint,
  );
}

/** Registers `leases`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('leases'))
    .description('list leases: who holds a machine, who waits for one')
    .option('-p, --pool <pool>', 'only those of one pool')
    .action((options: ReadOptions & { pool?: string }) =>
      callDaemon(io, options, async (client) => {
        const leases = (await client.leases()).filter(
          (lease) => options.pool === undefined || lease.pool === options.pool,
        );
        if (options.json === true) printJson(io, leases);
        else if (leases.length > 0) printLines(io, drawLeases(leases, io.now(), createPaint(io)));
        else printLines(io, ['no leases: no runner holds a machine and no create waits']);
      }),
    );
}
