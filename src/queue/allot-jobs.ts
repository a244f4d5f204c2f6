// How many machines the pending jobs call for, pool by pool: each job once, none that was claimed since it was seen, no
// more than the runner may still start. Pure. The planner calls it with what it counted.
// Traps: creates carry no job identity, so claims are taken off by count and time, the oldest job first; jobs of an old
// look (`held`) may keep what stands but never launch, so they come out apart.
import type { JobGroup } from '../domain/queue.ts';
import type { EpochMs } from '../domain/units.ts';

export type PoolRoom = {
  pool: string;
  /** Part of the matching jobs that is ours. */
  share: number;
  /** Jobs it may still start by its own limit; Infinity = no limit. */
  room: number;
  /** Machines that stand or come and have no job in sight. */
  spare: number;
  /** Those of `spare` that are beyond its idle wants: nothing takes their place. */
  surplus: number;
  /** No machine may be launched for it now. */
  isShut: boolean;
  /** When it claimed jobs: its creates, and held machines that turned busy. */
  claims: readonly EpochMs[];
};

export type Allotment = {
  /** Pending jobs it may take, claimed ones taken off; a job that fits several pools counts in each. */
  matching: number;
  /** When each job that is allotted to it became pending, oldest first: what it should have machines for. */
  fresh: readonly EpochMs[];
  /** Allotted jobs of an old look: reason to keep, not to launch. */
  held: number;
  /** Matching jobs beyond what concurrent and limit let it start. */
  cut: number;
  /** Claims of jobs that no look shows. */
  loose: readonly EpochMs[];
};

type Left = { group: JobGroup; queuedAt: EpochMs[] };

function take(groups: readonly Left[], pool: string, claimedAt: EpochMs): boolean {
  let oldest: Left | null = null;
  for (const one of groups) {
    const { group, queuedAt } = one;
    if (queuedAt.length === 0 || group.observedAt >= claimedAt || !group.pools.includes(pool)) continue;
    if (oldest === null || (queuedAt[0] ?? 0) < (oldest.queuedAt[0] ?? 0)) oldest = one;
  }
  oldest?.queuedAt.shift();
  return oldest !== null;
}

type Running = {
  room: number;
  /** Jobs of its share that are still to be given. */
  quota: number;
  spare: number;
  surplus: number;
  isShut: boolean;
  matching: number;
  fresh: EpochMs[];
  held: number;
  cut: number;
  loose: EpochMs[];
};

function countFor(groups: readonly Left[], pool: string): number {
  return groups.reduce(
    (sum, { group, queuedAt }) => sum + (group.pools.includes(pool) ? queuedAt.length : 0),
    0,
  );
}

/** A job that nobody may start now; what is beyond a pool's share is none of its business. */
function holdBack(one: Running | undefined): void {
  if (one === undefined || one.quota <= 0) return;
  one.quota -= 1;
  one.cut += 1;
}

/** 3: a machine serves that nobody wants idle. 2: one of its idle ones, which another will replace. 1: a new one. 0: none soon. */
function standing({ spare, surplus, isShut }: Running): number {
  if (spare > 0) return surplus > 0 ? 3 : 2;
  return isShut ? 0 : 1;
}

/** Who gets the next job: machines that stand already go before new ones, unwanted ones first; who may launch none comes last; then who has most room. */
function bestPool(pools: readonly string[], running: ReadonlyMap<string, Running>): Running | null {
  let best: Running | null = null;
  for (const pool of pools) {
    const one = running.get(pool);
    if (one === undefined || one.room <= 0 || one.quota <= 0) continue;
    const isBetter =
      best === null ||
      standing(one) > standing(best) ||
      (standing(one) === standing(best) && one.room > best.room);
    if (isBetter) best = one;
  }
  return best;
}

/** The groups in an order that does not hang on who was looked at first: jobs of one moment go by it. */
function inOrder(groups: readonly JobGroup[]): JobGroup[] {
  const keyed = groups.map((group) => ({ group, pools: group.pools.join(' ') }));
  keyed.sort((one, other) => {
    if (one.pools !== other.pools) return one.pools < other.pools ? -1 : 1;
    const [mine, others] = [one.group, other.group];
    return mine.observedAt - others.observedAt || Number(mine.held) - Number(others.held);
  });
  return keyed.map(({ group }) => group);
}

/** Gives the jobs to pools, fresh ones before held ones, the oldest first; `headroom`: jobs that may still start in all. */
export function allotJobs(
  groups: readonly JobGroup[],
  pools: readonly PoolRoom[],
  headroom: number,
): Map<string, Allotment> {
  const left: Left[] = inOrder(groups).map((group) => ({ group, queuedAt: [...group.queuedAt] }));
  const running = new Map<string, Running>();
  const claims = pools.flatMap(({ pool, claims: at }) => at.map((claimedAt) => ({ pool, claimedAt })));
  const observed = new Map(pools.map(({ pool }) => [pool, countFor(left, pool)]));
  const claimed = new Map<string, number>();
  const loose = new Map<string, EpochMs[]>(pools.map(({ pool }) => [pool, []]));
  for (const { pool, claimedAt } of claims.toSorted((a, b) => a.claimedAt - b.claimedAt)) {
    if (take(left, pool, claimedAt)) claimed.set(pool, (claimed.get(pool) ?? 0) + 1);
    else loose.get(pool)?.push(claimedAt);
  }
  for (const { pool, share, room, spare, surplus, isShut } of pools) {
    const quota = Math.ceil(share * (observed.get(pool) ?? 0)) - (claimed.get(pool) ?? 0);
    const matching = countFor(left, pool);
    const none = { fresh: [], held: 0, cut: 0 };
    running.set(pool, {
      room,
      quota,
      spare,
      surplus,
      isShut,
      matching,
      loose: loose.get(pool) ?? [],
      ...none,
    });
  }
  const jobs = left.flatMap(({ group, queuedAt }) => queuedAt.map((at) => ({ group, at })));
  jobs.sort((a, b) => Number(a.group.held) - Number(b.group.held) || a.at - b.at);
  let open = headroom;
  for (const { group, at } of jobs) {
    const best = open > 0 ? bestPool(group.pools, running) : null;
    if (best === null) {
      for (const pool of group.pools) holdBack(running.get(pool));
      continue;
    }
    open -= 1;
    best.room -= 1;
    best.quota -= 1;
    best.spare -= 1;
    best.surplus -= 1;
    if (group.held) best.held += 1;
    else best.fresh.push(at);
  }
  return new Map(
    [...running].map(([pool, { matching, fresh, held, cut, loose: unseen }]) => [
      pool,
      { matching, fresh, held, cut, loose: unseen },
    ]),
  );
}
