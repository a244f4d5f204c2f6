// `hostler advise`: the cheapest idle policy that keeps a wait, for recorded or modelled jobs, with what other waits would cost.
// Must not change a file: it prints what could stand there.
// Trap: it works on one pool; jobs of all tags count as that pool's.
import type { Command } from 'commander';
import type { PoolSpec, Schedule } from '../../domain/config.ts';
import { HostlerError } from '../../domain/error.ts';
import { SECOND_MS } from '../../domain/units.ts';
import type { Advice, CurvePoint } from '../../simulator/report/advise.ts';
import { printJson, printLines } from './daemon-call.ts';
import type { CliIo } from './io.ts';
import { createPaint } from './paint.ts';
import { type FrameFlags, readFrame, readSeconds, readSimulated, withFrame } from './simulate-flags.ts';
import { drawTable } from './text-table.ts';

type Flags = FrameFlags & { waitP95: number; prove?: boolean; json?: boolean };

/** Longer records would make the search slow and tell nothing new. */
const MAX_DAYS = 28;

const policyKeys = (policy: Schedule['base']) => ({
  IdleCount: policy.idleCount,
  ...(policy.idleScaleFactor > 0
    ? { IdleCountMin: policy.idleCountMin, IdleScaleFactor: policy.idleScaleFactor }
    : {}),
  IdleTime: policy.idleTimeMs / SECOND_MS,
});

function jsonOf({ schedule, estimate }: Advice) {
  return {
    ...policyKeys(schedule.base),
    autoscaling: schedule.periods.map((period) => ({
      Periods: period.written,
      ...policyKeys(period),
      Timezone: period.timezone,
    })),
    estimate: {
      wait_s: estimate.wait,
      machine_hours: {
        busy: Number(estimate.busyHours.toFixed(1)),
        idle: Number(estimate.idleHours.toFixed(1)),
      },
      machines: estimate.machines,
    },
  };
}

/** As it would stand in the runner's file. */
function tomlOf({ schedule }: Advice): string[] {
  const keys = (policy: Schedule['base'], pad: string) =>
    Object.entries(policyKeys(policy)).map(([key, value]) => `${pad}${key} = ${value}`);
  return [
    '  [runners.machine]',
    ...keys(schedule.base, '    '),
    ...schedule.periods.flatMap((period) => [
      '    [[runners.machine.autoscaling]]',
      `      Periods = [${period.written.map((line) => `"${line}"`).join(', ')}]`,
      ...keys(period, '      '),
      `      Timezone = "${period.timezone}"`,
    ]),
  ];
}

function onlyPool(pools: readonly PoolSpec[]): PoolSpec {
  const [pool, ...more] = pools;
  if (pool === undefined || more.length > 0)
    throw new HostlerError('usage', `name one pool with --pool: ${pools.map(({ id }) => id).join(', ')}`);
  return pool;
}

function curveTable(curve: readonly CurvePoint[], io: CliIo): string[] {
  return drawTable(
    curve,
    [
      { title: 'P95 ASKED', of: ({ waitP95S }) => `${waitP95S} s` },
      { title: 'P95', of: ({ advice }) => advice && `${advice.estimate.wait.p95} s` },
      { title: 'IDLE H', of: ({ advice }) => advice && Math.round(advice.estimate.idleHours) },
      { title: 'BUSY H', of: ({ advice }) => advice && Math.round(advice.estimate.busyHours) },
      { title: 'MACHINES', of: ({ advice }) => advice && advice.estimate.machines },
      {
        title: 'IDLECOUNT',
        of: ({ advice }) =>
          advice &&
          [advice.schedule.base, ...advice.schedule.periods].map(({ idleCount }) => idleCount).join(' / '),
      },
    ],
    createPaint(io),
  );
}

async function play(path: string | undefined, flags: Flags, io: CliIo): Promise<void> {
  const { advise } = await import('../../simulator/report/advise.ts');
  const config = await readSimulated(path, flags, io);
  const pool = onlyPool(config.pools);
  const frame = await readFrame(flags);
  if (frame.days > MAX_DAYS)
    throw new HostlerError(
      'usage',
      `the jobs span ${Math.ceil(frame.days)} days; advise on ${MAX_DAYS} at most (--days)`,
    );
  const { waitP95 } = flags;
  const { best, curve, tried } = advise({
    arrivals: frame.workload,
    startAt: frame.startAt,
    days: frame.days,
    bootMs: frame.bootMs,
    waitP95S: waitP95,
    limit: pool.limit,
  });
  if (best === null)
    throw new HostlerError(
      'usage',
      `nothing tried keeps p95 ≤ ${waitP95} s; is limit ${pool.limit} too low?`,
    );
  const proof = flags.prove === true ? await prove(pool, best) : null;
  if (flags.json === true) {
    const told = curve.map(({ waitP95S, advice }) => ({
      wait_p95_s: waitP95S,
      ...(advice === null ? { advice: null } : jsonOf(advice)),
    }));
    printJson(
      io,
      {
        pool: pool.id,
        jobs: frame.workload.length,
        wait_p95_s: waitP95,
        tried,
        advice: jsonOf(best),
        curve: told,
        ...(proof === null ? {} : { proof }),
      },
      'line',
    );
    return;
  }
  printLines(io, [
    `${frame.workload.length} jobs in ${Number(frame.days.toFixed(2))} days, 95 of 100 with a host within ${waitP95} s, boot ${frame.bootMs / SECOND_MS} s (${tried} settings estimated)`,
    '',
    ...tomlOf(best),
    '',
    ...curveTable(curve, io),
    ...(proof === null
      ? []
      : [
          '',
          `simulated: p95 ${proof.wait_s.p95} s, ${proof.machine_hours.idle} idle machine-hours, $${proof.cost_usd}`,
        ]),
  ]);

  async function prove(one: PoolSpec, { schedule }: Advice) {
    const { runPolicy } = await import('../../simulator/report/run-policy.ts');
    const advised = { ...config, pools: [{ ...one, runnerSchedule: schedule, ownSchedule: schedule }] };
    return (await runPolicy('hostler', advised, frame)).figures;
  }
}

/** Registers `advise`. */
export function register(program: Command, io: CliIo): void {
  withFrame(
    program
      .command('advise')
      .description('the cheapest IdleCount, factor and periods that keep a wait')
      .argument('[config]', "hostler's own file or the runner's config.toml; without it an example"),
  )
    .option('--wait-p95 <time>', '95 of 100 jobs have a host within it', readSeconds, 30)
    .option('--prove', 'run the simulator with what was found (minutes for a week)')
    .option('--json', 'print the documented JSON instead of text')
    .action((path: string | undefined, flags: Flags) => play(path, flags, io));
}
