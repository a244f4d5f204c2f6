// What jobs come when: bursts, a steady stream, a working week, or rows of a recorded queue. A workload is a list of
// arrivals, made before the world begins, so that two policies meet the same jobs.
// Trap: all randomness comes from the seed; the same text, begin and seed give the same list.
import { createSeeded, type Seeded } from './seeded.ts';
import { createPipelines, normal } from './staged-week.ts';
import { weekAt } from './working-week.ts';

/** Where a job stands in a pipeline of stages. */
export type PipelinePlace = {
  /** Jobs with the same one are one pipeline. */
  pipeline: string;
  /** From 0; a stage comes when the one before has succeeded. */
  stage: number;
  stageName: string;
};

/** One job to come. */
export type Arrival = {
  /** Milliseconds after the workload's begin: when it is queued, or when its pipeline is made. */
  atMs: number;
  durationMs: number;
  tags: readonly string[];
  /** Absent: a pipeline of its own. */
  place?: PipelinePlace;
  name?: string;
  /** Full path; absent: the first project. */
  project?: string;
  /** Its script fails. */
  fails?: true;
};

export type WorkloadFrame = {
  /** Where the list begins, milliseconds since 1970-01-01 UTC: `week` goes by the clock. */
  startAt: number;
  /** How long a stream goes on. */
  days: number;
  seed: number;
};

/** Job durations: log-normal around a median. */
export type Durations = { medianMs: number; sigma: number };

type Source = {
  kind: string;
  text: string;
  durations: Durations;
  tags: readonly string[];
  /** Of a week's pipelines. */
  stages: Stages;
  /** Part of their jobs that fails. */
  failing: number;
};

type Stages = '1' | '2' | '3';
const isStages = (text: string): text is Stages => /^[123]$/.test(text);

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Three minutes, and one job in six longer than seven and a half: the usual shape of CI, a guess. */
const USUAL: Durations = { medianMs: 180_000, sigma: 0.9 };
/** Beneath GitLab's own limit of an hour, so that no job of a model times out. */
const LONGEST_MS = 3_000_000;
const SHORTEST_MS = SECOND_MS;
/** A job of the week fails that often: one pipeline in ten, a guess. */
const FAILING = 0.02;
/** More jobs than this are a slip of the hand. */
const JOBS_AT_MOST = 5_000_000;

const wrong = (text: string, why: string): never => {
  throw new RangeError(
    `workload ${JSON.stringify(text.slice(0, 80))}: ${why}; write burst:200@0, poisson:60/h or week, more of them joined by +, each with options like ,4m ,sigma=0 ,tags=a;b, a week also ,stages=1 ,fail=0`,
  );
};

const units: Readonly<Record<string, number>> = { s: SECOND_MS, m: 60_000, h: HOUR_MS };

/** `90s`, `4m`, `2h`, `90` (seconds); null when it is none of these. */
function spanOf(text: string): number | null {
  const [, figure = '', unit = 's'] = /^(\d+(?:\.\d+)?)([smh])?$/.exec(text) ?? [];
  return figure === '' ? null : Number(figure) * (units[unit] ?? SECOND_MS);
}

/** What an option of a week alone says; null = it is none. */
function weekOption(key: string, value: string): Partial<Source> | null {
  if (key === 'stages' && isStages(value)) return { stages: value };
  return key === 'fail' && /^0?\.\d+$|^0$/.test(value) ? { failing: Number(value) } : null;
}

function readSource(part: string): Source {
  const [head = '', ...options] = part.split(',').map((piece) => piece.trim());
  const [kind = '', text = ''] = head.split(':');
  const source: Source = { kind, text, durations: { ...USUAL }, tags: [], stages: '3', failing: FAILING };
  for (const option of options) {
    const [key = '', value = ''] = option.split('=');
    const span = spanOf(option);
    const own = kind === 'week' ? weekOption(key, value) : null;
    if (span !== null) source.durations.medianMs = span;
    else if (key === 'sigma' && /^\d+(\.\d+)?$/.test(value)) source.durations.sigma = Number(value);
    else if (key === 'tags') source.tags = value.split(';').filter((tag) => tag !== '');
    else if (own !== null) Object.assign(source, own);
    else wrong(part, `no option ${JSON.stringify(option.slice(0, 40))}`);
  }
  return source;
}

function duration({ medianMs, sigma }: Durations, random: Seeded): number {
  if (sigma === 0) return medianMs;
  const drawn = medianMs * Math.exp(sigma * normal(random));
  return Math.round(Math.min(Math.max(drawn, SHORTEST_MS), Math.max(LONGEST_MS, medianMs)));
}

/** Milliseconds until the next of a stream of `perHour`. */
const gap = (perHour: number, random: Seeded): number => (-Math.log(1 - random.float()) / perHour) * HOUR_MS;

function burst(source: Source, random: Seeded): Arrival[] {
  const [, count = '', at = ''] = /^(\d{1,7})(?:@(\S+))?$/.exec(source.text) ?? [];
  const atMs = spanOf(at === '' ? '0' : at);
  if (count === '' || atMs === null) return wrong(`burst:${source.text}`, 'not a number of jobs at a time');
  return Array.from({ length: Number(count) }, () => ({
    atMs,
    durationMs: duration(source.durations, random),
    tags: source.tags,
  }));
}

function poisson(source: Source, frame: WorkloadFrame, random: Seeded): Arrival[] {
  const perHour = Number(/^(\d{1,7}(?:\.\d+)?)\/h$/.exec(source.text)?.[1] ?? 'x');
  if (!(perHour > 0)) return wrong(`poisson:${source.text}`, 'not a number of jobs an hour');
  if (perHour * 24 * frame.days > JOBS_AT_MOST) return wrong(`poisson:${source.text}`, 'too many jobs');
  const arrivals: Arrival[] = [];
  for (let atMs = gap(perHour, random); atMs < frame.days * DAY_MS; atMs += gap(perHour, random)) {
    arrivals.push({
      atMs: Math.round(atMs),
      durationMs: duration(source.durations, random),
      tags: source.tags,
    });
  }
  return arrivals;
}

function peakOf(source: Source): number {
  const peak =
    source.text === '' ? weekAt.peakPerHour : Number(/^(\d{1,6})\/h$/.exec(source.text)?.[1] ?? 'x');
  return peak > 0 ? peak : wrong(`week:${source.text}`, 'not a number of jobs in the busiest hour');
}

/** Geometric: most pipelines are small, some are large. */
function sizeOfPipeline(random: Seeded): number {
  let jobs = 1;
  while (random.float() < 1 - 1 / weekAt.jobsPerPipeline) jobs += 1;
  return jobs;
}

/** When the batch of each night begins, milliseconds after the begin. */
function nights({ startAt, days }: WorkloadFrame): number[] {
  const midnight = Math.floor(startAt / DAY_MS) * DAY_MS - startAt;
  return Array.from(
    { length: Math.floor(days) + 1 },
    (_, day) => midnight + day * DAY_MS + weekAt.nightlyAtMs,
  ).filter((atMs) => atMs >= 0);
}

/** Calls `make` for each pipeline of the days, with its moment. */
function eachPipeline(
  peak: number,
  frame: WorkloadFrame,
  random: Seeded,
  make: (atMs: number) => void,
): void {
  const pipelines = peak / weekAt.jobsPerPipeline;
  for (let atMs = gap(pipelines, random); atMs < frame.days * DAY_MS; atMs += gap(pipelines, random))
    if (random.float() < weekAt.share(frame.startAt + atMs)) make(atMs);
}

/** Pipelines of several jobs each by the hour of the week, and a batch every night; each job comes by itself. */
function flatWeek(source: Source, frame: WorkloadFrame, random: Seeded): Arrival[] {
  const { durations, tags } = source;
  const peak = peakOf(source);
  const arrivals: Arrival[] = [];
  const add = (atMs: number, own: Durations): void => {
    if (atMs < frame.days * DAY_MS)
      arrivals.push({ atMs: Math.round(atMs), durationMs: duration(own, random), tags });
  };
  eachPipeline(peak, frame, random, (atMs) => {
    for (let jobs = sizeOfPipeline(random); jobs > 0; jobs -= 1)
      add(atMs + random.float() * weekAt.pipelineSpreadMs, durations);
  });
  for (const atMs of nights(frame))
    for (let jobs = Math.round(peak * weekAt.nightlyShare); jobs > 0; jobs -= 1) {
      const own = { ...durations, medianMs: durations.medianMs * weekAt.nightlyLonger };
      add(atMs + random.float() * weekAt.nightlySpreadMs, own);
    }
  return arrivals;
}

/** The same rates, pipelines and batches, in stages. */
function stagedWeek(source: Source, frame: WorkloadFrame, random: Seeded, stages: 2 | 3): Arrival[] {
  const peak = peakOf(source);
  const pipeline = createPipelines({ ...source, stages, seed: frame.seed }, random);
  const arrivals: Arrival[] = [];
  eachPipeline(peak, frame, random, (atMs) => arrivals.push(...pipeline(atMs, sizeOfPipeline(random))));
  for (const nightMs of nights(frame))
    for (let left = Math.round(peak * weekAt.nightlyShare); left > 0; ) {
      const jobs = Math.min(left, sizeOfPipeline(random));
      const atMs = nightMs + random.float() * weekAt.nightlySpreadMs;
      const batch = { kind: 'nightly ', longer: weekAt.nightlyLonger };
      if (atMs < frame.days * DAY_MS) arrivals.push(...pipeline(atMs, jobs, batch));
      left -= jobs;
    }
  return arrivals;
}

function week(source: Source, frame: WorkloadFrame, random: Seeded): Arrival[] {
  if (source.stages === '1') return flatWeek(source, frame, random);
  return stagedWeek(source, frame, random, source.stages === '2' ? 2 : 3);
}

const byTime = (arrivals: Arrival[]): Arrival[] => arrivals.toSorted((a, b) => a.atMs - b.atMs);

/**
 * The jobs of a workload as written: `burst:200@0` (jobs at seconds after the begin), `poisson:60/h`, `week` (busiest hour
 * `week:240/h`); joined by `+`; each with a median duration (`,4m`), `,sigma=0` for one duration for all, `,tags=a;b`;
 * a week's pipelines with `,stages=1` (all jobs at once), `2` or `3`, and `,fail=0.02` of their jobs failing.
 * Oldest first. Throws a RangeError with one line.
 */
export function makeWorkload(text: string, frame: WorkloadFrame): readonly Arrival[] {
  const arrivals = text.split('+').flatMap((part, index) => {
    const source = readSource(part);
    // Each source has its own draws: one that is added does not shift the others.
    const random = createSeeded(frame.seed * 31 + index);
    if (source.kind === 'burst') return burst(source, random);
    if (source.kind === 'poisson') return poisson(source, frame, random);
    return source.kind === 'week' ? week(source, frame, random) : wrong(part, 'no such kind');
  });
  return byTime(arrivals);
}
