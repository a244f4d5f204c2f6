// Instances against records, once a minute: no orphan, no launch that stays open; and that there is never a storm of spot requests.
import { TAG } from '../../domain/instance.ts';
import type { SimInstance } from '../../sim/instance.ts';
import type { Stage } from '../run/stage.ts';
import type { BreachBook } from './breaches.ts';
import type { Patience } from './patience.ts';

/** Two listings a minute apart, each up to a minute old, then a call, its retries after failures: minutes of a daemon that works. */
const ORPHAN_GRACE_MIN = 15;
/** Ten minutes of repetitions, two looks, and what failing calls cost. */
const INTENT_GRACE_MIN = 25;
/** hostler's own bound; the account is locked out at some 60 (facts: ec2). */
const OPEN_REQUESTS = 20;

/** True until its end was asked for. */
export function isAlive(instance: SimInstance): boolean {
  return instance.endingAt === null && instance.state !== 'terminated';
}

/** Looks at all instances and launches. */
export function checkInstances(stage: Stage, book: BreachBook, patience: Patience, isGood: boolean): void {
  const { machines, launches } = stage.daemon.disk.tables;
  const known = new Set<string>();
  for (const { instance, phase } of machines.values())
    if (instance !== null && phase !== 'gone') known.add(instance);
  const open = new Set<string>();
  for (const { token, state } of launches.values()) if (state === 'intended') open.add(token);
  const orphans = stage.world
    .instances()
    .filter((one) => isAlive(one) && !known.has(one.id) && !open.has(one.tags.get(TAG.launch) ?? ''))
    .map(({ id }) => id);
  for (const id of patience.look({ kind: 'orphan', keys: orphans, minutes: ORPHAN_GRACE_MIN }, isGood))
    book.add('old-orphan', `${id} runs without a record`);
  for (const token of patience.look({ kind: 'intent', keys: [...open], minutes: INTENT_GRACE_MIN }, isGood))
    book.add('open-intent', `launch ${token} is still open`);
}

/** Open spot requests at this moment; to be asked after each call that may open one. */
export function checkOpenRequests(stage: Stage, book: BreachBook): void {
  const requests = stage.world.spotRequests().filter(({ state }) => state === 'open').length;
  if (requests > OPEN_REQUESTS) book.add('spot-requests', `${requests} requests are open`);
}
