// The keys of gitlab-runner's config.toml that its docker+machine executor acts on, and its pace. Figures are those of
// releases 15 and 19 as measured; where they differ, `release` says which.

import { REMOVAL_ATTEMPTS, usualPace } from './lifecycle-rules.ts';

/** IdleCount and its companions as one moment has them; the caller knows the periods. */
export type IdleNow = {
  idleCount: number;
  idleCountMin: number;
  /** 0 = off. */
  idleScaleFactor: number;
  idleTimeMs: number;
};

/** One `[[runners]]` section. */
export type SectionSettings = {
  /** GitLab's id of the runner that this section speaks as. */
  runner: number;
  /** Its beginning is part of machine names. */
  token: string;
  /** MachineName, with its `%s`. */
  machineName: string;
  /** 0 = none. */
  limit: number;
  requestConcurrency: number;
  /** 0 = no bound. */
  maxBuilds: number;
  /** 0 = no bound. */
  maxGrowthRate: number;
  /** The idle policy in force at `now`. */
  idle(now: number): IdleNow;
  /** When `idle` answers otherwise for the first time after `now`; without it the runner asks every minute. */
  idleChangesAt?(now: number): number;
};

/** The global `[machine.shutdown_drain]`. */
export type DrainSettings = { concurrency: number; maxRetries: number; retryBackoffMs: number };

/** One config.toml. */
export type RunnerSettings = {
  concurrent: number;
  /** check_interval; the runner visits its sections one after another within it. */
  checkIntervalMs: number;
  /** How long TERM waits for jobs. */
  shutdownTimeoutMs: number;
  drain: DrainSettings | null;
  /** Of `rm -y`, before one `rm -f`; release 15 goes on for ever. */
  maxRemovalAttempts: number;
  sections: readonly SectionSettings[];
};

/** How quick the runner and its machine are, in milliseconds; what a call itself takes is the tool's affair. */
export type RunnerSpeed = {
  /** POST /jobs/request and back. */
  requestMs: number;
  /** From a decision to the spawned process. */
  spawnMs: number;
  /** From a process's exit until the runner acts on it. */
  reapMs: number;
  /** The final PUT and back. */
  reportMs: number;
};

/** 40 claims in 0.2 s, 20 in 0.09 s; a job's calls beside `create` took 10 ms, all four together (seen). */
export const usualSpeed: RunnerSpeed = { requestMs: 5, spawnMs: 0.5, reapMs: 0.5, reportMs: 10 };

/** How often the runner's own races strike; shares from 0 to 1. */
export type RunnerOdds = {
  /**
   * That a job in line misses the word of a machine that just came free, which then waits for a poll. With MaxBuilds 1 and
   * IdleCount 0 this leaves about one job in a hundred waiting without end when jobs keep coming.
   */
  missedWord: number;
  /** That a job hears of its own create first and takes the machine without asking `config`: a guess, seen at times. */
  ownCreateFirst: number;
};

/** At 5 jobs a second 7 of 297, 4 of 295 (two runs) and 0 of 297 jobs were left waiting: 15 of 1184 (seen). */
export const usualOdds: RunnerOdds = { missedWord: 0.013, ownCreateFirst: 0.1 };

/** Keys that a file does not name: the runner's own defaults. */
export const usualSettings: Omit<RunnerSettings, 'sections' | 'concurrent'> = {
  checkIntervalMs: 3_000,
  shutdownTimeoutMs: usualPace.shutdownMs,
  drain: null,
  maxRemovalAttempts: REMOVAL_ATTEMPTS,
};
