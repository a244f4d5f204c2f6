// `hostler machines`: every machine the daemon knows, with phase, instance and who holds it.
import type { Command } from 'commander';
import type { MachineReply } from '../../contract/api.ts';
import { HostlerError } from '../../domain/error.ts';
import { callDaemon, printJson, printLines, type ReadOptions, withReading } from './daemon-call.ts';
import { describeAge } from './human-time.ts';
import type { CliIo } from './io.ts';
import { createPaint, type Paint } from './paint.ts';
import { describeWish } from './pool-words.ts';
import { type Column, drawTable } from './text-table.ts';

function noteOf(machine: MachineReply): string {
  const words = new Set([machine.ending, machine.failure, machine.healthy ? null : 'unhealthy']);
  return [...words].filter((word) => word !== null).join(', ');
}

function columnsFor(now: number, paint: Paint): Column<MachineReply>[] {
  const phaseColours: Partial<Record<MachineReply['phase'], (text: string) => string>> = {
    ready: paint.green,
    leased: paint.bold,
    draining: paint.yellow,
    terminating: paint.dim,
    gone: paint.dim,
  };
  return [
    { title: 'ID', of: (machine) => machine.id },
    { title: 'POOL', of: (machine) => machine.pool },
    {
      title: 'PHASE',
      of: (machine) => machine.phase,
      paint: (text, machine) => phaseColours[machine.phase]?.(text) ?? text,
    },
    { title: 'FOR', of: (machine) => describeAge(machine.since, now) },
    { title: 'INSTANCE', of: (machine) => machine.instance },
    { title: 'TYPE', of: (machine) => machine.type },
    { title: 'ZONE', of: (machine) => machine.zone },
    { title: 'MARKET', of: (machine) => machine.market },
    { title: 'ADDRESS', of: (machine) => machine.address },
    { title: 'BUILDS', of: (machine) => machine.builds },
    { title: 'LEASE', of: (machine) => machine.lease },
    { title: 'NOTE', of: noteOf, paint: paint.yellow },
  ];
}

/** Lines of the table. */
export function drawMachines(machines: readonly MachineReply[], now: number, paint: Paint): string[] {
  return drawTable(machines, columnsFor(now, paint), paint);
}

/** Registers `machines`. */
export function register(program: Command, io: CliIo): void {
  withReading(program.command('machines'))
    .description('list machines')
    .option('-p, --pool <pool>', 'only those of one pool')
    .action((options: ReadOptions & { pool?: string }) =>
      callDaemon(io, options, async (client) => {
        const isAsked = (pool: string) => options.pool === undefined || pool === options.pool;
        const machines = (await client.machines()).filter((machine) => isAsked(machine.pool));
        if (machines.length === 0 && options.pool !== undefined) {
          const known = (await client.pools()).map((pool) => pool.id);
          if (!known.includes(options.pool))
            throw new HostlerError('pool-unknown', `no pool ${options.pool}; there are: ${known.join(', ')}`);
        }
        if (options.json === true) return printJson(io, machines);
        if (machines.length > 0) return printLines(io, drawMachines(machines, io.now(), createPaint(io)));
        const pools = (await client.pools()).filter((pool) => isAsked(pool.id));
        const wishes = pools.map((pool) => describeWish(pool, io.now())).join('; ');
        return printLines(io, [`no machines: ${wishes === '' ? 'there are no pools' : wishes}`]);
      }),
    );
}
