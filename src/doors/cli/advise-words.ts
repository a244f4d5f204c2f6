// An advice in words: as it would stand in a file, as JSON, as tables. Must not search or simulate.
import type { Schedule } from '../../domain/config.ts';
import { SECOND_MS } from '../../domain/units.ts';
import type { Advice, CurvePoint } from '../../simulator/report/advise.ts';
import type { Ahead, AheadTried, AheadWish } from '../../simulator/report/advise-ahead.ts';
import type { CliIo } from './io.ts';
import { createPaint } from './paint.ts';
import { drawTable } from './text-table.ts';

const policyKeys = (policy: Schedule['base']) => ({
  IdleCount: policy.idleCount,
  ...(policy.idleScaleFactor > 0
    ? { IdleCountMin: policy.idleCountMin, IdleScaleFactor: policy.idleScaleFactor }
    : {}),
  IdleTime: policy.idleTimeMs / SECOND_MS,
});

/** The advice as `--json` prints it. */
export function jsonOf({ schedule, estimate }: Advice) {
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
export function tomlOf({ schedule }: Advice): string[] {
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

/** What other waits would cost. */
export function curveTable(curve: readonly CurvePoint[], io: CliIo): string[] {
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

/** IdleCounts of the base and of each section: the shortest name of an advice. */
export function countsOf({ base, periods }: Schedule): string {
  return [base, ...periods].map(({ idleCount }) => idleCount).join(' / ');
}

function wishWords(wish: AheadWish | null): string {
  if (wish === null) return 'without the queue';
  const ways = [wish.lookahead ? 'lookahead' : '', wish.forecast ? `forecast ${wish.forecastShare}` : ''];
  return ways.filter((way) => way !== '').join(', ');
}

const heldOf = ({ pool: { ownSchedule }, wish }: AheadTried): string =>
  [ownSchedule.base, ...ownSchedule.periods]
    .map(({ idleCount, idleCountMin }) => (wish === null ? idleCount : idleCountMin))
    .join(' / ');

/** hostler's own tables for what was found with the queue: the runner's file stays as it is. */
function ownToml({ pool, wish }: AheadTried): string[] {
  const keys = (policy: Schedule['base'], pad: string) => [
    `${pad}idle_count = ${policy.idleCount}`,
    `${pad}idle_count_min = ${policy.idleCountMin}`,
    `${pad}idle_scale_factor = ${policy.idleScaleFactor}`,
    `${pad}idle_time = "${policy.idleTimeMs / SECOND_MS}s"`,
  ];
  return [
    '  [runners.hostler]',
    ...keys(pool.ownSchedule.base, '    '),
    ...pool.ownSchedule.periods.flatMap((period) => [
      '    [[runners.hostler.autoscaling]]',
      `      periods = [${period.written.map((line) => `"${line}"`).join(', ')}]`,
      ...keys(period, '      '),
      `      timezone = "${period.timezone}"`,
    ]),
    '    [runners.hostler.queue]',
    ...(wish?.lookahead === true ? ['      lookahead = true'] : []),
    ...(wish?.forecast === true
      ? ['      forecast = true', `      forecast_share = ${wish.forecastShare}`]
      : []),
  ];
}

/** What look-ahead and forecast came to, and the tables to write where they pay. */
export function aheadLines(ahead: Ahead, io: CliIo): string[] {
  const day = new Date(ahead.startAt).toISOString().slice(0, 10);
  return [
    `with GitLab's queue, simulated for ${day} (UTC), ${ahead.jobs} jobs:`,
    '',
    ...drawTable(
      ahead.tried,
      [
        { title: 'QUEUE', of: ({ wish }) => wishWords(wish) },
        { title: 'HELD', of: heldOf },
        { title: 'P95', of: ({ run }) => `${run.figures.wait_s.p95} s` },
        { title: 'IDLE H', of: ({ run }) => Math.round(run.figures.machine_hours.idle) },
        { title: '', of: (one) => (one === ahead.best ? 'pays' : '') },
      ],
      createPaint(io),
    ),
    ...ahead.untried.map((why) => `not tried: ${why}`),
    '',
    ...(ahead.best === null
      ? ['nothing with the queue keeps the wait with fewer idle hours']
      : ownToml(ahead.best)),
  ];
}

/** The same for `--json`. */
export function aheadJson({ startAt, jobs, tried, best, untried }: Ahead) {
  const told = ({ wish, pool, run }: AheadTried) => ({
    queue: wish !== null,
    lookahead: wish?.lookahead ?? false,
    forecast: wish?.forecast ?? false,
    ...(wish?.forecast === true ? { forecast_share: wish.forecastShare } : {}),
    ...policyKeys(pool.ownSchedule.base),
    autoscaling: pool.ownSchedule.periods.map((period) => ({
      Periods: period.written,
      ...policyKeys(period),
      Timezone: period.timezone,
    })),
    figures: run.figures,
  });
  return {
    from: new Date(startAt).toISOString(),
    jobs,
    tried: tried.map(told),
    untried,
    advice: best === null ? null : told(best),
  };
}
