// Answers creates whose jobs have ended in GitLab: nobody ends a create on cancel or time limit, and a machine would boot
// for nothing. Only where no doubt is left (queue/jobless-creates.ts), and only for runners on demand.
// Trap: a wrong answer costs a living job a try, a missing one only a boot; so every doubt is a reason to do nothing.
import { HostlerError, messageOf } from '../domain/error.ts';
import { isBusy, type Lease } from '../domain/lease.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { policyAt } from '../planner/schedule.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Gitlab } from '../ports/queue.ts';
import type { Store } from '../ports/store.ts';
import {
  type CreateMatch,
  goneJobs,
  type JobsLook,
  joblessCreates,
  nextMatch,
  type RunningJob,
} from '../queue/jobless-creates.ts';
import type { Leases } from './leases.ts';
import type { Member } from './queue-members.ts';

/** One pool is looked at in each round: at most 12 calls a minute, and none while no create waits. */
const ROUND_MS: DurationMs = 5 * SECOND_MS;
/** A create that waits for less is served sooner than it could be doubted. */
const WAITED_MS: DurationMs = 8 * SECOND_MS;
/** After creates were answered the runner tries again at once; its next ones are for the same ended jobs. */
const PROVEN_MS: DurationMs = MINUTE_MS;
/** Ends that are asked for in one look; a larger burst is cancelled bit by bit. */
const MOST_ENDS = 20;

type Deps = {
  members(): readonly Member[];
  store: Store;
  clock: Clock;
  log: Log;
  leases(): Pick<Leases, 'refuse'>;
};

type Known = { match: CreateMatch | null; provenAt: EpochMs | null };

export type EndedJobs = { run(signal: AbortSignal): Promise<void> };

/** On demand now, and when the create began: its create is for a job, not for the runner's idle. */
function isOnDemand({ spec }: Member, at: EpochMs): boolean {
  return policyAt(spec.runnerSchedule, at).policy.idleCount === 0;
}

/** A used machine whose job of now was not seen in its containers yet. */
function isUnclear(lease: Lease, now: EpochMs): boolean {
  if (lease.state === 'granted') return true;
  const lastSeen = lease.jobs.at(-1)?.seenAt ?? 0;
  return (
    lease.state === 'held' && isBusy(lease, now) && (lease.jobs.length === 0 || lastSeen < (lease.urlAt ?? 0))
  );
}

/** The token reads the runner's own settings and all of its projects; else it may not see all of its jobs. */
function canTell({ site, scope, settings, looker }: Member): boolean {
  const isTold = scope?.rules?.traits.type != null;
  return site !== null && settings.runnerId !== null && isTold && looker?.state().refused.size === 0;
}

function describeEnds(ends: ReadonlyMap<number, string | null>): string {
  const [first] = ends;
  if (first === undefined) return '';
  const more = ends.size > 1 ? ` and ${ends.size - 1} more` : '';
  return `: job ${first[0]} ${first[1] ?? ''}${more}`;
}

type Context = Deps & { known: Map<string, Known>; turn: number };

function waitingOf({ store }: Deps, pool: string, now: EpochMs): Lease[] {
  return store
    .leases()
    .filter((lease) => lease.pool === pool && lease.state === 'waiting' && lease.since <= now);
}

function lookOf(context: Context, pool: string, running: JobsLook['running']): JobsLook {
  const now = context.clock.now();
  const leases = context.store.leases().filter((lease) => lease.pool === pool);
  return {
    running,
    onMachines: new Set(leases.flatMap(({ jobs }) => jobs.map(({ id }) => Number(id)))),
    waiting: waitingOf(context, pool, now).map(({ name }) => name),
    unclear: leases.filter((lease) => isUnclear(lease, now)).length,
  };
}

function answer({ leases }: Deps, names: readonly string[], why: string): void {
  for (const name of names) {
    const text = `every job that this create could be for has ended in GitLab${why}`;
    leases().refuse(name, 'job-ended', new HostlerError('job-ended', text));
  }
}

/** How the gone jobs of a match ended. */
async function endsOf(
  gitlab: Gitlab,
  jobs: readonly RunningJob[],
  signal: AbortSignal,
): Promise<Map<number, string | null>> {
  const ends = new Map<number, string | null>();
  for (const job of jobs.slice(0, MOST_ENDS)) ends.set(job.id, await gitlab.jobStatus(job, signal));
  return ends;
}

async function look(context: Context, member: Member, signal: AbortSignal): Promise<void> {
  const { known, clock } = context;
  const { site, settings, spec } = member;
  if (site === null || settings.runnerId === null) return;
  const gitlab = await site.gitlab(signal);
  const before = new Set(waitingOf(context, spec.id, clock.now()).map(({ name }) => name));
  const running = await gitlab.runningJobs(settings.runnerId, signal);
  const all = lookOf(context, spec.id, running);
  // Creates that came while GitLab was asked have jobs that it may not have shown.
  if (all.waiting.some((name) => !before.has(name))) return;
  const { match: last, provenAt } = known.get(spec.id) ?? { match: null, provenAt: null };
  const isProven = provenAt !== null && clock.now() - provenAt < PROVEN_MS;
  const isEmpty = all.unclear === 0 && running.every(({ id }) => all.onMachines.has(id));
  if (isProven && isEmpty) return answer(context, all.waiting, '');
  const match = nextMatch(last, all);
  known.set(spec.id, { match, provenAt });
  if (match === null || !isEmpty) return;
  const ends = await endsOf(gitlab, goneJobs(match, all), signal);
  const jobless = joblessCreates(match, ends, lookOf(context, spec.id, running));
  if (jobless.length === 0) return;
  known.set(spec.id, { match: null, provenAt: clock.now() });
  answer(context, jobless, describeEnds(ends));
}

/** Whether a pool's creates have waited for a while, all of them for jobs. */
function isDue({ clock, known }: Context, member: Member, waiting: readonly Lease[]): boolean {
  const now = clock.now();
  const last = known.get(member.spec.id);
  if (waiting.length === 0 && last !== undefined) last.match = null;
  const areForJobs = waiting.every(({ since }) => isOnDemand(member, since));
  const isLong = waiting.some(({ since }) => now - since >= WAITED_MS);
  return isLong && areForJobs && isOnDemand(member, now);
}

/** Pools to look at; the store is read once, and not at all where no token could tell. */
function duePools(context: Context): Member[] {
  const members = context.members().filter(canTell);
  if (members.length === 0) return [];
  const waiting = context.store.leases().filter(({ state }) => state === 'waiting');
  const byPool = Map.groupBy(waiting, ({ pool }) => pool);
  return members.filter((member) => isDue(context, member, byPool.get(member.spec.id) ?? []));
}

async function round(context: Context, signal: AbortSignal): Promise<void> {
  const due = duePools(context);
  context.turn += 1;
  const member = due[context.turn % Math.max(1, due.length)];
  if (member === undefined) return;
  try {
    await look(context, member, signal);
  } catch (error) {
    // Nothing is known, so nothing is done; a token without the right is asked again, but at this pace only.
    context.known.delete(member.spec.id);
    const detail = { pool: member.spec.id, error: messageOf(error) };
    context.log.debug("the runner's running jobs cannot be read", detail);
  }
}

/** The watch over creates without a job. */
export function createEndedJobs(deps: Deps): EndedJobs {
  const context: Context = { ...deps, known: new Map(), turn: 0 };
  return {
    async run(signal) {
      while (!signal.aborted) {
        await round(context, signal);
        await deps.clock.sleep(ROUND_MS, signal);
      }
    },
  };
}
