// Instances with our tags and no record: adopted or ended after two looks a minute apart.
// Another manager's are left alone whatever the configuration says, unless `takeover` is set (design §7).
// Trap: an orphan may run a job, so adopting comes before ending; only what can never serve a pool again is ended.
import { type Instance, TAG } from '../domain/instance.ts';
import type { Machine } from '../domain/machine.ts';
import { type DurationMs, SECOND_MS } from '../domain/units.ts';
import { addressOf } from './address.ts';
import { type Draft, isOurs, isUp, lookTwice, note, type PoolDraft, type Stranger } from './draft.ts';
import { LOOKS_APART_MS } from './intents.ts';

/** An end that was sent is not sent again before EC2's list can show it. */
const END_AGAIN_MS: DurationMs = 30 * SECOND_MS;

/** Why it cannot serve a pool any more; null = it can. */
function unfitFor(draft: Draft, { instance, site }: Stranger, pool: PoolDraft | undefined): string | null {
  if (pool === undefined) return 'its pool is not configured';
  if (pool.spec.launch.site.key !== site) return 'its pool is at another site now';
  if (pool.memory.draining) return 'its pool is being drained';
  if (!isUp(instance)) return `it is ${instance.state}`;
  if (instance.tags[TAG.launch] === undefined) return 'it has no launch tag';
  const life = pool.spec.maxMachineLifeMs;
  return life > 0 && draft.now - instance.launchedAt >= life ? 'older than max_machine_life' : null;
}

/** The record of an adopted instance; it is provisioned anew, which finds out whether its Docker is ours. */
export function adoptedMachine(
  instance: Instance,
  place: { id: string; pool: PoolDraft['spec']; now: number },
): Machine {
  return {
    id: place.id,
    pool: place.pool.id,
    phase: 'booting',
    since: place.now,
    launch: instance.tags[TAG.launch] ?? '',
    spec: instance.tags[TAG.spec] ?? '',
    site: place.pool.launch.site.key,
    offering: { type: instance.type, zone: instance.zone, market: instance.market },
    instance: instance.id,
    imageId: instance.imageId,
    address: addressOf(instance, place.pool.launch),
    createdAt: instance.launchedAt,
    readyAt: null,
    idleSince: null,
    builds: 0,
    lease: null,
    cleaning: false,
    hostKeys: [],
    failedPings: 0,
    endAskedAt: null,
    endAccepted: false,
    ending: null,
    failure: null,
  };
}

function adopt(draft: Draft, orphan: Stranger, pool: PoolDraft, id: string): void {
  const { instance, site } = orphan;
  const machine = adoptedMachine(instance, { id, pool: pool.spec, now: draft.now });
  const slot = { machine, lease: null, held: false, busy: false, instance };
  draft.slots.push(slot);
  pool.slots.push(slot);
  note(pool, 'adopted', { count: 1 });
  draft.actions.push({
    kind: 'adopt',
    instance,
    site,
    pool: pool.spec.id,
    machine: id,
    reason: { code: 'adopted', pool: pool.spec.id, machine: id, detail: { instance: instance.id } },
  });
}

function endOrphan(draft: Draft, { instance, site }: Stranger, why: string): void {
  const key = `end:${instance.id}`;
  const asked = draft.seen.orphansSeen.get(key);
  if (asked !== undefined && draft.now - asked < END_AGAIN_MS) {
    draft.looks.set(key, asked);
    return;
  }
  draft.looks.set(key, draft.now);
  const pool = instance.tags[TAG.pool];
  draft.actions.push({
    kind: 'end-orphan',
    instance: instance.id,
    site,
    reason: {
      code: 'orphan',
      ...(pool === undefined ? {} : { pool }),
      detail: { instance: instance.id, why },
    },
  });
}

/** Looks at every listed instance without a record. */
export function adoptOrphans(draft: Draft, machineId: () => string): void {
  for (const orphan of draft.strangers) {
    const { instance, site } = orphan;
    if (instance.state === 'terminated' || instance.state === 'shutting-down') continue;
    const pool = draft.poolById.get(instance.tags[TAG.pool] ?? '');
    if (!isOurs(draft.seen, instance)) {
      note(pool, 'other-manager', { instances: 1 });
      continue;
    }
    const listedAt = draft.listings.get(site)?.at ?? draft.now;
    const isSure = lookTwice(draft, instance.id, listedAt, LOOKS_APART_MS);
    const why = unfitFor(draft, orphan, pool);
    if (isSure && why === null && pool !== undefined) adopt(draft, orphan, pool, machineId());
    else {
      // A launch beside it, in the minute before it is taken back, could pass the limit.
      if (pool !== undefined) pool.unrecorded += 1;
      if (isSure && why !== null) endOrphan(draft, orphan, why);
    }
  }
}

/**
 * What a list showed that is stale by now: its instances without a record still stand against limits, and their first looks
 * are kept. Nothing is done to them before a fresh list shows them again.
 */
export function rememberOrphans(draft: Draft): void {
  const { seen } = draft;
  for (const source of seen.instances.values()) {
    if (source.kind !== 'stale') continue;
    const known = new Set(draft.slots.map(({ machine }) => machine.instance));
    for (const instance of source.value) {
      const isAwaited = draft.openLaunches.has(instance.tags[TAG.launch] ?? '');
      if (known.has(instance.id) || isAwaited || !isUp(instance) || !isOurs(seen, instance)) continue;
      const pool = draft.poolById.get(instance.tags[TAG.pool] ?? '');
      if (pool !== undefined) pool.unrecorded += 1;
      const first = seen.orphansSeen.get(instance.id);
      if (first !== undefined) draft.looks.set(instance.id, first);
    }
  }
}
