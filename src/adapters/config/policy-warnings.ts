// Settings of the runner's file that are allowed and rarely meant. Warnings only: such a file runs as it stands.
// Trap: only the runner's own values are judged here, with the place where the runner's file gives them.
import type { PoolValues } from './pool-values.ts';
import type { Reading } from './reading.ts';
import type { RunnerMachine, RunnerPeriod, RunnerSection } from './runner-file.ts';

type Scope = { reading: Reading; pool: string; section: RunnerSection; machine: RunnerMachine };

const offPeak = ['OffPeakPeriods', 'OffPeakTimezone', 'OffPeakIdleCount', 'OffPeakIdleTime'] as const;

function warnAboutPolicy(scope: Scope, fields: RunnerMachine | RunnerPeriod): void {
  const { findings } = scope.reading;
  const { IdleCount = 0, IdleCountMin = 0, IdleScaleFactor = 0 } = fields.value;
  const limit = scope.section.value.limit ?? 0;
  if (limit > 0 && IdleCount > limit) {
    const said = `IdleCount ${IdleCount} is above limit ${limit}: never more than ${limit} machines will stand`;
    findings.warn('idle-above-limit', said, fields.spot('IdleCount'), scope.pool);
  }
  if (IdleCountMin > 0 && IdleScaleFactor === 0) {
    const said = 'IdleCountMin has no effect without IdleScaleFactor';
    findings.warn('idle-min-alone', said, fields.spot('IdleCountMin'), scope.pool);
  }
  if (IdleScaleFactor > 0 && IdleCount === 0) {
    const said = 'IdleScaleFactor has no effect with IdleCount 0, which is its upper bound';
    findings.warn('idle-factor-unbounded', said, fields.spot('IdleScaleFactor'), scope.pool);
  } else if (IdleScaleFactor > 0 && IdleCountMin === 0) {
    const said = 'IdleCountMin 0 with IdleScaleFactor counts as 1';
    findings.warn('idle-min-zero', said, fields.spot('IdleScaleFactor'), scope.pool);
  }
}

/** Notes what is odd about one section's policy. */
export function warnAboutSection(scope: Scope, values: PoolValues): void {
  const { findings } = scope.reading;
  const { machine, pool } = scope;
  for (const fields of [machine, ...machine.periods]) warnAboutPolicy(scope, fields);
  for (const key of offPeak.filter((each) => machine.value[each] !== undefined)) {
    const said = `${key} has had no effect since GitLab Runner 14.0: write a [[runners.machine.autoscaling]] section`;
    findings.warn('off-peak', said, machine.spot(key), pool);
  }
  if (machine.value.MachineOptionsWithName?.length) {
    const said = 'MachineOptionsWithName cannot apply to machines launched ahead of their name; ignored';
    findings.warn('options-with-name', said, machine.spot('MachineOptionsWithName'), pool);
  }
  const { base, periods } = values.runnerSchedule;
  if (machine.value.MaxBuilds === 1 && [base, ...periods].some(({ idleCount }) => idleCount === 0)) {
    const said =
      'MaxBuilds 1 with IdleCount 0: in bursts the runner leaves about one job in a hundred waiting for ever; set MaxBuilds to 10 or more';
    findings.warn('one-job-one-create', said, machine.spot('MaxBuilds'), pool);
  }
  if (scope.section.value.name === undefined || scope.section.name === '') {
    const said = 'has no name: the pool is named after its place in the file, which may change';
    findings.warn('name-missing', said, scope.section.spot('name'), pool);
  }
  if (scope.section.token === '') {
    const said = 'has no token: its machines are matched by their options instead of their names';
    findings.warn('token-missing', said, scope.section.spot('token'), pool);
  }
}
