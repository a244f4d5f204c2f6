// What a run of a policy comes to, in one form for all policies: the keys of `simulate --json`, and the course to draw.
// Trap: a job that got no host has waited at least until the end, so it counts as that; left out, the worst policy would look
// best.
import type { EpochMs } from '../../domain/units.ts';
import { HOUR_MS, SECOND_MS } from '../../domain/units.ts';
import type { PeerResult } from '../../sim/peer/run-peer.ts';
import type { SimulationResult } from '../simulate.ts';

/** Seconds from queued to host. */
export type WaitFigures = { p50: number; p95: number; p99: number; max: number };

/** Keys as `--json` prints them (docs/simulate.md). */
export type PolicyFigures = {
  wait_s: WaitFigures;
  machine_hours: { busy: number; idle: number };
  cost_usd: number;
  ec2_calls: number;
  machines: number;
  jobs: number;
  /** Without a host at the end. */
  jobs_unserved: number;
  interruptions: number;
  /** Part of the jobs foretold by look-ahead that came; absent where nobody looked ahead. */
  lookahead_hits?: number;
};

/** One moment of a run, whatever policy ran it. */
export type DrawnPoint = {
  at: EpochMs;
  waiting: number;
  running: number;
  /** By phase, in the policy's own words. */
  machines: Readonly<Record<string, number>>;
  /** null: the policy has no such figure. */
  wanted: number | null;
  costPerHour: number;
};

export type PolicyRun = { figures: PolicyFigures; course: readonly DrawnPoint[] };

/** Digits that mean something in a model. */
const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** The value that `share` of the sorted numbers do not exceed; 0 for none. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Waits in milliseconds, in any order. */
export function waitFigures(waitsMs: readonly number[]): WaitFigures {
  const sorted = waitsMs.toSorted((a, b) => a - b);
  const of = (share: number) => round(quantile(sorted, share) / SECOND_MS, 2);
  return { p50: of(0.5), p95: of(0.95), p99: of(0.99), max: of(1) };
}

/** `endAt`: when the run was over, its cooling down included. */
export function hostlerRun(result: SimulationResult, endAt: EpochMs): PolicyRun {
  const waits = result.courses.map(({ waitMs, queuedAt }) => waitMs ?? endAt - queuedAt);
  return {
    figures: {
      wait_s: waitFigures(waits),
      machine_hours: {
        busy: round(result.machineHours.busy, 2),
        idle: round(result.machineHours.idle, 2),
      },
      cost_usd: round(result.costUsd, 2),
      ec2_calls: result.ec2Calls.total,
      machines: result.machines,
      jobs: result.jobs.total,
      jobs_unserved: result.jobs.unserved,
      interruptions: result.interruptions,
      ...(result.lookaheadHits === null ? {} : { lookahead_hits: round(result.lookaheadHits, 3) }),
    },
    course: result.course.map((point) => ({ ...point, machines: { ...point.machines } })),
  };
}

/** The same of docker+machine. */
export function peerRun(result: PeerResult, endAt: EpochMs): PolicyRun {
  const { totals } = result;
  const jobs = result.jobs.filter(({ queuedAt }) => queuedAt !== null);
  const waits = jobs.map(({ hostAt, queuedAt, createdAt }) => (hostAt ?? endAt) - (queuedAt ?? createdAt));
  const hours = (seconds: number) => round((seconds * SECOND_MS) / HOUR_MS, 2);
  return {
    figures: {
      wait_s: waitFigures(waits),
      machine_hours: { busy: hours(totals.busySeconds), idle: hours(totals.idleSeconds) },
      cost_usd: round(totals.costUsd, 2),
      ec2_calls: totals.calls,
      machines: totals.machines,
      jobs: jobs.length,
      jobs_unserved: jobs.filter(({ hostAt }) => hostAt === null).length,
      interruptions: totals.interruptions,
    },
    course: result.course.map((point) => ({ ...point, wanted: null })),
  };
}
