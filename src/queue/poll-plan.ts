// Which project to look at next when each look costs a call: busy ones every few seconds, quiet ones more slowly, and all
// of them within what GitLab allows. Pure: history, time and budget come in, looks come out.
// Traps: a thousand projects that were never looked at must not keep the busy ones waiting; when the budget is short
// the rule says who gives way, and `hostler queue` says by how much.
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../domain/units.ts';

/** A project counts as busy for so long after a job was pending: the stages of a pipeline follow each other. */
export const BUSY_KEPT_MS: DurationMs = 5 * MINUTE_MS;
/** After that it counts as quiet, then as dormant. */
const QUIET_KEPT_MS: DurationMs = HOUR_MS;

/** Wanted at the slowest while the budget is wide (facts: adaptive period 30 to 60 s quiet, 5 min dormant) … */
const QUIET_MS: DurationMs = MINUTE_MS;
const DORMANT_MS: DurationMs = 5 * MINUTE_MS;
/** … and sooner where they are few: until the looks at projects without jobs take this part of the budget. */
const SWEEP_SHARE = 0.25;
/** A busy project is seen within 15 s as long as the budget lets it; what is left is for its place in the line. */
const BUSY_SLOWEST_MS: DurationMs = 13_800;
/** More busy projects than that leaves room for are seen more slowly, up to this, before the quiet ones are. */
const BUSY_CROWDED_MS: DurationMs = MINUTE_MS;
/** A quiet one within 10 min. */
const QUIET_SLOWEST_MS: DurationMs = 594 * SECOND_MS;
/** Looks are spread by so much of their period, while there is room for it. */
const JITTER = 0.15;
/** Between two looks at a project of which is said, again and again, that it changed: one look serves them all. */
const CHANGED_PAUSE_MS: DurationMs = 1_200;
/** A project whose looks fail is asked less often, at the most this seldom. */
const FAILING_SLOWEST_MS: DurationMs = 10 * MINUTE_MS;
const FAILING_FIRST_MS: DurationMs = 15 * SECOND_MS;

/** What is remembered of one project between looks. */
export type ProjectHistory = {
  id: number;
  /** Last look that was begun; null = never. */
  triedAt: EpochMs | null;
  /** Last look that showed a pending job. */
  pendingAt: EpochMs | null;
  /** When GitLab says that something last happened in it. */
  activeAt: EpochMs | null;
  /** Somebody said that it changed; null = nobody since the last look. */
  dirtyAt: EpochMs | null;
  /** Looks that failed in a row. */
  failures: number;
  /** 0 up to 1, drawn anew at each look: spreads the next one. */
  chance: number;
};

export type Pulse = 'busy' | 'quiet' | 'dormant';

export type Periods = Readonly<Record<Pulse, DurationMs>> & {
  /** Share of a period by which looks may come early. */
  jitter: number;
  /** Above 1: the budget is too small for what is promised, and busy projects are seen that much later. */
  stretch: number;
};

/** How a project lives, by its last pending job. */
export function pulseOf({ pendingAt, triedAt, activeAt }: ProjectHistory, now: EpochMs): Pulse {
  if (pendingAt !== null && now - pendingAt <= BUSY_KEPT_MS) return 'busy';
  const lastAt = Math.max(pendingAt ?? 0, triedAt === null ? (activeAt ?? 0) : 0);
  return now - lastAt <= QUIET_KEPT_MS ? 'quiet' : 'dormant';
}

/** Between what is wanted (ease 0) and what is promised at the least (ease 1). */
function between(wanted: DurationMs, slowest: DurationMs, ease: number): DurationMs {
  return wanted * Math.max(1, slowest / wanted) ** ease;
}

/** What would be wanted if calls cost nothing. */
type Wanted = Readonly<Record<Pulse, DurationMs>>;

function periodsAt(wanted: Wanted, ease: number): Periods {
  return {
    busy: between(wanted.busy, BUSY_SLOWEST_MS, ease),
    quiet: between(wanted.quiet, QUIET_SLOWEST_MS, ease),
    dormant: between(wanted.dormant, QUIET_SLOWEST_MS, ease),
    jitter: JITTER * (1 - ease),
    stretch: 1,
  };
}

/** Few projects are all looked at as often as busy ones; of many the idle ones take their share of the budget only. */
function wantedFor(counts: Readonly<Record<Pulse, number>>, budget: number, intervalMs: DurationMs): Wanted {
  const sweepMs = ((counts.quiet + counts.dormant) / Math.max(budget * SWEEP_SHARE, 0.1)) * MINUTE_MS;
  const within = (slowest: DurationMs) => Math.max(intervalMs, Math.min(sweepMs, slowest));
  return { busy: intervalMs, quiet: within(QUIET_MS), dormant: within(DORMANT_MS) };
}

/** Looks a minute that these periods come to, jitter included. */
function looksPerMinute(counts: Readonly<Record<Pulse, number>>, periods: Periods): number {
  const early = 1 - periods.jitter / 2;
  const { busy, quiet, dormant } = counts;
  const perMs = busy / periods.busy + quiet / periods.quiet + dormant / periods.dormant;
  return (perMs * MINUTE_MS) / early;
}

/** More than fits: the busy ones give way first, then all by one factor. */
function crowdedPeriods(counts: Readonly<Record<Pulse, number>>, budget: number, wanted: Wanted): Periods {
  const promised = periodsAt(wanted, 1);
  const left = budget - looksPerMinute({ ...counts, busy: 0 }, promised);
  const busy = left > 0 ? (counts.busy * MINUTE_MS) / left : Infinity;
  const crowded = Math.max(promised.busy, BUSY_CROWDED_MS);
  if (busy <= crowded) return { ...promised, busy, stretch: busy / promised.busy };
  const most = { ...promised, busy: crowded };
  const factor = looksPerMinute(counts, most) / Math.max(budget, 0.1);
  const { quiet, dormant } = most;
  return {
    busy: crowded * factor,
    quiet: quiet * factor,
    dormant: dormant * factor,
    jitter: 0,
    stretch: (crowded / promised.busy) * factor,
  };
}

/** Steps of the search for the ease: 2^-12 of the way is far below what jitter makes of it. */
const SEARCH_STEPS = 12;

/**
 * The periods that fit into `budget` looks a minute: as wanted if there is room, else as slow as need be; beyond what
 * is promised the busy ones give way, up to a minute, then all.
 */
export function planPeriods(
  projects: Iterable<ProjectHistory>,
  now: EpochMs,
  { budget, intervalMs }: { budget: number; intervalMs: DurationMs },
): Periods {
  const counts: Record<Pulse, number> = { busy: 0, quiet: 0, dormant: 0 };
  for (const project of projects) counts[pulseOf(project, now)] += 1;
  const wanted = wantedFor(counts, budget, intervalMs);
  const fits = (ease: number) => looksPerMinute(counts, periodsAt(wanted, ease)) <= budget;
  if (fits(0)) return periodsAt(wanted, 0);
  if (!fits(1)) return crowdedPeriods(counts, budget, wanted);
  let [low, high] = [0, 1];
  for (let step = 0; step < SEARCH_STEPS; step++) {
    const middle = (low + high) / 2;
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return periodsAt(wanted, high);
}

/** When a project is to be looked at; 0 = never looked at. */
export function dueAt(project: ProjectHistory, periods: Periods, now: EpochMs): EpochMs {
  const { triedAt, dirtyAt, failures, chance } = project;
  if (triedAt === null) return 0;
  if (dirtyAt !== null && failures === 0) return triedAt + CHANGED_PAUSE_MS;
  const period = periods[pulseOf(project, now)];
  const backOff =
    failures === 0 ? 0 : Math.min(FAILING_SLOWEST_MS, FAILING_FIRST_MS * 2 ** Math.min(failures - 1, 10));
  return triedAt + Math.max(period * (1 - periods.jitter * chance), backOff);
}

type Ranked = { project: ProjectHistory; rank: number; at: EpochMs };

/** Changed ones first, then busy ones, then the rest; among equals who is due longest, of the new ones who was active last. */
function rankOf(project: ProjectHistory, periods: Periods, now: EpochMs): Ranked {
  const at = dueAt(project, periods, now);
  const isDirty = project.dirtyAt !== null && project.failures === 0;
  const rank = isDirty ? 0 : pulseOf(project, now) === 'busy' ? 1 : 2;
  return { project, rank, at: project.triedAt === null ? -(project.activeAt ?? 0) : at };
}

export type NextLooks = {
  /** Due now, in the order to be looked at. */
  due: readonly number[];
  /** When the next one is due at the latest, if none is now; null = there is none. */
  nextAt: EpochMs | null;
};

/** What is due, at most `most` of it. */
export function nextLooks(
  projects: Iterable<ProjectHistory>,
  periods: Periods,
  { now, most }: { now: EpochMs; most: number },
): NextLooks {
  const ranked: Ranked[] = [];
  let nextAt: EpochMs | null = null;
  for (const project of projects) {
    const at = dueAt(project, periods, now);
    if (at <= now) ranked.push(rankOf(project, periods, now));
    else nextAt = Math.min(nextAt ?? at, at);
  }
  ranked.sort((a, b) => a.rank - b.rank || a.at - b.at || a.project.id - b.project.id);
  return { due: ranked.slice(0, most).map(({ project }) => project.id), nextAt };
}
