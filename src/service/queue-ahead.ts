// What the queue's watch knows of the time ahead: jobs whose stage is about to begin, and what is usual at this hour.
// Learns from the looks that are made anyway and from the last plan; the plan decides what comes of it.
// Trap: looks are replaced when a project is looked at again, so each is learned from once, told by its identity.
import type { PoolSpec } from '../domain/config.ts';
import type { Plan } from '../domain/plan.ts';
import type { ComingJob, ForecastSlot, QueuedJob } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, MINUTE_MS } from '../domain/units.ts';
import type { Store } from '../ports/store.ts';
import { comingJobs, createLengths } from '../queue/lookahead.ts';
import { createDemandBook } from './demand-book.ts';
import type { Look } from './queue-look-book.ts';
import type { Looker } from './queue-looker.ts';
import type { Member } from './queue-members.ts';

/** A job foretold counts as missed when it is not pending that long after its moment. */
const MISSED_AFTER_MS: DurationMs = 2 * MINUTE_MS;
/** Foretold jobs that are followed up. */
const MOST_FORETOLD = 5_000;

export type AheadScore = { hits: number; misses: number };

export type QueueAhead = {
  /** Learns from what was seen since the last time. */
  learn(members: readonly Member[], plan: Plan | null, now: EpochMs): void;
  coming(member: Member, now: EpochMs): ComingJob[];
  forecast(pool: PoolSpec, now: EpochMs): readonly ForecastSlot[];
  /** Foretold jobs that came, and that did not, since the start. */
  score(pool: string): AheadScore;
};

/** Foretold jobs are followed up: did they come? */
function createScore() {
  const foretold = new Map<string, { pool: string; at: EpochMs }>();
  const scores = new Map<string, AheadScore>();

  function count(pool: string, what: keyof AheadScore): void {
    const score = scores.get(pool) ?? { hits: 0, misses: 0 };
    scores.set(pool, score);
    score[what] += 1;
  }

  return {
    followUp({ spec, looker }: Member, coming: readonly ComingJob[], now: EpochMs): void {
      for (const { job, expectedAt: at } of coming) {
        const key = `${spec.id} ${job.id}`;
        if (foretold.size < MOST_FORETOLD || foretold.has(key)) foretold.set(key, { pool: spec.id, at });
      }
      if (looker === null || foretold.size === 0) return;
      const begun = new Set<number>();
      for (const { jobs } of looker.raw().values())
        for (const { id, status } of jobs) if (status !== 'created') begun.add(id);
      for (const [key, { pool, at }] of foretold) {
        if (pool !== spec.id) continue;
        const hasCome = begun.has(Number(key.slice(pool.length + 1)));
        if (!hasCome && now - at <= MISSED_AFTER_MS) continue;
        foretold.delete(key);
        count(pool, hasCome ? 'hits' : 'misses');
      }
    },
    of: (pool: string): AheadScore => scores.get(pool) ?? { hits: 0, misses: 0 },
  };
}

/** Learned lengths and histories; the histories are kept in the store. */
export function createQueueAhead(store: Pick<Store, 'fact' | 'putFact'>): QueueAhead {
  const lengths = createLengths();
  const lastLooks = new WeakMap<Looker, Map<number, Look>>();
  const demand = createDemandBook(store);
  const score = createScore();

  /** Jobs that ran at the last look and do not any more have ended in between. */
  function learnLengths(before: Look, after: Look): void {
    const open = new Set(after.jobs.map(({ id }) => id));
    for (const { id, status, startedAt, project, name } of before.jobs) {
      if (status !== 'running' || open.has(id) || startedAt === null || startedAt === undefined) continue;
      lengths.learn(project.id, name, Math.max(0, after.observedAt - startedAt));
    }
  }

  function learnLooks(looker: Looker): void {
    const known = lastLooks.get(looker) ?? new Map<number, Look>();
    lastLooks.set(looker, known);
    for (const [id, look] of looker.raw()) {
      const before = known.get(id);
      if (before === look) continue;
      // What an incomplete answer left out has not ended.
      if (before !== undefined && look.missed.length === 0) learnLengths(before, look);
      known.set(id, look);
    }
    for (const id of known.keys()) if (!looker.raw().has(id)) known.delete(id);
  }

  function coming({ settings, spec, looker }: Member, now: EpochMs): ComingJob[] {
    if (!settings.lookahead || looker === null || looker.source === 'instance') return [];
    const jobs: QueuedJob[] = [...looker.raw().values()].flatMap((look) => look.jobs);
    return comingJobs(jobs, lengths.usual, now).filter(({ job }) => looker.wouldTake(spec.id, job));
  }

  return {
    learn(members, plan, now) {
      const ahead = members.filter(({ settings }) => settings.lookahead);
      const lookers = new Set(ahead.map(({ looker }) => looker));
      for (const looker of lookers) if (looker !== null) learnLooks(looker);
      for (const member of ahead) score.followUp(member, coming(member, now), now);
      for (const { settings, spec } of members) if (settings.forecast) demand.learn(spec.id, plan, now);
    },
    coming,
    forecast: ({ id, queue }, now) => (queue?.forecast === true ? demand.forecast(id, now) : []),
    score: (pool) => score.of(pool),
  };
}
