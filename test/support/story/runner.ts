// gitlab-runner in a story: it claims jobs, asks for machines, holds idle ones and gives them back, by the policy of
// its own file (on demand with IdleCount 0, else only with a machine in hand).
import type { PoolSpec } from '../../../src/domain/config.ts';
import type { Lease } from '../../../src/domain/lease.ts';
import { isGrantable, type Machine } from '../../../src/domain/machine.ts';
import { type DurationMs, type EpochMs, SECOND_MS } from '../../../src/domain/units.ts';
import { byAge } from '../../../src/planner/draft.ts';
import { idleWanted } from '../../../src/planner/idle-policy.ts';
import { nextChangeAt, policyAt } from '../../../src/planner/schedule.ts';
import { lease as leaseRow } from '../builders.ts';
import type { Cloud } from './cloud.ts';

type Job = { lasts: DurationMs; queuedAt: EpochMs };
type Hold = { lease: Lease; job: Job | null; until: EpochMs; idleAt: EpochMs };

export type Runner = ReturnType<typeof createRunner>;

/** One `[[runners]]` section at work. `claims` counts the running jobs of all sections against `concurrent`. */
export function createRunner(
  pool: () => PoolSpec,
  world: { now(): EpochMs; cloud: Cloud; claims(): number; concurrent: number },
) {
  const queue: Job[] = [];
  /** Jobs claimed on demand that wait for their create. */
  const claimed: Job[] = [];
  const waiting: Lease[] = [];
  const holds = new Map<string, Hold>();
  const waits: DurationMs[] = [];
  let done = 0;
  let isRemoved = false;
  let names = 0;

  const busy = () => [...holds.values()].filter(({ job }) => job !== null).length;
  const running = () => busy() + claimed.length;
  const idle = () => [...holds.values()].filter(({ job }) => job === null);
  const policy = () => policyAt(pool().runnerSchedule, world.now()).policy;

  function ask(): void {
    names += 1;
    const name = `${pool().id}-${String(names).padStart(4, '0')}`;
    waiting.push(leaseRow({ name, pool: pool().id, since: world.now() }));
  }

  function startJob(hold: Hold, job: Job): void {
    const now = world.now();
    waits.push(now - job.queuedAt);
    hold.job = job;
    hold.until = now + job.lasts;
    hold.lease = { ...hold.lease, urlAt: now, containers: 1, containersAt: now, lookedAt: now };
  }

  function endJob(hold: Hold): void {
    const now = world.now();
    hold.job = null;
    hold.idleAt = now;
    hold.lease = { ...hold.lease, containers: 0, containersAt: now };
    done += 1;
    world.cloud.change(hold.lease.machine ?? '', (machine) => ({ ...machine, builds: machine.builds + 1 }));
  }

  function giveBack(hold: Hold): void {
    const now = world.now();
    holds.delete(hold.lease.name);
    world.cloud.change(hold.lease.machine ?? '', (machine) => ({
      ...machine,
      lease: null,
      phase: machine.ending === null ? 'ready' : 'draining',
      since: now,
      idleSince: hold.lease.urlAt === null ? machine.idleSince : hold.idleAt,
    }));
  }

  /** The service's part: ready machines to waiting creates, oldest first, the last used machine first. */
  function grant(): void {
    const now = world.now();
    waiting.sort(byAge);
    while (waiting.length > 0) {
      const free = [...world.cloud.machines.values()]
        .filter((machine) => machine.pool === pool().id && isGrantable(machine))
        .toSorted((a, b) => (b.idleSince ?? 0) - (a.idleSince ?? 0) || (a.id < b.id ? -1 : 1));
      const [best] = free;
      const asked = waiting[0];
      if (best === undefined || asked === undefined) return;
      waiting.shift();
      const lease: Lease = { ...asked, state: 'held', machine: best.id, grantedAt: now, heldAt: now };
      world.cloud.change(best.id, (machine: Machine) => ({
        ...machine,
        phase: 'leased',
        lease: lease.name,
        since: now,
      }));
      const hold: Hold = { lease, job: null, until: Infinity, idleAt: now };
      holds.set(lease.name, hold);
      const job = claimed.shift();
      if (job !== undefined) startJob(hold, job);
    }
  }

  function claim(wanted: number): void {
    while (queue.length > 0 && world.claims() < world.concurrent) {
      const free = idle().filter(
        ({ lease }) => world.cloud.machines.get(lease.machine ?? '')?.ending === null,
      );
      const hold = free.at(-1);
      const total = holds.size + waiting.length;
      const mayAsk = wanted === 0 && (pool().limit === 0 || total < pool().limit);
      if (hold === undefined && !mayAsk) return;
      const job = queue.shift();
      if (job === undefined) return;
      if (hold !== undefined) startJob(hold, job);
      else {
        claimed.push(job);
        ask();
      }
    }
  }

  function fill(wanted: number): void {
    const { limit } = pool();
    while (idle().length + waiting.length - claimed.length < wanted) {
      if (limit > 0 && holds.size + waiting.length >= limit) return;
      ask();
    }
  }

  function remove(wanted: number): void {
    const now = world.now();
    const { maxBuilds } = pool();
    for (const hold of idle()) {
      const machine = world.cloud.machines.get(hold.lease.machine ?? '');
      const isUsedUp = maxBuilds > 0 && (machine?.builds ?? 0) >= maxBuilds;
      const isOver = now - hold.idleAt >= policy().idleTimeMs && idle().length > wanted;
      // A machine on notice answers `config` with no, and the runner removes it.
      if (isUsedUp || isOver || machine === undefined || machine.ending !== null) giveBack(hold);
    }
  }

  return {
    queue,
    waits,
    done: () => done,
    running,
    leases: () => [...waiting, ...[...holds.values()].map(({ lease }) => lease)],
    isWaiting: () => waiting.length > 0,
    /** Its section left the file: it claims nothing any more and its leases end with their jobs. */
    remove: () => {
      isRemoved = true;
      waiting.splice(0);
    },
    step(): void {
      const now = world.now();
      for (const hold of holds.values()) if (hold.job !== null && hold.until <= now) endJob(hold);
      if (isRemoved) {
        for (const hold of idle()) giveBack(hold);
        return;
      }
      for (let round = 0; round < 2; round += 1) {
        const wanted = idleWanted(policy(), busy());
        remove(wanted);
        grant();
        claim(wanted);
        fill(wanted);
        grant();
      }
    },
    nextAt(): EpochMs {
      const now = world.now();
      const ends = [...holds.values()].map((hold) =>
        hold.job === null ? hold.idleAt + policy().idleTimeMs : hold.until,
      );
      const change = nextChangeAt(pool().runnerSchedule, now) ?? Infinity;
      const polls = queue.length > 0 ? [now + SECOND_MS] : [];
      return Math.min(change, ...polls, ...ends.filter((at) => at > now));
    },
  };
}
