// The tick's working copy: the observation indexed once, and what the steps have decided so far. Each step reads the
// machines as they will stand after the steps before it, so that no two steps act on the same machine.
// Trap: a draft lives for one call of planTick; the observation itself is never changed.

import type { PoolSpec } from '../domain/config.ts';
import { type Instance, type Offering, TAG } from '../domain/instance.ts';
import { isBusy, type Lease } from '../domain/lease.ts';
import { type Machine, type MachinePhase, moveMachine } from '../domain/machine.ts';
import type { CallBudget, Observation, PoolMemory } from '../domain/observation.ts';
import type { Place } from '../domain/offering.ts';
import type { Action } from '../domain/plan.ts';
import type { Reason, ReasonCode } from '../domain/reason.ts';
import { type DurationMs, type EpochMs, MINUTE_MS } from '../domain/units.ts';

/** Looks at least this often even when nothing is due: a full listing comes once a minute (design §6). */
const LONGEST_SLEEP_MS: DurationMs = MINUTE_MS;

/** A machine with what belongs to it. */
export type Slot = {
  /** As it stands after the steps so far. */
  machine: Machine;
  readonly lease: Lease | null;
  /** A runner has it: never to be retired. */
  readonly held: boolean;
  /** A job uses it, or it cannot be ruled out. */
  readonly busy: boolean;
  /** What a fresh listing shows of it; null = not shown, or no fresh listing. */
  instance: Instance | null;
};

export type PoolDraft = {
  readonly spec: PoolSpec;
  memory: PoolMemory;
  readonly bootP90Ms: DurationMs;
  readonly offering: Offering;
  /** Every place it may launch at; null = not looked up yet. */
  readonly places: readonly Place[] | null;
  readonly slots: Slot[];
  /** Creates without a machine, oldest first. */
  readonly waiting: Lease[];
  /** Instances of ours without a record, and requests that may bring one: nobody is given them yet, but they stand against limits. */
  unrecorded: number;
  /** What the steps have to say about this pool, by code. */
  readonly notes: Map<ReasonCode, Record<string, string | number | boolean | null>>;
};

/** An instance without a record. */
export type Stranger = { instance: Instance; site: string };

export type Listing = { instances: readonly Instance[]; at: EpochMs };

export type Draft = {
  readonly seen: Observation;
  readonly now: EpochMs;
  /** Sorted by id: the order of the input says nothing. */
  readonly pools: readonly PoolDraft[];
  readonly poolById: ReadonlyMap<string, PoolDraft>;
  /** All machines, those of pools that left the configuration too. */
  readonly slots: Slot[];
  /** Listed instances without a record, by id; `matchInstances` takes those out that it finds a machine for. */
  strangers: readonly Stranger[];
  /** Sites with a fresh listing only. */
  readonly listings: ReadonlyMap<string, Listing>;
  /** What is left of the call budgets, by site. */
  readonly budgets: Map<string, CallBudget>;
  /** Tokens of launches whose outcome is not known. */
  readonly openLaunches: ReadonlySet<string>;
  readonly actions: Action[];
  readonly looks: Map<string, EpochMs>;
  wakeAt: EpochMs;
};

/** What a launch of this pool asks for before its places are looked up. */
export function offeringOf(spec: PoolSpec): Offering {
  return { type: spec.launch.instanceType, zone: spec.launch.zone, market: spec.launch.market };
}

/** Who asked first, ties by name: the order in which creates are served. */
export function byAge(a: Pick<Lease, 'since' | 'name'>, b: Pick<Lease, 'since' | 'name'>): number {
  return a.since - b.since || compareText(a.name, b.name);
}

/** Plain code unit order: the same everywhere, unlike the locale's. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function openPools(seen: Observation): PoolDraft[] {
  return seen.pools
    .map(({ spec, memory, bootP90Ms }) => ({
      spec,
      memory,
      bootP90Ms,
      offering: offeringOf(spec),
      places: seen.places?.get(spec.id) ?? null,
      slots: [],
      waiting: [],
      unrecorded: seen.strayRequests?.get(spec.launch.site.key)?.get(spec.id) ?? 0,
      notes: new Map(),
    }))
    .toSorted((a, b) => compareText(a.spec.id, b.spec.id));
}

function freshListings(seen: Observation): Map<string, Listing> {
  const fresh = new Map<string, Listing>();
  for (const [site, source] of seen.instances) {
    if (source.kind === 'fresh') fresh.set(site, { instances: source.value, at: source.at });
  }
  return fresh;
}

function openSlots(seen: Observation): Slot[] {
  const leases = new Map<string, Lease>();
  for (const lease of seen.leases) if (lease.machine !== null) leases.set(lease.machine, lease);
  const slots: Slot[] = [];
  for (const machine of seen.machines) {
    if (machine.phase === 'gone') continue;
    const lease = leases.get(machine.id) ?? null;
    const held = machine.lease !== null || lease !== null;
    // A hold whose lease is not known counts as a job: missing data never frees a host.
    const busy = held && (lease === null || isBusy(lease, seen.now));
    slots.push({ machine, lease, held, busy, instance: null });
  }
  return slots;
}

/** Gives each machine the instance that its site's fresh listing shows; returns the instances without a record. */
function pairInstances(slots: readonly Slot[], listings: ReadonlyMap<string, Listing>): Stranger[] {
  const byInstance = new Map<string, Slot>();
  for (const slot of slots) {
    if (slot.machine.instance !== null) byInstance.set(slot.machine.instance, slot);
  }
  const strangers: Stranger[] = [];
  for (const [site, { instances }] of listings) {
    for (const instance of instances) {
      const slot = byInstance.get(instance.id);
      if (slot === undefined) strangers.push({ instance, site });
      else slot.instance = instance;
    }
  }
  return strangers.toSorted((a, b) => compareText(a.instance.id, b.instance.id));
}

/** Indexes the observation; linear in its size. */
export function openDraft(seen: Observation): Draft {
  const pools = openPools(seen);
  const poolById = new Map(pools.map((pool) => [pool.spec.id, pool]));
  const listings = freshListings(seen);
  const slots = openSlots(seen);
  for (const slot of slots) poolById.get(slot.machine.pool)?.slots.push(slot);
  for (const lease of seen.leases) {
    if (lease.state === 'waiting') poolById.get(lease.pool)?.waiting.push(lease);
  }
  for (const pool of pools) pool.waiting.sort(byAge);
  return {
    seen,
    now: seen.now,
    pools,
    poolById,
    slots,
    strangers: pairInstances(slots, listings),
    listings,
    budgets: new Map([...seen.budgets].map(([site, budget]) => [site, { ...budget }])),
    openLaunches: new Set(seen.launches.map((launch) => launch.token)),
    actions: [],
    looks: new Map(),
    wakeAt: seen.now + LONGEST_SLEEP_MS,
  };
}

/** Asks to be woken at that time, if it lies ahead. */
export function wakeBy(draft: Draft, at: EpochMs): void {
  if (at > draft.now) draft.wakeAt = Math.min(draft.wakeAt, at);
}

/** Remembers something to say about a pool; figures under the same name add up. */
export function note(pool: PoolDraft | undefined, code: ReasonCode, detail: Reason['detail'] = {}): void {
  if (pool === undefined) return;
  const known = pool.notes.get(code) ?? {};
  for (const [name, value] of Object.entries(detail)) {
    const before = known[name];
    known[name] = typeof value === 'number' && typeof before === 'number' ? before + value : value;
  }
  pool.notes.set(code, known);
}

/** The machine in its next phase, inside the draft only. */
export function moveSlot(draft: Draft, slot: Slot, to: MachinePhase): void {
  slot.machine = moveMachine(slot.machine, to, draft.now);
}

/** Whether the instance carries this manager's tag, or one that `takeover` lets us take. */
export function isOurs(seen: Observation, instance: Instance): boolean {
  if ((instance.tags[TAG.owner] ?? seen.owner) !== seen.owner) return false;
  return instance.tags[TAG.manager] === seen.manager || seen.takeover;
}

/** True while the instance may still run a job. */
export function isUp(instance: Instance): boolean {
  return instance.state === 'pending' || instance.state === 'running';
}

/**
 * First look at something that a listing shows, or fails to show: true when it was so in a listing at least `apartMs`
 * before this one. Remembered until the next tick either way.
 */
export function lookTwice(draft: Draft, key: string, at: EpochMs, apartMs: DurationMs): boolean {
  const first = Math.min(draft.seen.orphansSeen.get(key) ?? at, at);
  draft.looks.set(key, first);
  if (at - first >= apartMs) return true;
  wakeBy(draft, first + apartMs);
  return false;
}
