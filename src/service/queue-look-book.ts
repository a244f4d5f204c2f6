// What the looks of one source showed last, project by project, and which pools may take it.
// Traps: a project without a good look keeps the last one; what an incomplete answer left out is dropped only when the next
// look misses it, too; verdicts are kept until a runner's traits or a ref's protection change.
import type { ProjectRef, QueuedJob, QueueProject } from '../domain/queue.ts';
import type { DurationMs, EpochMs } from '../domain/units.ts';
import type { QueueAnswer } from '../ports/queue.ts';
import type { Random } from '../ports/random.ts';
import type { JudgedJob } from '../queue/group-jobs.ts';
import { hangsOnProtection, type Match, type MatchRules, matchJob } from '../queue/match-job.ts';
import type { ProjectHistory } from '../queue/poll-plan.ts';
import type { QueueRefs } from './queue-refs.ts';

/** So many failed looks in a row are GitLab's trouble and not a project's. */
const OUTAGE_FAILURES = 3;

/** Jobs of all looks together. */
const MOST_JOBS = 20_000;

/** The one entry of a source that sees all projects at once. */
export const WHOLE = 0;

/** A pool as its looks need it. */
export type LookerPool = {
  id: string;
  rules: MatchRules;
  projects: readonly QueueProject[];
  intervalMs: DurationMs;
  /** Wants to know of created and running jobs, too. */
  lookahead: boolean;
};

export type Look = {
  jobs: readonly QueuedJob[];
  /** Jobs that an incomplete answer left out. */
  missed: readonly QueuedJob[];
  observedAt: EpochMs;
  judged: readonly JudgedJob[] | null;
};

export type Verdict = { job: QueuedJob; match: Match; observedAt: EpochMs };

export type LookBook = {
  readonly histories: ReadonlyMap<number, ProjectHistory>;
  readonly projects: ReadonlyMap<number, ProjectRef>;
  readonly looks: ReadonlyMap<number, Look>;
  /** Projects that GitLab hides from the token, with its words. */
  readonly refused: ReadonlyMap<number, string>;
  pools(): readonly LookerPool[];
  setPools(pools: readonly LookerPool[]): void;
  /** A look answered. True when the pending jobs are others than before. */
  keep(ids: readonly number[], answer: QueueAnswer): boolean;
  /** A look failed. */
  fail(ids: readonly number[]): void;
  rejudge(): void;
  /** The wall clock was set: all times move with it. */
  shift(by: DurationMs): void;
  judged(look: Look): readonly JudgedJob[];
  verdicts(pool: string): Verdict[];
  /** Whether the pool will take a job once it is pending. */
  wouldTake(pool: string, job: QueuedJob): boolean;
};

type Deps = { refs: QueueRefs; random: Random; seesAll: boolean };

function idsOf(jobs: readonly QueuedJob[]): string {
  const ids = jobs.map(({ id }) => id);
  return ids.toSorted((a, b) => a - b).join(' ');
}

function newHistory(id: number, activeAt: EpochMs | null, chance: number): ProjectHistory {
  return { id, triedAt: null, pendingAt: null, activeAt, dirtyAt: null, failures: 0, chance };
}

/** The look at one project that an answer gives. */
function nextLook(before: Look | undefined, jobs: readonly QueuedJob[], answer: QueueAnswer): Look {
  const seen = new Set(jobs.map(({ id }) => id));
  const missed = answer.complete ? [] : (before?.jobs ?? []).filter(({ id }) => !seen.has(id));
  return { jobs, missed, observedAt: answer.observedAt, judged: null };
}

/** What looks ahead asks for more than the queue. */
const isQueued = ({ status }: QueuedJob): boolean => status === 'pending';

function resolved(job: QueuedJob, rules: MatchRules, refs: QueueRefs): QueuedJob {
  return hangsOnProtection(rules, job) ? { ...job, protectedRef: refs.isProtected(job) } : job;
}

type Book = {
  histories: Map<number, ProjectHistory>;
  projects: Map<number, ProjectRef>;
  looks: Map<number, Look>;
  refused: Map<number, string>;
  pools: readonly LookerPool[];
  failuresInRow: number;
};

/** Takes up new projects and forgets those that no pool has any more. */
function follow(book: Book, { random, seesAll }: Deps): void {
  const { histories, projects, looks, refused } = book;
  const listed = seesAll ? [] : book.pools.flatMap((pool) => pool.projects);
  projects.clear();
  for (const project of listed) projects.set(project.id, project);
  for (const { id, activeAt } of listed)
    if (!histories.has(id)) histories.set(id, newHistory(id, activeAt, random.float()));
  if (seesAll && !histories.has(WHOLE)) histories.set(WHOLE, newHistory(WHOLE, null, 0));
  for (const id of histories.keys()) {
    if (projects.has(id) || (seesAll && id === WHOLE)) continue;
    for (const map of [histories, looks, refused]) map.delete(id);
  }
}

/** Jobs that may still be kept: no pool has machines for more, and no answer may cost more memory. */
function roomBeside(looks: ReadonlyMap<number, Look>, id: number): number {
  let others = 0;
  for (const [other, { jobs, missed }] of looks) if (other !== id) others += jobs.length + missed.length;
  return Math.max(0, MOST_JOBS - others);
}

function keep(book: Book, ids: readonly number[], answer: QueueAnswer): boolean {
  const { histories, looks, refused } = book;
  // After an outage all projects start anew.
  if (book.failuresInRow >= OUTAGE_FAILURES) for (const history of histories.values()) history.failures = 0;
  book.failuresInRow = 0;
  const hidden = new Map(answer.refused.map(({ project, why }) => [project, why]));
  let hasNews = false;
  for (const id of ids) {
    const history = histories.get(id);
    if (history === undefined) continue;
    history.failures = 0;
    const why = hidden.get(id);
    if (why !== undefined) {
      // Deleted, or a right taken away: nobody can tell. What was seen is held until the list of projects lacks it.
      refused.set(id, why);
      continue;
    }
    refused.delete(id);
    const found = id === WHOLE ? answer.jobs : answer.jobs.filter(({ project }) => project.id === id);
    const before = looks.get(id);
    const jobs = found.slice(0, roomBeside(looks, id));
    hasNews ||= idsOf(before?.jobs ?? []) !== idsOf(jobs);
    looks.set(id, nextLook(before, jobs, answer));
    // Running and created jobs are in the look only where lookahead asked for them: their project is busy, too.
    if (jobs.length > 0) history.pendingAt = answer.observedAt;
  }
  return hasNews;
}

/** One project's trouble is asked for less often; when nothing works, the pace alone says when to try again. */
function fail(book: Book, ids: readonly number[]): void {
  book.failuresInRow += 1;
  const isOutage = book.failuresInRow >= OUTAGE_FAILURES;
  for (const history of isOutage ? book.histories.values() : []) history.failures = 0;
  for (const id of isOutage ? [] : ids) {
    const history = book.histories.get(id);
    if (history !== undefined) history.failures += 1;
  }
}

function shift({ histories, looks }: Book, by: DurationMs): void {
  const moved = (at: EpochMs | null) => (at === null ? null : at + by);
  for (const history of histories.values()) {
    const { triedAt, pendingAt, dirtyAt } = history;
    Object.assign(history, { triedAt: moved(triedAt), pendingAt: moved(pendingAt), dirtyAt: moved(dirtyAt) });
  }
  const movedJob = (job: QueuedJob) => ({
    ...job,
    queuedAt: moved(job.queuedAt),
    createdAt: moved(job.createdAt),
  });
  for (const [id, { jobs, missed, observedAt }] of looks) {
    const look = { jobs: jobs.map(movedJob), missed: missed.map(movedJob), observedAt: observedAt + by };
    looks.set(id, { ...look, judged: null });
  }
}

/** An empty book. */
export function createLookBook(deps: Deps): LookBook {
  const { refs } = deps;
  const book: Book = {
    histories: new Map(),
    projects: new Map(),
    looks: new Map(),
    refused: new Map(),
    pools: [],
    failuresInRow: 0,
  };
  const rejudge = () => {
    for (const look of book.looks.values()) look.judged = null;
  };
  const judge = ({ jobs, missed }: Look): JudgedJob[] =>
    [...jobs, ...missed].flatMap((job) => {
      const takers = book.pools.filter(({ rules }) => matchJob(rules, resolved(job, rules, refs)).takes);
      return takers.length === 0 ? [] : [{ job, pools: takers.map(({ id }) => id) }];
    });
  return {
    histories: book.histories,
    projects: book.projects,
    looks: book.looks,
    refused: book.refused,
    pools: () => book.pools,
    setPools(pools) {
      book.pools = pools.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      follow(book, deps);
      rejudge();
    },
    keep: (ids, answer) => keep(book, ids, answer),
    fail: (ids) => fail(book, ids),
    rejudge,
    shift: (by) => shift(book, by),
    judged(look) {
      look.judged ??= judge(look);
      return look.judged;
    },
    wouldTake(pool, job) {
      const rules = book.pools.find(({ id }) => id === pool)?.rules;
      const pending = { ...job, status: 'pending' };
      return rules !== undefined && matchJob(rules, resolved(pending, rules, refs)).takes;
    },
    verdicts(pool) {
      const rules = book.pools.find(({ id }) => id === pool)?.rules;
      if (rules === undefined) return [];
      return [...book.looks.values()].flatMap(({ jobs, missed, observedAt }) =>
        [...jobs, ...missed].filter(isQueued).map((job) => ({
          job,
          observedAt,
          match: matchJob(rules, resolved(job, rules, refs)),
        })),
      );
    },
  };
}
