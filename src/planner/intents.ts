// Launches whose answer is not known: instances are matched to machines by the launch tag, the same token is asked
// again for a while, and what never shows is forgotten.
// Trap: a launch without an answer may have happened. Its machines count as coming until EC2 says otherwise.
import { type Instance, TAG } from '../domain/instance.ts';
import type { Launch } from '../domain/launch.ts';
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import { addressOf } from './address.ts';
import { compareText, type Draft, isOurs, isUp, lookTwice, moveSlot, type Slot, wakeBy } from './draft.ts';
import { closingRest, restKeyOfAccount } from './rest.ts';

/** A token is asked again for this long; EC2 keeps tokens for far longer, but a job does not wait for it. */
export const RESEND_FOR_MS: DurationMs = 10 * MINUTE_MS;

/** First repetition; a launch answers in 2 to 5 s, and each further one waits twice as long as the one before. */
const RESEND_FIRST_MS: DurationMs = 10 * SECOND_MS;

/** Two listings this far apart must agree: EC2's lists lag behind its answers by seconds. */
export const LOOKS_APART_MS: DurationMs = MINUTE_MS;

/** When a launch that was sent `sends` times is due again: after 10, 30, 70, 150, 310 s. A launch never sent: at once. */
function resendAt(launch: Launch): EpochMs {
  return launch.at + RESEND_FIRST_MS * (2 ** launch.sends - 1);
}

function awaitsInstance({ machine }: Slot): boolean {
  return machine.instance === null && (machine.phase === 'requested' || machine.phase === 'terminating');
}

/** Machines without an instance, by launch token. */
function awaitingByToken(draft: Draft): Map<string, Slot[]> {
  const groups = new Map<string, Slot[]>();
  for (const slot of draft.slots) {
    if (!awaitsInstance(slot)) continue;
    const group = groups.get(slot.machine.launch);
    if (group === undefined) groups.set(slot.machine.launch, [slot]);
    else group.push(slot);
  }
  return groups;
}

function matchOne(draft: Draft, slot: Slot, instance: Instance): void {
  const pool = draft.poolById.get(slot.machine.pool);
  const address = pool === undefined ? null : addressOf(instance, pool.spec.launch);
  if (slot.machine.phase === 'requested') moveSlot(draft, slot, 'booting');
  slot.machine = { ...slot.machine, instance: instance.id, imageId: instance.imageId, address };
  slot.instance = instance;
  draft.actions.push({
    kind: 'match',
    machine: slot.machine.id,
    instance,
    reason: {
      code: 'launched',
      pool: slot.machine.pool,
      machine: slot.machine.id,
      detail: { instance: instance.id },
    },
  });
}

/** Gives running instances of known launches to the machines that wait for them; ended ones are left to the launch's answer. */
export function matchInstances(draft: Draft): void {
  if (draft.strangers.length === 0) return;
  const awaiting = awaitingByToken(draft);
  for (const slots of awaiting.values()) slots.sort((a, b) => compareText(b.machine.id, a.machine.id));
  draft.strangers = draft.strangers.filter(({ instance }) => {
    const slots = awaiting.get(instance.tags[TAG.launch] ?? '');
    if (slots === undefined || !isUp(instance) || !isOurs(draft.seen, instance)) return true;
    // Both sorted by id, the slots backwards: the same pairs whatever the order of the listing.
    const slot = slots.pop();
    if (slot !== undefined) matchOne(draft, slot, instance);
    return slot === undefined;
  });
}

/** Gives booting machines the address that EC2 did not know when it answered the launch (public ones come later). */
export function findAddresses(draft: Draft): void {
  for (const slot of draft.slots) {
    const { phase, address } = slot.machine;
    if (phase !== 'booting' || address !== null || slot.instance === null || !isUp(slot.instance)) continue;
    const pool = draft.poolById.get(slot.machine.pool);
    if (pool !== undefined && addressOf(slot.instance, pool.spec.launch) !== null)
      matchOne(draft, slot, slot.instance);
  }
}

/** Tokens that were asked again within the last minute, by pool. */
function sentAgain(draft: Draft): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { pool, token } of draft.seen.launches) {
    const sentAt = draft.seen.orphansSeen.get(`sent:${token}`);
    if (sentAt !== undefined && draft.now - sentAt < MINUTE_MS) counts.set(pool, (counts.get(pool) ?? 0) + 1);
  }
  return counts;
}

function resend(draft: Draft, launch: Launch, again: Map<string, number>): void {
  // After a long absence of the daemon every repetition is due at once; they still go out one by one.
  const key = `sent:${launch.token}`;
  const sentAt = draft.seen.orphansSeen.get(key);
  if (sentAt !== undefined) draft.looks.set(key, sentAt);
  const due = Math.max(resendAt(launch), (sentAt ?? -Infinity) + RESEND_FIRST_MS);
  if (due > draft.now) return wakeBy(draft, due);
  const closed = closingRest(draft.seen.rests, [restKeyOfAccount(launch.site)], draft.now, true);
  if (closed !== null) return wakeBy(draft, closed.until);
  const budget = draft.budgets.get(launch.site);
  if (budget === undefined || budget.launches < 1) return wakeBy(draft, draft.now + SECOND_MS);
  // When answers fail, each token alone is slow; many of them together would be a storm all the same.
  const most = draft.poolById.get(launch.pool)?.spec.failedLaunchesPerMinute ?? 1;
  const sent = again.get(launch.pool) ?? 0;
  if (sent >= most) return wakeBy(draft, draft.now + RESEND_FIRST_MS);
  again.set(launch.pool, sent + 1);
  budget.launches -= 1;
  budget.instances -= launch.count;
  draft.looks.set(key, draft.now);
  draft.actions.push({
    kind: 'resend',
    token: launch.token,
    reason: {
      code: 'launch-unknown',
      pool: launch.pool,
      detail: { sends: launch.sends, count: launch.count },
    },
  });
}

function forget(
  draft: Draft,
  launch: Launch,
  waiting: readonly Slot[],
  code: 'launched' | 'launch-lost',
): void {
  for (const slot of waiting) moveSlot(draft, slot, 'gone');
  draft.actions.push({
    kind: 'forget-launch',
    token: launch.token,
    reason: { code, pool: launch.pool, detail: { count: launch.count, without_instance: waiting.length } },
  });
}

/** What becomes of each launch that still has no answer. */
export function followLaunches(draft: Draft): void {
  if (draft.seen.launches.length === 0) return;
  const byToken = new Map<string, Slot[]>();
  for (const slot of draft.slots) {
    if (!draft.openLaunches.has(slot.machine.launch)) continue;
    byToken.set(slot.machine.launch, [...(byToken.get(slot.machine.launch) ?? []), slot]);
  }
  const again = sentAgain(draft);
  for (const launch of draft.seen.launches.toSorted((a, b) => compareText(a.token, b.token))) {
    const slots = byToken.get(launch.token) ?? [];
    const waiting = slots.filter(awaitsInstance);
    const matchedNow = slots.some(
      (slot) => slot.machine.since === draft.now && slot.machine.instance !== null,
    );
    if (waiting.length === 0) {
      // The match actions of this very plan settle it; a launch that lost all its rows is settled here.
      if (!matchedNow) forget(draft, launch, [], slots.length > 0 ? 'launched' : 'launch-lost');
    } else if (draft.now - launch.at < RESEND_FOR_MS) {
      // Requests that EC2 opened are its answer: they are followed until they are over.
      if (launch.requests === undefined) resend(draft, launch, again);
    } else {
      const listing = draft.listings.get(launch.site);
      const isLate = listing !== undefined && listing.at - launch.at >= LOOKS_APART_MS;
      if (isLate && lookTwice(draft, `launch:${launch.token}`, listing.at, LOOKS_APART_MS))
        forget(draft, launch, waiting, 'launch-lost');
    }
  }
}
