// Looks at the queue through one source of one site: which project when, within GitLab's limits, and how old the last word is.
// Trap: a look that failed is never an empty queue; what it leaves is the last good one with its age.
import { messageOf } from '../domain/error.ts';
import { gitlabFailure } from '../domain/gitlab-failure.ts';
import type { QueuedJob } from '../domain/queue.ts';
import { type DurationMs, type EpochMs, MINUTE_MS } from '../domain/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { JudgedLook } from '../queue/group-jobs.ts';
import { BURST_CALLS, MOST_IN_FLIGHT } from '../queue/pace.ts';
import { nextLooks, type Periods, type ProjectHistory, planPeriods, pulseOf } from '../queue/poll-plan.ts';
import {
  createLookBook,
  type Look,
  type LookBook,
  type LookerPool,
  type Verdict,
  WHOLE,
} from './queue-look-book.ts';
import type { QueueRefs } from './queue-refs.ts';
import type { GitlabSourceName, QueueSite } from './queue-site.ts';

/** A queue that could not be seen for so long launches nothing any more: the runner has claimed much of it by then. */
export const STALE_AFTER_MS: DurationMs = 2 * MINUTE_MS;
/** Jobs of a look of this age are held in any case: above every period within the budget. */
const OLD_LOOK_MS: DurationMs = 15 * MINUTE_MS;
/** A project that GitLab hides from the token is asked for again after this. */
const REFUSED_PAUSE_MS: DurationMs = 10 * MINUTE_MS;
/** Calls a minute that refreshes take beside the looks: pages of projects, the runner's settings. */
const OTHER_CALLS = 1.5;
/** Projects of the first look, before the source has said how many it takes. */
const FIRST_BATCH: Readonly<Record<GitlabSourceName, number>> = { rest: 1, graphql: 7, instance: 1 };

export type LookerState = {
  /** Last look that answered; null = none yet. */
  goodAt: EpochMs | null;
  /** Why looks fail now; null while they do not. */
  failing: string | null;
  /** Every project was looked at once. */
  isWhole: boolean;
  periods: Periods | null;
  projects: number;
  refused: ReadonlyMap<number, string>;
};

export type Looker = {
  source: GitlabSourceName;
  /** GitLab's address: job ids are its own. */
  url: string;
  setPools(pools: readonly LookerPool[]): void;
  /** Starts what is due; gives when to come back at the latest. */
  step(signal: AbortSignal): EpochMs;
  /** Judges jobs anew, for changed refs. */
  rejudge(): void;
  /** The wall clock was set. */
  shift(by: DurationMs): void;
  looks(now: EpochMs): JudgedLook[];
  /** Each pending job with a pool's verdict. */
  verdicts(pool: string): Verdict[];
  /** The last looks by project, with the jobs that are not pending where lookahead asked for them. */
  raw(): ReadonlyMap<number, Look>;
  /** Whether the pool will take a job once it is pending. */
  wouldTake(pool: string, job: QueuedJob): boolean;
  /** Somebody says that a project changed: it is looked at next. False when it is none of ours. */
  markDirty(project: number | string): boolean;
  state(): LookerState;
};

type Deps = {
  site: QueueSite;
  refs: QueueRefs;
  clock: Clock;
  random: Random;
  /** A look ended. `news`: the jobs are others than before. */
  looked(news: boolean): void;
};

type Context = Deps & {
  source: GitlabSourceName;
  book: LookBook;
  inFlight: Set<number>;
  /** Looks under way. */
  calls: number;
  perLook: number;
  goodAt: EpochMs | null;
  failing: string | null;
  periods: Periods | null;
};

/** What all projects of the token have in common is the token's trouble. */
function commonRefusal({ book }: Context): string | null {
  const [first] = book.refused.values();
  return first !== undefined && book.refused.size === book.projects.size ? first : null;
}

/** Created and running jobs cost pages; of a whole instance they would be thousands. */
function statusesFor({ source, book }: Context): readonly string[] {
  const looksAhead = source !== 'instance' && book.pools().some(({ lookahead }) => lookahead);
  return looksAhead ? ['pending', 'created', 'running'] : ['pending'];
}

type Due = { ids: readonly number[]; urgent: boolean };

async function look(context: Context, { ids, urgent }: Due, signal: AbortSignal): Promise<void> {
  const { site, book, clock } = context;
  let hasNews = false;
  try {
    const from = await site.source(context.source, signal);
    const projects = ids.flatMap((id) => book.projects.get(id) ?? []);
    const answer = await from.look({ projects, statuses: statusesFor(context), urgent }, signal);
    context.perLook = Math.max(1, from.projectsPerLook);
    hasNews = book.keep(ids, answer);
    context.failing = commonRefusal(context);
    if (context.failing === null) context.goodAt = clock.now();
  } catch (error) {
    if (signal.aborted) return;
    if (gitlabFailure(error).kind === 'token') site.doubtToken();
    context.failing = messageOf(error);
    book.fail(ids);
  } finally {
    context.calls -= 1;
    for (const id of ids) context.inFlight.delete(id);
    if (!signal.aborted) context.looked(hasNews);
  }
}

/** What may be looked at: not under way, and not hidden a short while ago. */
function openHistories({ book, inFlight }: Context, now: EpochMs): ProjectHistory[] {
  return [...book.histories.values()].filter(({ id, triedAt }) => {
    const isHidden = book.refused.has(id) && now - (triedAt ?? 0) < REFUSED_PAUSE_MS;
    return !inFlight.has(id) && !isHidden;
  });
}

function planned({ site, book, perLook }: Context, now: EpochMs): Periods {
  const { callsPerMinute } = site.gate.state();
  const budget = Math.max(1, callsPerMinute - BURST_CALLS - OTHER_CALLS) * perLook;
  const intervalMs = Math.min(...book.pools().map((pool) => pool.intervalMs));
  // A source that sees all is asked at the interval, whether or not jobs are pending.
  const whole = book.histories.get(WHOLE);
  if (whole !== undefined) whole.pendingAt = now;
  return planPeriods(book.histories.values(), now, { budget, intervalMs });
}

function begin({ book, inFlight, random }: Context, id: number, now: EpochMs): void {
  inFlight.add(id);
  const history = book.histories.get(id);
  if (history === undefined) return;
  history.triedAt = now;
  history.dirtyAt = null;
  history.chance = random.float();
}

function step(context: Context, signal: AbortSignal): EpochMs {
  const now = context.clock.now();
  if (context.book.pools().length === 0) return now + MINUTE_MS;
  context.periods = planned(context, now);
  for (;;) {
    const most = context.perLook;
    const { due: ids, nextAt } = nextLooks(openHistories(context, now), context.periods, { now, most });
    if (ids.length === 0) return nextAt ?? now + MINUTE_MS;
    const urgent = ids.some((id) => context.book.histories.get(id)?.dirtyAt !== null);
    // What changed does not wait for a look of a sweep to end.
    if (context.calls >= MOST_IN_FLIGHT + (urgent ? 1 : 0)) return now + MINUTE_MS;
    for (const id of ids) begin(context, id, now);
    context.calls += 1;
    void look(context, { ids, urgent }, signal);
  }
}

function isHeld(
  { book, failing, periods }: Context,
  id: number,
  { observedAt }: Look,
  now: EpochMs,
): boolean {
  const age = now - observedAt;
  const history = book.histories.get(id);
  const isFailing = failing !== null || (history?.failures ?? 0) > 0 || book.refused.has(id);
  const period = history === undefined || periods === null ? 0 : periods[pulseOf(history, now)];
  return age > Math.max(OLD_LOOK_MS, 3 * period) || (isFailing && age > STALE_AFTER_MS);
}

function markDirty({ book, clock, source }: Context, project: number | string): boolean {
  const named = () => [...book.projects.values()].find(({ path }) => path === project)?.id ?? -1;
  const id = typeof project === 'number' ? project : named();
  const history = book.histories.get(source === 'instance' ? WHOLE : id);
  if (history === undefined) return false;
  history.dirtyAt = clock.now();
  return true;
}

/** A looker without pools; `source` decides how many projects one look takes. */
export function createLooker(source: GitlabSourceName, deps: Deps): Looker {
  const { refs, random } = deps;
  const book = createLookBook({ refs, random, seesAll: source === 'instance' });
  const context: Context = {
    ...deps,
    source,
    book,
    inFlight: new Set(),
    calls: 0,
    perLook: FIRST_BATCH[source],
    goodAt: null,
    failing: null,
    periods: null,
  };
  return {
    source,
    url: deps.site.url,
    setPools: (pools) => book.setPools(pools),
    step: (signal) => step(context, signal),
    rejudge: () => book.rejudge(),
    shift(by) {
      book.shift(by);
      if (context.goodAt !== null) context.goodAt += by;
    },
    looks: (now) =>
      [...book.looks].map(([id, one]) => ({
        jobs: book.judged(one),
        observedAt: one.observedAt,
        held: isHeld(context, id, one, now),
      })),
    verdicts: (pool) => book.verdicts(pool),
    raw: () => book.looks,
    wouldTake: (pool, job) => book.wouldTake(pool, job),
    markDirty: (project) => markDirty(context, project),
    state: () => ({
      goodAt: context.goodAt,
      failing: context.failing,
      isWhole: [...book.histories.keys()].every((id) => book.looks.has(id) || book.refused.has(id)),
      periods: context.periods,
      projects: book.projects.size,
      refused: book.refused,
    }),
  };
}
