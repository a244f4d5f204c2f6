// The runner's file of the measured runs, and what to read from a run.
import type { PeerResult, PeerRunOptions } from '../../../../src/sim/peer/run-peer.ts';
import type { IdleNow, RunnerSettings, SectionSettings } from '../../../../src/sim/runner/runner-settings.ts';
import { usualSettings } from '../../../../src/sim/runner/runner-settings.ts';
import { makeWorkload } from '../../../../src/sim/workload.ts';

export const MONDAY = Date.UTC(2026, 0, 5, 9);

/** concurrent 300, limit 300, check_interval 1, request_concurrency 1, MaxBuilds 1, IdleTime 600, no growth limit. */
export function measuredFile(
  runner: number,
  idle: Partial<IdleNow>,
  more: Partial<SectionSettings> = {},
): RunnerSettings {
  const now: IdleNow = { idleCount: 0, idleCountMin: 0, idleScaleFactor: 0, idleTimeMs: 600_000, ...idle };
  const section: SectionSettings = {
    runner,
    token: 'glrt-abc123def456',
    machineName: 'auto-%s',
    limit: 300,
    requestConcurrency: 1,
    maxBuilds: 1,
    maxGrowthRate: 0,
    idle: () => now,
    idleChangesAt: () => Number.POSITIVE_INFINITY,
    ...more,
  };
  return { ...usualSettings, concurrent: 300, checkIntervalMs: 1_000, sections: [section] };
}

/** Forty jobs of two seconds at once. */
export function peerRun(wish: Partial<PeerRunOptions> & { idle?: Partial<IdleNow> } = {}): PeerRunOptions {
  const { idle = {}, ...more } = wish;
  const frame = { startAt: MONDAY, days: 1 / 24, seed: 3 };
  return {
    ...frame,
    workload: makeWorkload('burst:40@0,2s,sigma=0', frame),
    runners: [[]],
    settings: ([runner = 0]) => measuredFile(runner, idle),
    region: 'eu-central-1',
    launch: () => ({ type: 'm5.large', zone: 'eu-central-1a', market: 'on-demand', maxPrice: null }),
    bootMs: 20_000,
    flavour: 'bare',
    odds: { missedWord: 0, ownCreateFirst: 0 },
    ...more,
  };
}

/** Seconds from the begin to the start of each job's script, soonest first. */
export const starts = ({ jobs }: PeerResult): number[] =>
  jobs.map(({ scriptAt }) => ((scriptAt ?? Number.NaN) - MONDAY) / 1_000).toSorted((a, b) => a - b);

export const last = (sorted: readonly number[]): number => sorted.at(-1) ?? Number.NaN;
export const median = (sorted: readonly number[]): number =>
  sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
