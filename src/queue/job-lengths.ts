// How long jobs usually run, learned from their last runs by name. Pure but for what it remembers.
// Trap: a job that runs for the first time is taken for one of its stage: a matrix has names without end.
import type { QueuedJob } from '../domain/queue.ts';
import type { DurationMs } from '../domain/units.ts';

export type Length = {
  /** It may well end after this. */
  ms: DurationMs;
  /** Of the last runs. */
  longestMs: DurationMs;
};

/** How long a job like this usually runs; null = none was seen. */
export type UsualLength = (job: Pick<QueuedJob, 'project' | 'name' | 'stage'>) => Length | null;

/** Lengths of a name that are kept; more would follow a change too late. */
const KEPT_LENGTHS = 5;
/**
 * Of five, the second shortest: of the median half of the stages would begin before their machines stand, and a minute of a
 * waiting machine costs less than a boot of a waiting job (docs/queue.md has the figures).
 */
const SHORT_SHARE = 0.2;
/** Names and stages that are remembered, those seen last. */
const MOST_NAMES = 5_000;

export type Lengths = {
  learn(job: Pick<QueuedJob, 'project' | 'name' | 'stage'>, ms: DurationMs): void;
  usual: UsualLength;
};

type Known = Length & { lengths: readonly DurationMs[] };

/** Learns how long jobs run: by the last five of a name, else of its stage in the project. */
export function createLengths(): Lengths {
  const known = new Map<string, Known>();

  function add(key: string, ms: DurationMs): void {
    const lengths = [...(known.get(key)?.lengths ?? []), ms].slice(-KEPT_LENGTHS);
    const sorted = lengths.toSorted((a, b) => a - b);
    known.delete(key);
    known.set(key, {
      lengths,
      ms: sorted[Math.floor(sorted.length * SHORT_SHARE)] ?? ms,
      longestMs: sorted.at(-1) ?? ms,
    });
    const [oldest] = known.keys();
    if (known.size > MOST_NAMES && oldest !== undefined) known.delete(oldest);
  }

  return {
    learn({ project, name, stage }, ms) {
      add(`${project.id} job ${name}`, ms);
      add(`${project.id} stage ${stage}`, ms);
    },
    usual: ({ project, name, stage }) =>
      known.get(`${project.id} job ${name}`) ?? known.get(`${project.id} stage ${stage}`) ?? null,
  };
}
