// Records into the socket's replies: stable keys, times as ISO 8601, no secrets. Shapes: contract/api.ts.
import type { EventReply, LeaseReply, MachineDetailReply, MachineReply, PoolReply } from '../contract/api.ts';
import type { PoolSpec } from '../domain/config.ts';
import type { Launch } from '../domain/launch.ts';
import { isBusy, type Lease } from '../domain/lease.ts';
import type { Machine } from '../domain/machine.ts';
import { type MachinePhase, machinePhases } from '../domain/machine.ts';
import type { PoolMemory } from '../domain/observation.ts';
import type { Rest } from '../domain/outcome.ts';
import type { Event, PoolSize } from '../domain/plan.ts';
import type { EpochMs } from '../domain/units.ts';
import { isSoft, touchesPool } from '../planner/rest.ts';
import { nextChangeAt, policyAt } from '../planner/schedule.ts';

/** ISO 8601 in UTC. */
export function isoTime(at: EpochMs): string {
  return new Date(at).toISOString();
}

export function machineReply(machine: Machine): MachineReply {
  return {
    id: machine.id,
    pool: machine.pool,
    phase: machine.phase,
    instance: machine.instance,
    type: machine.offering.type,
    zone: machine.offering.zone,
    market: machine.offering.market,
    address: machine.address,
    builds: machine.builds,
    lease: machine.lease,
    since: isoTime(machine.since),
    created: isoTime(machine.createdAt),
    image: machine.imageId,
    ending: machine.ending,
    failure: machine.failure,
    healthy: machine.failedPings === 0,
  };
}

/** Where a machine came from; null when its launch is not on record. */
export function launchReply(launch: Launch | null): MachineDetailReply['launch'] {
  if (launch === null) return null;
  return { at: isoTime(launch.at), way: launch.request.way ?? 'run-instances', why: launch.why ?? null };
}

export function leaseReply(lease: Lease, place: number, now: EpochMs): LeaseReply {
  const until = lease.heldAt ?? now;
  return {
    name: lease.name,
    pool: lease.pool,
    machine: lease.machine,
    state: lease.state === 'held' && isBusy(lease, now) ? 'busy' : lease.state,
    since: isoTime(lease.since),
    waited_s: Math.round((until - lease.since) / 10) / 100,
    runner_pid: lease.runnerPid,
    jobs: lease.jobs.map(({ id, url }) => ({ id, url })),
    place: place > 0 ? place : null,
  };
}

export function eventReply(event: Event): EventReply {
  return { ...event, at: isoTime(event.at) };
}

type PoolParts = {
  spec: PoolSpec;
  memory: PoolMemory;
  machines: readonly Machine[];
  rests: readonly Rest[];
  size: PoolSize | null;
  now: EpochMs;
};

/** The rests that touch a pool: its own, its account's, its markets' and its places'. */
function restsOf(spec: PoolSpec, rests: readonly Rest[], now: EpochMs): PoolReply['rests'] {
  const site = `${spec.launch.site.key}/`;
  return rests
    .filter((rest) => rest.until > now && touchesPool(spec, rest))
    .map(({ key, outcome, until, failures }) => ({
      what: key.slice(site.length),
      state: isSoft({ outcome }) ? 'marked' : 'closed',
      kind: outcome.kind,
      code: outcome.code,
      message: outcome.message,
      until: isoTime(until),
      failures,
    }));
}

export function poolReply({ spec, memory, machines, rests, size, now }: PoolParts): PoolReply {
  const counts = Object.fromEntries(machinePhases.map((phase) => [phase, 0])) as Record<MachinePhase, number>;
  for (const machine of machines) if (machine.pool === spec.id) counts[machine.phase]++;
  const { policy, period } = policyAt(spec.ownSchedule, now);
  const next = nextChangeAt(spec.ownSchedule, now);
  return {
    id: spec.id,
    runner: spec.runnerName,
    region: spec.launch.site.region,
    type: spec.launch.instanceType,
    market: spec.launch.market,
    limit: spec.limit,
    paused: memory.paused,
    draining: memory.draining,
    idle_count: policy.idleCount,
    period: period === null ? 'base' : (spec.ownSchedule.periods[period]?.written.join(', ') ?? 'base'),
    next_change: next === null ? null : isoTime(next),
    timezone: spec.ownSchedule.periods[period ?? 0]?.timezone ?? null,
    machines: counts,
    size,
    rests: restsOf(spec, rests, now),
  };
}
