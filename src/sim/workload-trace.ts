// A recorded queue as a workload: rows of CSV with the moment a job was queued, its duration and its tags; where they name
// pipelines and stages, jobs of later stages come when the earlier ones have ended, as they did.
// The text comes from outside: it is bounded, and a bad row is named by its line.
import { inStages, type TraceRow } from './trace-stages.ts';
import type { Arrival } from './workload.ts';

/** A trace of a year of a large installation; more is a wrong file. */
const ROWS_AT_MOST = 2_000_000;
const LINE_AT_MOST = 4_096;
/** No job runs longer than 30 days; a greater figure is in milliseconds or garbage. */
const SECONDS_AT_MOST = 30 * 86_400;

/** Seconds below this are no date that CI has seen: 2001-09-09. */
const EPOCHS_FROM_MS = 1e12;

export type Trace = {
  /** Moment of the first row, milliseconds since 1970-01-01 UTC; null where times are seconds after some begin. */
  startAt: number | null;
  arrivals: readonly Arrival[];
};

/** Names are GitLab's own: at most 255 characters. */
const NAME_AT_MOST = 255;

const bad = (line: number, why: string): never => {
  throw new RangeError(
    `line ${line} of the jobs' trace: ${why}; a row is queued_at,duration,tags[,pipeline,stage,name,project]: ISO time or seconds, seconds, tags parted by spaces or ;`,
  );
};

/** Fields of one CSV line; quotes around a field may hold commas. */
function fieldsOf(text: string): string[] {
  const fields: string[] = [];
  for (const match of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    fields.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? '').trim());
  }
  return fields;
}

const plain = (text: string): boolean => /^\d+(\.\d+)?$/.test(text);

function timeOf(text: string, line: number): number {
  if (plain(text)) return Number(text) * 1_000;
  const iso = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z|[+-]\d\d:?\d\d)?$/.test(text);
  // Without a zone it is UTC: GitLab's own way, and the same on every machine.
  const zoned = /(UTC|Z|[+-]\d\d:?\d\d)$/.test(text) ? text.replace(/ ?UTC$/, 'Z') : `${text}Z`;
  const at = iso ? Date.parse(zoned.replace(' ', 'T')) : Number.NaN;
  return Number.isNaN(at) ? bad(line, `no time: ${JSON.stringify(text.slice(0, 40))}`) : at;
}

function rowOf(text: string, line: number, columns: Columns): TraceRow {
  if (text.length > LINE_AT_MOST) return bad(line, `longer than ${LINE_AT_MOST} characters`);
  const fields = fieldsOf(text);
  const duration = fields[columns.duration] ?? '';
  if (!plain(duration) || Number(duration) > SECONDS_AT_MOST) {
    return bad(line, `no duration in seconds: ${JSON.stringify(duration.slice(0, 40))}`);
  }
  const tags = (fields[columns.tags] ?? '').split(/[;\s]+/).filter((tag) => tag !== '');
  const word = (column: number) => (fields[column] ?? '').slice(0, NAME_AT_MOST);
  return {
    at: timeOf(fields[columns.queuedAt] ?? '', line),
    durationMs: Number(duration) * 1_000,
    tags,
    pipeline: word(columns.pipeline),
    stage: word(columns.stage),
    name: word(columns.name),
    project: word(columns.project),
  };
}

type Columns = Readonly<
  Record<'queuedAt' | 'duration' | 'tags' | 'pipeline' | 'stage' | 'name' | 'project', number>
>;

/** Of a file without a header. */
const PLAIN: Columns = { queuedAt: 0, duration: 1, tags: 2, pipeline: 3, stage: 4, name: 5, project: 6 };

/** Columns by their names; without a header the order above. */
function columnsOf(header: string): Columns | null {
  const names = fieldsOf(header.toLowerCase());
  const find = (...wanted: string[]) => {
    const found = names.findIndex((name) => wanted.includes(name));
    return found < 0 ? Number.POSITIVE_INFINITY : found;
  };
  const queuedAt = find('queued_at', 'queued');
  if (!Number.isFinite(queuedAt)) return null;
  return {
    queuedAt,
    duration: find('duration', 'duration_s'),
    tags: find('tags', 'tag_list'),
    pipeline: find('pipeline', 'pipeline_id'),
    stage: find('stage'),
    name: find('name'),
    project: find('project'),
  };
}

/** Reads a trace; the first job comes at 0. Rows may stand in any order. Throws a RangeError that names the line. */
export function readTrace(text: string): Trace {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const columns = columnsOf(lines[0] ?? '');
  const rows: TraceRow[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#') || (index === 0 && columns !== null)) continue;
    if (rows.length >= ROWS_AT_MOST) return bad(index + 1, `more than ${ROWS_AT_MOST} rows`);
    rows.push(rowOf(line, index + 1, columns ?? PLAIN));
  }
  const sorted = rows.toSorted((a, b) => a.at - b.at);
  const first = sorted[0]?.at ?? 0;
  return { startAt: first < EPOCHS_FROM_MS ? null : first, arrivals: inStages(sorted, first) };
}
