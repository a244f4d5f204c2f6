// What machines cost while they were used for something: entries of a ledger, and reports over them. Pure.
// Trap: a price that is not known stays null: its hours are counted as unpriced, never as free.
import type { Offering } from './instance.ts';
import { LEAST_BILLED_MS } from './price.ts';
import { type DurationMs, type EpochMs, HOUR_MS } from './units.ts';

/** `boot`: not ready yet; `idle`: nobody holds it; `held`: a runner does, without a job; `job`: a job is on it. */
export type CostUse = 'boot' | 'idle' | 'held' | 'job';

/** The job of an entry, as the labels of its containers name it. */
export type CostJob = {
  id: string;
  url: string | null;
  project: string | null;
  pipeline: string | null;
};

/** One machine over one stretch of time with one use. All entries of a machine follow each other without a gap. */
export type CostEntry = {
  from: EpochMs;
  until: EpochMs;
  pool: string;
  machine: string;
  lease: string | null;
  use: CostUse;
  job: CostJob | null;
  offering: Offering;
  /** What was paid, USD; null = the price was not known. */
  usd: number | null;
  /** What it would have been on demand, USD; null likewise. */
  onDemandUsd: number | null;
};

/** What a report can be grouped by. */
export const costGroups = ['project', 'pool', 'job', 'pipeline', 'day'] as const;
export type CostGroup = (typeof costGroups)[number];

export type CostRow = {
  key: string;
  /** Of a job: where to look at it. */
  url: string | null;
  usd: number;
  onDemandUsd: number;
  /** Against on-demand, where both prices are known. */
  savedUsd: number;
  hours: number;
  jobHours: number;
  unpricedHours: number;
  /** Share of the hours without a job, 0 to 1. */
  idleShare: number;
  machines: number;
  jobs: number;
};

/** The key of what no job used. */
export const NO_JOB = '(no job)';

/** `group/project` out of a job's URL, else the project's number, else unknown. */
export function projectOf({ url, project }: CostJob): string {
  const path = /^https?:\/\/[^/]+\/(.+?)\/-\/jobs\/\d+/.exec(url ?? '')?.[1];
  return path ?? (project === null ? '(unknown project)' : `project ${project}`);
}

function keyOf({ job, pool, from }: CostEntry, by: CostGroup): string {
  if (by === 'pool') return pool;
  if (by === 'day') return new Date(from).toISOString().slice(0, 10);
  if (job === null) return NO_JOB;
  if (by === 'job') return job.id;
  const project = projectOf(job);
  if (by === 'project') return project;
  return job.pipeline === null ? `${project} (unknown pipeline)` : `${project} ${job.pipeline}`;
}

/**
 * USD for a stretch of a machine's life; a machine that ends before EC2's least time pays for that. `lived`: its age at
 * the end of the stretch.
 */
export function costOfStretch(
  usdPerHour: number | null,
  { ms, lived, isLast }: { ms: DurationMs; lived: DurationMs; isLast: boolean },
): number | null {
  if (usdPerHour === null) return null;
  const more = isLast ? Math.max(0, LEAST_BILLED_MS - lived) : 0;
  return (usdPerHour * (ms + more)) / HOUR_MS;
}

function rowOf(key: string, entries: readonly CostEntry[]): CostRow {
  const hoursOf = (some: readonly CostEntry[]) =>
    some.reduce((sum, { from, until }) => sum + (until - from), 0) / HOUR_MS;
  const sum = (of: (entry: CostEntry) => number) => entries.reduce((total, entry) => total + of(entry), 0);
  const hours = hoursOf(entries);
  const jobHours = hoursOf(entries.filter(({ use }) => use === 'job'));
  return {
    key,
    url: entries.find(({ job }) => job !== null)?.job?.url ?? null,
    usd: sum(({ usd }) => usd ?? 0),
    onDemandUsd: sum(({ onDemandUsd }) => onDemandUsd ?? 0),
    savedUsd: sum(({ usd, onDemandUsd }) => (usd === null || onDemandUsd === null ? 0 : onDemandUsd - usd)),
    hours,
    jobHours,
    unpricedHours: hoursOf(entries.filter(({ usd }) => usd === null)),
    idleShare: hours === 0 ? 0 : 1 - jobHours / hours,
    machines: new Set(entries.map(({ machine }) => machine)).size,
    jobs: new Set(entries.flatMap(({ job }) => (job === null ? [] : [job.url ?? job.id]))).size,
  };
}

/** Rows by group, the dearest first (days in order), and their sum. */
export function reportCosts(
  entries: readonly CostEntry[],
  by: CostGroup,
): { rows: CostRow[]; total: CostRow } {
  const groups = Map.groupBy(entries, (entry) => keyOf(entry, by));
  const rows = [...groups].map(([key, some]) => {
    const row = rowOf(key, some);
    return by === 'job' && key !== NO_JOB ? row : { ...row, url: null };
  });
  const byKey = (a: CostRow, b: CostRow) => (a.key < b.key ? -1 : 1);
  rows.sort((a, b) => (by === 'day' ? byKey(a, b) : b.usd - a.usd || b.hours - a.hours || byKey(a, b)));
  return { rows, total: { ...rowOf('total', entries), url: null } };
}

/** What growth may still cost, for the planner. Prices by `<site>/<offeringKey>`, USD an hour; null = unknown. */
export type CostBound = {
  /** `max_cost_per_hour` less what stands. */
  leftUsdPerHour: number;
  /** Machines that stand without a known price: the bound cannot be kept with them. */
  unpriced: number;
  prices: ReadonlyMap<string, number | null>;
};
