// Rows of a recorded queue put into stages: which jobs came because an earlier stage had ended, so that a run in which
// machines come sooner or later moves them too.
// Trap: not all jobs wait for a stage: `needs` starts them before its end, people and timers long after. What the order of
// stages does not explain keeps its own time.
import type { Arrival } from './workload.ts';

/** A row as it was read; empty words where the file has no such column. */
export type TraceRow = {
  /** When it was queued, milliseconds. */
  at: number;
  durationMs: number;
  tags: readonly string[];
  pipeline: string;
  stage: string;
  name: string;
  project: string;
};

/** Jobs of a first stage are queued with their pipeline; later ones of it were begun by somebody or something else. */
const FIRST_WITHIN_MS = 10_000;
/** GitLab begins a stage within seconds, and what came before may have waited a boot for a machine; more than this after the one before, somebody or something else began it. */
const FOLLOWS_WITHIN_MS = 120_000;

/** Stages of a pipeline in the order of their first jobs. */
function stagesOf(rows: readonly TraceRow[]): TraceRow[][] {
  return [...Map.groupBy(rows, ({ stage }) => stage).values()];
}

/** Places of the rows that follow one another stage by stage; a row without is not among them. */
function placesOf(rows: readonly TraceRow[], firstAt: number): Map<TraceRow, Arrival['place']> {
  const places = new Map<TraceRow, Arrival['place']>();
  let [stage, begunAt] = [0, firstAt];
  for (const jobs of stagesOf(rows)) {
    const until = begunAt + (stage === 0 ? FIRST_WITHIN_MS : FOLLOWS_WITHIN_MS);
    const mine = jobs.filter(({ at }) => at >= begunAt && at <= until);
    if (mine.length === 0) continue;
    for (const job of mine)
      places.set(job, { pipeline: `${job.project} ${job.pipeline}`, stage, stageName: job.stage });
    stage += 1;
    // The least: how long its jobs waited for machines is not in the file.
    begunAt = Math.max(...mine.map(({ at, durationMs }) => at + durationMs));
  }
  return places;
}

/** The rows, oldest first, as arrivals after `first`. */
export function inStages(rows: readonly TraceRow[], first: number): Arrival[] {
  const places = new Map<TraceRow, Arrival['place']>();
  const known = rows.filter(({ pipeline, stage }) => pipeline !== '' && stage !== '');
  const begun = new Map<TraceRow, number>();
  for (const some of Map.groupBy(known, ({ project, pipeline }) => `${project} ${pipeline}`).values()) {
    const madeAt = some[0]?.at ?? 0;
    for (const [row, place] of placesOf(some, madeAt)) {
      places.set(row, place);
      begun.set(row, madeAt);
    }
  }
  const arrivals = rows.map((row): Arrival => {
    const { at, durationMs, tags, name, project } = row;
    const place = places.get(row);
    return {
      atMs: (begun.get(row) ?? at) - first,
      durationMs,
      tags,
      ...(place === undefined ? {} : { place }),
      ...(name === '' ? {} : { name }),
      ...(project === '' ? {} : { project }),
    };
  });
  return arrivals.toSorted((a, b) => a.atMs - b.atMs);
}
