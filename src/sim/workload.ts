// What jobs come when: bursts, a steady stream, a working week, or rows of a recorded queue. A workload is a list of
// arrivals, made before the world begins, so that two policies meet the same jobs.
// Trap: all randomness comes from the seed; the same text, begin and seed give the same list.
import { createSeeded, type Seeded } from './seeded.ts';
import { weekAt } from './working-week.ts';

/** One job to come. */
export type Arrival = {
  /** Milliseconds after the workload's begin. */
  atMs: number;
  durationMs: number;
  tags: readonly string[];
};

export type WorkloadFrame = {
  /** Where the list begins, milliseconds since 1970-01-01 UTC: `week` goes by the clock. */
  startAt: number;
  /** How long a stream goes on. */
  days: number;
  seed: number;
};

/** Job durations: log-normal around a median. */
type Durations = { medianMs: number; sigma: number };

type Source = { kind: string; text: string; durations: Durations; tags: readonly string[] };

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Three minutes, and one job in six longer than seven and a half: the usual shape of CI, a guess. */
const USUAL: Durations = { medianMs: 180_000, sigma: 0.9 };
/** Beneath GitLab's own limit of an hour, so that no job of a model times out. */
const LONGEST_MS = 3_000_000;
const SHORTEST_MS = SECOND_MS;
/** More jobs than this are a slip of the hand. */
const JOBS_AT_MOST = 5_000_000;

const wrong = (text: string, why: string): never => {
  throw new RangeError(
    `workload ${JSON.stringify(text.slice(0, 80))}: ${why}; write burst:200@0, poisson:60/h or week, more of them joined by +, each with options like ,4m ,sigma=0 ,tags=a;b`,
  );
};

const units: Readonly<Record<string, number>> = { s: SECOND_MS, m: 60_000, h: HOUR_MS };

/** `90s`, `4m`, `2h`, `90` (seconds); null when it is none of these. */
function spanOf(text: string): number | null {
  const [, figure = '', unit = 's'] = /^(\d+(?:\.\d+)?)([smh])?$/.exec(text) ?? [];
  return figure === '' ? null : Number(figure) * (units[unit] ?? SECOND_MS);
}

function readSource(part: string): Source {
  const [head = '', ...options] = part.split(',').map((piece) => piece.trim());
  const [kind = '', text = ''] = head.split(':');
  const durations = { ...USUAL };
  let tags: readonly string[] = [];
  for (const option of options) {
    const [key = '', value = ''] = option.split('=');
    const span = spanOf(option);
    if (span !== null) durations.medianMs = span;
    else if (key === 'sigma' && /^\d+(\.\d+)?$/.test(value)) durations.sigma = Number(value);
    else if (key === 'tags') tags = value.split(';').filter((tag) => tag !== '');
    else wrong(part, `no option ${JSON.stringify(option.slice(0, 40))}`);
  }
  return { kind, text, durations, tags };
}

/** A draw of the standard normal distribution. */
function normal(random: Seeded): number {
  return Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
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

/** Pipelines of several jobs each by the hour of the week, and a batch every night. */
function week(source: Source, frame: WorkloadFrame, random: Seeded): Arrival[] {
  const { durations, tags } = source;
  const peak =
    source.text === '' ? weekAt.peakPerHour : Number(/^(\d{1,6})\/h$/.exec(source.text)?.[1] ?? 'x');
  if (!(peak > 0)) return wrong(`week:${source.text}`, 'not a number of jobs in the busiest hour');
  const endMs = frame.days * DAY_MS;
  const arrivals: Arrival[] = [];
  const add = (atMs: number, own: Durations): void => {
    if (atMs < endMs) arrivals.push({ atMs: Math.round(atMs), durationMs: duration(own, random), tags });
  };
  const pipelines = peak / weekAt.jobsPerPipeline;
  for (let atMs = gap(pipelines, random); atMs < endMs; atMs += gap(pipelines, random)) {
    if (random.float() >= weekAt.share(frame.startAt + atMs)) continue;
    // Geometric: most pipelines are small, some are large.
    let jobs = 1;
    while (random.float() < 1 - 1 / weekAt.jobsPerPipeline) jobs += 1;
    for (; jobs > 0; jobs -= 1) add(atMs + random.float() * weekAt.pipelineSpreadMs, durations);
  }
  for (let day = 0; day <= frame.days; day += 1) {
    const midnight = Math.floor(frame.startAt / DAY_MS) * DAY_MS + day * DAY_MS;
    const atMs = midnight + weekAt.nightlyAtMs - frame.startAt;
    const jobs = Math.round(peak * weekAt.nightlyShare);
    if (atMs < 0) continue;
    for (let job = 0; job < jobs; job += 1) {
      const own = { ...durations, medianMs: durations.medianMs * weekAt.nightlyLonger };
      add(atMs + random.float() * weekAt.nightlySpreadMs, own);
    }
  }
  return arrivals;
}

const byTime = (arrivals: Arrival[]): Arrival[] => arrivals.toSorted((a, b) => a.atMs - b.atMs);

/**
 * The jobs of a workload as written: `burst:200@0` (jobs at seconds after the begin), `poisson:60/h`, `week` (busiest hour
 * `week:240/h`); joined by `+`; each with a median duration (`,4m`), `,sigma=0` for one duration for all, `,tags=a;b`.
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
