// What gitlab-runner's /metrics say of its jobs and of GitLab's queue for it: source F of the job queue.
// Trap: labels are quoted text of the runner's making, and a stranger may answer: lines that do not fit are passed over.

import { type EpochMs, SECOND_MS } from '../../domain/units.ts';
import type { RunnerMetrics, RunnerScrape } from '../../ports/queue.ts';
import { fetchText } from './runner-figures.ts';

/** Runners of one process; more are not a runner's metrics. */
const MOST_RUNNERS = 10_000;

/** Seconds since 1970; beyond it is no date. */
const MOST_SECONDS = 1e11;

type Sample = { name: string; runner: string | null; value: number };

function* samples(text: string): Generator<Sample> {
  for (const [, name = '', labels = '', value = ''] of text.matchAll(
    /^(gitlab_runner_[a-z_]{1,60}|process_start_time_seconds)(?:\{([^}\n]{0,4000})\})? (\S{1,40})/gm,
  )) {
    const count = Number(value);
    const runner = /(?:^|,)runner="([^"]{1,100})"/.exec(labels)?.[1] ?? null;
    if (Number.isFinite(count) && count >= 0) yield { name, runner, value: count };
  }
}

/** Reads Prometheus text; families that are not there are empty (the runner's older versions lack some). */
export function readScrape(text: string): RunnerScrape {
  const jobs = new Map<string, number>();
  const taken = new Map<string, number>();
  const queueSize = new Map<string, number>();
  const queueDepth = new Map<string, number>();
  const limit = new Map<string, number>();
  const families: Readonly<Record<string, Map<string, number>>> = {
    gitlab_runner_jobs: jobs,
    gitlab_runner_jobs_total: taken,
    gitlab_runner_job_queue_size: queueSize,
    gitlab_runner_job_queue_depth: queueDepth,
    gitlab_runner_limit: limit,
  };
  let concurrent: number | null = null;
  let startedAt: EpochMs | null = null;
  for (const { name, runner, value } of samples(text)) {
    if (name === 'gitlab_runner_concurrent') concurrent = value;
    if (name === 'process_start_time_seconds' && value < MOST_SECONDS) startedAt = value * SECOND_MS;
    const family = families[name];
    if (family === undefined || runner === null || family.size >= MOST_RUNNERS) continue;
    // One runner has several samples, by state and stage: jobs add up; the others are the same in each.
    const isSum = family === jobs || family === taken;
    family.set(runner, isSum ? (family.get(runner) ?? 0) + value : value);
  }
  return { jobs, taken, queueSize, queueDepth, limit, concurrent, startedAt };
}

/** The port on real HTTP. */
export function createRunnerMetrics(): RunnerMetrics {
  return { scrape: async (url, signal) => readScrape(await fetchText(url, signal)) };
}
