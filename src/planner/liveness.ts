// Machines that are not what their record says: ended outside, never shown, dead, stuck in their boot, marked to end.
// Evidence is a fresh listing newer than what we know, or the store; a failed listing is no evidence at all.
// Trap: EC2's lists lag; what a listing merely does not show needs two looks, what it shows as ended needs one.
import type { Machine } from '../domain/machine.ts';
import type { Reason } from '../domain/reason.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { type Draft, isUp, lookTwice, moveSlot, type Slot, wakeBy } from './draft.ts';
import { endMachine } from './end-machine.ts';
import { LOOKS_APART_MS } from './intents.ts';

/** Failed pings in a row that make a host dead: a lost packet or a short freeze is none. */
export const DEAD_AFTER_PINGS = 3;

/** An instance id may be missing from EC2's lists this long after the launch answered. */
const LISTING_LAG_MS: DurationMs = MINUTE_MS;

/** Age of an unanswered termination at which its instance, listed nowhere, counts as gone. */
const END_SEEN_AFTER_MS: DurationMs = MINUTE_MS;

type Fault = Pick<Reason, 'code' | 'detail'>;

/** Two listings, both newer than the machine's last step, do not show its instance. */
function isAbsent(draft: Draft, { machine, instance }: Slot): boolean {
  if (machine.instance === null || instance !== null) return false;
  const listing = draft.listings.get(machine.site);
  if (listing === undefined || listing.at - machine.since < LISTING_LAG_MS) return false;
  return lookTwice(draft, `absent:${machine.id}`, listing.at, LOOKS_APART_MS);
}

/** The record of a machine without an instance: it can go when its launch is settled and a newer listing shows nothing. */
function burialWithoutInstance(draft: Draft, machine: Machine, listedAt: EpochMs): Fault | null {
  if (draft.openLaunches.has(machine.launch)) return null;
  if (machine.phase === 'terminating' && listedAt > machine.since)
    return { code: machine.ending ?? 'launch-lost', detail: { why: 'no instance' } };
  if (machine.phase !== 'requested' && machine.phase !== 'terminating') return null;
  if (listedAt - machine.since >= LISTING_LAG_MS)
    return { code: 'launch-lost', detail: { why: 'no instance' } };
  wakeBy(draft, machine.since + LISTING_LAG_MS);
  return null;
}

/** Why the record can go: EC2 shows the end, or there never was an instance. */
function burialOf(draft: Draft, { machine, instance }: Slot): Fault | null {
  const listing = draft.listings.get(machine.site);
  if (listing === undefined) return null;
  if (machine.instance === null) return burialWithoutInstance(draft, machine, listing.at);
  if (instance?.state === 'terminated')
    return { code: machine.ending ?? 'instance-gone', detail: { why: instance.stateReason } };
  if (machine.phase !== 'terminating' || instance !== null || machine.endAskedAt === null) return null;
  return listing.at - machine.endAskedAt >= END_SEEN_AFTER_MS
    ? { code: machine.ending ?? 'terminated', detail: { why: 'not listed any more' } }
    : null;
}

/** Closes the records of instances that are no more. A leased machine too: EC2 showing its end is proof. */
export function buryDead(draft: Draft): void {
  for (const slot of draft.slots) {
    if (slot.machine.phase === 'gone') continue;
    const burial = burialOf(draft, slot);
    if (burial === null) continue;
    const { id: machine, pool } = slot.machine;
    draft.actions.push({ kind: 'bury', machine, reason: { ...burial, pool, machine } });
    moveSlot(draft, slot, 'gone');
  }
}

function bootTimeout(draft: Draft, machine: Machine): Fault | null {
  if (machine.phase !== 'booting' && machine.phase !== 'provisioning') return null;
  const limit = draft.poolById.get(machine.pool)?.spec.bootTimeoutMs ?? 0;
  if (limit <= 0) return null;
  // The time runs from the launch; for a host that was taken back (no host key is known) from then on: it may run a job.
  const isTakenBack = machine.hostKeys.length === 0 || machine.since - machine.createdAt >= limit;
  const begunAt = isTakenBack ? machine.since : machine.createdAt;
  wakeBy(draft, begunAt + limit);
  const spent = draft.now - begunAt;
  const detail = {
    phase: machine.phase,
    spent_s: Math.round(spent / SECOND_MS),
    boot_timeout_s: limit / SECOND_MS,
  };
  return spent >= limit ? { code: 'boot-timeout', detail } : null;
}

function faultOf(draft: Draft, slot: Slot): Fault | null {
  const { machine, instance, held } = slot;
  if (machine.ending !== null) return { code: machine.ending };
  if (machine.phase === 'draining' && !held) return { code: 'by-person' };
  if (instance !== null && !isUp(instance))
    return { code: 'instance-gone', detail: { state: instance.state, why: instance.stateReason } };
  if (isAbsent(draft, slot)) return { code: 'instance-gone', detail: { why: 'not listed any more' } };
  const isServing = machine.phase === 'ready' || machine.phase === 'leased';
  if (isServing && machine.failedPings >= DEAD_AFTER_PINGS)
    return { code: 'unhealthy', detail: { failed_pings: machine.failedPings } };
  return bootTimeout(draft, machine);
}

/** Ends what is broken or marked to end. */
export function checkLiveness(draft: Draft): void {
  for (const slot of draft.slots) {
    if (slot.machine.phase === 'terminating' || slot.machine.phase === 'gone') continue;
    const fault = faultOf(draft, slot);
    if (fault !== null) endMachine(draft, slot, fault.code, fault.detail);
  }
}

/** Starts to provision booting machines as soon as their address is known. */
export function startProvisioning(draft: Draft): void {
  for (const slot of draft.slots) {
    const { id: machine, pool, phase, address } = slot.machine;
    if (phase !== 'booting' || address === null || !draft.poolById.has(pool)) continue;
    const reason: Reason = { code: 'provisioning', pool, machine, detail: { address } };
    draft.actions.push({ kind: 'provision', machine, reason });
    moveSlot(draft, slot, 'provisioning');
  }
}
