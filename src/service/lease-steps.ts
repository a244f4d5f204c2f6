// The steps of a lease as pure functions: what it is at first, which machine it gets, what its end leaves behind.
import type { LeaseRequest } from '../contract/api.ts';
import type { Lease } from '../domain/lease.ts';
import { isGrantable, type Machine } from '../domain/machine.ts';
import type { EpochMs } from '../domain/units.ts';

/** The lease as a create asks for it. */
export function newLease(request: LeaseRequest, pool: string, since: EpochMs): Lease {
  return {
    name: request.name,
    pool,
    state: 'waiting',
    machine: null,
    since,
    grantedAt: null,
    heldAt: null,
    store: request.store,
    runnerPid: request.runnerPid,
    urlAt: null,
    configAt: null,
    containers: 0,
    containersAt: null,
    lookedAt: null,
    jobs: [],
  };
}

/** Two looks at one lease; a name that was given back and taken again is another one. */
export function isSameHold(one: Lease, other: Lease): boolean {
  return (
    one.name === other.name &&
    one.since === other.since &&
    one.grantedAt === other.grantedAt &&
    one.heldAt === other.heldAt
  );
}

/** Whether the first is the better choice: not advised to leave, then used last (warm caches), as the runner does; ties by id. */
function isBetter(one: Machine, other: Machine): boolean {
  if ((one.advisedAt === undefined) !== (other.advisedAt === undefined)) return one.advisedAt === undefined;
  const [idle, otherIdle] = [one.idleSince ?? 0, other.idleSince ?? 0];
  return idle === otherIdle ? one.id < other.id : idle > otherIdle;
}

/** Which ready machine is handed out. `mayBe`: what else it must be. */
export function bestOf(
  machines: readonly Machine[],
  pool: string,
  mayBe: (machine: Machine) => boolean = () => true,
): Machine | null {
  let best: Machine | null = null;
  for (const machine of machines) {
    if (machine.pool !== pool || !isGrantable(machine) || !mayBe(machine)) continue;
    if (best === null || isBetter(machine, best)) best = machine;
  }
  return best;
}

/** Whether a job may have touched the machine. */
export function isUsed(lease: Lease): boolean {
  return lease.urlAt !== null || lease.jobs.length > 0 || lease.containers > 0;
}

/** The machine after its lease: jobs counted, idle clock set, cleaning if a job may have touched it. */
export function afterLease(machine: Machine, lease: Lease, maxBuilds: number, now: EpochMs): Machine {
  const used = isUsed(lease);
  const builds = machine.builds + Math.max(lease.jobs.length, lease.urls ?? (lease.urlAt === null ? 0 : 1));
  const idleSince = used ? (lease.containersAt ?? now) : machine.idleSince;
  const ending = machine.ending ?? (maxBuilds > 0 && builds >= maxBuilds ? 'max-builds' : null);
  return { ...machine, lease: null, builds, idleSince, ending, cleaning: used && machine.phase === 'leased' };
}
