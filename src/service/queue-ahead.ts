// What the queue's watch knows of the time ahead: jobs whose stage is about to begin, and what is usual at this hour.
// Learns from the looks that are made anyway and from the last plan; the plan decides what comes of it.
// Trap: looks are replaced when a project is looked at again, so each is learned from once, told by its identity.
import type { PoolSpec } from '../domain/config.ts';
import type { Plan } from '../domain/plan.ts';
import type { ComingJob, ComingStage, ForecastSlot, QueuedJob } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, MINUTE_MS } from '../domain/units.ts';
import type { Store } from '../ports/store.ts';
import { createLengths } from '../queue/job-lengths.ts';
import { AHEAD_MARGIN_MS, machinesFor, type NextStage, nextStages } from '../queue/lookahead.ts';
import type { Look } from './queue-look-book.ts';
import type { Looker } from './queue-looker.ts';
import type { Member } from './queue-members.ts';
import { createRushBook } from './rush-book.ts';

/** A job foretold counts as missed when it is not pending that long after its moment. */
const MISSED_AFTER_MS: DurationMs = 2 * MINUTE_MS;
/** Foretold jobs that are followed up. */
const MOST_FORETOLD = 5_000;

export type AheadScore = { hits: number; misses: number };

export type QueueAhead = {
  /** Learns from what was seen since the last time. */
  learn(members: readonly Member[], plan: Plan | null, now: EpochMs): void;
  coming(member: Member, now: EpochMs): ComingJob[];
  /** The same, stage by stage, for the planner. */
  stages(member: Member, now: EpochMs): ComingStage[];
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

/** A stage that is about to begin, with the jobs that a pool may take. */
type PoolStage = Omit<ComingStage, 'jobs'> & { jobs: readonly QueuedJob[] };

/** Learned lengths and histories; the histories are kept in the store. */
export function createQueueAhead(store: Pick<Store, 'fact' | 'putFact'>): QueueAhead {
  const lengths = createLengths();
  const lastLooks = new WeakMap<Looker, Map<number, Look>>();
  const rushes = createRushBook(store);
  const score = createScore();

  /** Jobs that ran at the last look and do not any more have ended in between. */
  function learnLengths(before: Look, after: Look): void {
    const open = new Set(after.jobs.map(({ id }) => id));
    // Somewhere between the looks: in the middle, in the mean.
    const endedAt = (before.observedAt + after.observedAt) / 2;
    for (const job of before.jobs) {
      const { id, status, startedAt } = job;
      if (status !== 'running' || open.has(id) || startedAt === null || startedAt === undefined) continue;
      lengths.learn(job, Math.max(0, endedAt - startedAt));
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

  /** Asked several times a round: told once for each look and moment. */
  const told = new WeakMap<Look, { now: EpochMs; stages: NextStage[] }>();
  function stagesOf(look: Look, now: EpochMs): NextStage[] {
    const known = told.get(look);
    if (known?.now === now) return known.stages;
    const found = nextStages(look.jobs, lengths.usual, now);
    told.set(look, { now, stages: found });
    return found;
  }

  function nextOf({ settings, spec, looker }: Member, now: EpochMs): PoolStage[] {
    if (!settings.lookahead || looker === null || looker.source === 'instance') return [];
    return [...looker.raw().values()].flatMap((look) =>
      stagesOf(look, now).map((stage) => ({
        observedAt: look.observedAt,
        expectedAt: stage.expectedAt,
        jobs: stage.jobs.filter((job) => looker.wouldTake(spec.id, job)),
        leaving: stage.open.filter((job) => looker.wouldTake(spec.id, job)).length,
      })),
    );
  }

  const coming = (member: Member, now: EpochMs): ComingJob[] =>
    nextOf(member, now).flatMap(({ jobs, expectedAt }) => jobs.map((job) => ({ job, expectedAt })));

  const stages = (member: Member, now: EpochMs): ComingStage[] =>
    nextOf(member, now)
      .map((stage) => ({ ...stage, jobs: stage.jobs.length }))
      .filter(({ jobs }) => jobs > 0);

  /** Learns the rush, less what look-ahead asks machines for. */
  function learnRush(member: Member, plan: Plan, now: EpochMs): void {
    const size = plan.pools.find(({ pool }) => pool === member.spec.id);
    if (size === undefined) return;
    const until = now + size.bootMs + AHEAD_MARGIN_MS;
    const reuses = member.spec.maxBuilds !== 1;
    const announced = machinesFor(stages(member, now), { until, claims: [], reuses });
    rushes.learn(size, { announced, reuses }, now);
  }

  return {
    learn(members, plan, now) {
      const ahead = members.filter(({ settings }) => settings.lookahead);
      const lookers = new Set(ahead.map(({ looker }) => looker));
      for (const looker of lookers) if (looker !== null) learnLooks(looker);
      for (const member of ahead) score.followUp(member, coming(member, now), now);
      if (plan === null) return;
      for (const member of members) if (member.settings.forecast) learnRush(member, plan, now);
    },
    coming,
    stages,
    forecast: ({ id, queue }, now) =>
      queue?.forecast === true ? rushes.forecast(id, queue.forecastShare, now) : [],
    score: (pool) => score.of(pool),
  };
}
