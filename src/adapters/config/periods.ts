// Sections of periods, the runner's and ours, brought to one form: seven-field lines, a zone that exists, a policy.
// Trap: a section replaces all four values; what it leaves out is 0 while it holds, as in the runner.
import type { IdlePolicy, Period } from '../../domain/config.ts';
import { SECOND_MS } from '../../domain/units.ts';
import { lineProblem } from '../../planner/schedule.ts';
import { readCronLine } from './cron-line.ts';
import { type Spot, shown } from './findings.ts';
import type { Entry } from './layer.ts';
import type { Reading } from './reading.ts';
import type { RunnerMachine, RunnerPeriod } from './runner-file.ts';
import { readZone } from './timezone.ts';
import type { OwnPeriod } from './value-kind.ts';

/** Lines are tried from here on: a day that no calendar has (February 30) is found, a year that is over is not. */
const PROBE_FROM = Date.UTC(2000, 0, 1);

type Written = {
  lines: readonly { text: string; spot: Spot }[];
  zone: string | null;
  zoneSpot: Spot;
  policy: IdlePolicy;
  hasIdleTime: boolean;
  spot: Spot;
};

function readLine(reading: Reading, pool: string, line: Written['lines'][number], zone: string): string[] {
  const { findings } = reading;
  const read = readCronLine(line.text);
  if ('wrong' in read) {
    findings.error('period', `period ${shown(line.text)}: ${read.wrong}`, line.spot, pool);
    return [];
  }
  for (const { code, message } of read.remarks) {
    findings.warn(code, `period ${shown(line.text)}: ${message}`, line.spot, pool);
  }
  if (read.cron === null) return [];
  const problem = lineProblem(read.cron, zone, PROBE_FROM);
  if (problem === 'never') {
    findings.warn('period-never', `period ${shown(line.text)} holds on no day of any year`, line.spot, pool);
    return [];
  }
  if (problem) {
    findings.error('period', `period ${shown(line.text)}: ${problem.wrong}`, line.spot, pool);
    return [];
  }
  return [read.cron];
}

function toPeriod(reading: Reading, pool: string, written: Written, base: IdlePolicy): Period {
  const { findings } = reading;
  const read = readZone(written.zone ?? '', reading.zone);
  if ('wrong' in read) findings.error('timezone', read.wrong, written.zoneSpot, pool);
  const timezone = 'zone' in read ? read.zone : 'UTC';
  if (written.zone === null || written.zone === '') {
    const said = `no time zone given: its hours are those of this machine's own zone, ${timezone}`;
    findings.warn('period-zone', said, written.spot, pool);
  }
  if (written.lines.length === 0) {
    findings.warn('period-empty', 'names no period, so it never holds', written.spot, pool);
  }
  if (!written.hasIdleTime && base.idleTimeMs > 0) {
    const said = `gives no idle time: it is 0 while the section holds, not the ${base.idleTimeMs / SECOND_MS} s from outside it`;
    findings.warn('period-idle-time', said, written.spot, pool);
  }
  return {
    ...written.policy,
    cron: written.lines.flatMap((line) => readLine(reading, pool, line, timezone)),
    written: written.lines.map(({ text }) => text),
    timezone,
  };
}

/** The policy of a table in the runner's keys; absent ones are 0. */
export function runnerPolicy(fields: RunnerPeriod | RunnerMachine): IdlePolicy {
  const { IdleCount, IdleCountMin, IdleScaleFactor, IdleTime } = fields.value;
  return {
    idleCount: IdleCount ?? 0,
    idleCountMin: IdleCountMin ?? 0,
    idleScaleFactor: IdleScaleFactor ?? 0,
    idleTimeMs: (IdleTime ?? 0) * SECOND_MS,
  };
}

/** `[[runners.machine.autoscaling]]` in the order of the file. */
export function readRunnerPeriods(reading: Reading, pool: string, machine: RunnerMachine): Period[] {
  const base = runnerPolicy(machine);
  return machine.periods.map((fields) => {
    const lines = fields.value.Periods ?? [];
    const written: Written = {
      lines: lines.map((text, index) => ({ text, spot: fields.spot('Periods', index) })),
      zone: fields.value.Timezone ?? null,
      zoneSpot: fields.spot('Timezone'),
      policy: runnerPolicy(fields),
      hasIdleTime: fields.value.IdleTime !== undefined,
      spot: fields.spot('Periods'),
    };
    return toPeriod(reading, pool, written, base);
  });
}

/** Our own `autoscaling` in its order. */
export function readOwnPeriods(
  reading: Reading,
  pool: string,
  from: { periods: readonly OwnPeriod[]; entry: Entry },
  base: IdlePolicy,
): Period[] {
  const { entry } = from;
  return from.periods.map((period, index) => {
    const at = (...rest: (string | number)[]): Spot => entry.inner?.([index, ...rest]) ?? entry.spot;
    const written: Written = {
      lines: period.periods.map((text, line) => ({ text, spot: at('periods', line) })),
      zone: period.timezone ?? null,
      zoneSpot: at('timezone'),
      policy: {
        idleCount: period.idle_count ?? 0,
        idleCountMin: period.idle_count_min ?? 0,
        idleScaleFactor: period.idle_scale_factor ?? 0,
        idleTimeMs: period.idle_time ?? 0,
      },
      hasIdleTime: period.idle_time !== undefined,
      spot: at('periods'),
    };
    return toPeriod(reading, pool, written, base);
  });
}
