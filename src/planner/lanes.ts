// Through which markets a pool may launch now: for each market the places that are free, or the one probe that is due,
// or what closes it. Choosing between the markets is market-choice.ts.
// Trap: half-open places are asked for one machine, once, until the answer is there; many at a time would be a storm.
import type { Market, Offering } from '../domain/instance.ts';
import type { Launch } from '../domain/launch.ts';
import type { Machine } from '../domain/machine.ts';
import type { CallBudget, Observation } from '../domain/observation.ts';
import { type LaunchWay, type Place, quotaClassOf, wayFor } from '../domain/offering.ts';
import type { Rest } from '../domain/outcome.ts';
import { type EpochMs, MINUTE_MS } from '../domain/units.ts';
import type { Draft, PoolDraft } from './draft.ts';
import { batchBound, type Gate, gateOf, restKeysFor } from './rest.ts';

/** Never more open spot requests than this, whatever a configuration says: accounts are locked out at some 60. */
export const MAX_OPEN_REQUESTS = 20;

/** The window of `failed_launches_per_minute`. */
export const FAILURE_WINDOW_MS = MINUTE_MS;

export type Lane = {
  market: Market;
  way: LaunchWay;
  /** Where it may launch; null = not looked up yet, all of the market then. */
  places: readonly Place[] | null;
  offering: Offering;
  gate: Gate;
  /** 1 while it is a probe. */
  most: number;
  batch: number;
  /** Places that the market has in all, for the words. */
  of: number;
  calls: number;
  demand: number;
  idle: number;
};

const buckets: Record<LaunchWay, keyof CallBudget> = {
  'run-instances': 'launches',
  fleet: 'fleets',
  'spot-request': 'spotRequests',
};

/** The budget that this way draws on: clouds without a figure of its own share the plain one. */
export function bucketIn(budget: CallBudget, way: LaunchWay): keyof CallBudget {
  return budget[buckets[way]] === undefined ? 'launches' : buckets[way];
}

/** Machines with an instance that stand under a quota's key. */
export function usageUnder(machines: Iterable<Machine>, key: string): number {
  const [, site, market, name] = /^(.*)\/market:(spot|on-demand)\/(.+)$/.exec(key) ?? [];
  if (site === undefined) return 0;
  let used = 0;
  for (const machine of machines) {
    const { offering, instance, phase, endAccepted } = machine;
    if (machine.site !== site || instance === null || phase === 'gone') continue;
    if (phase === 'terminating' && endAccepted) continue;
    if (offering.market === market && quotaClassOf(offering.type) === name) used += 1;
  }
  return used;
}

/** What the gates of one tick are read from. */
export type GateBook = {
  rests: ReadonlyMap<string, Rest>;
  /** Latest unanswered launch under a key. */
  asked: Map<string, EpochMs>;
  usage(key: string): number;
};

/** Opens the book; linear in machines, rests and unanswered launches. */
export function openGates(draft: Draft): GateBook {
  const asked = new Map<string, EpochMs>();
  // A launch whose machines all have their instances, as of this very tick, is answered.
  const awaited = new Set(
    draft.slots.flatMap(({ machine }) => (machine.instance === null ? machine.launch : [])),
  );
  for (const launch of draft.seen.launches) {
    if (!awaited.has(launch.token)) continue;
    for (const place of launch.request.places ?? [launch.request.offering]) {
      for (const key of restKeysFor(launch.site, launch.pool, place))
        asked.set(key, Math.max(asked.get(key) ?? 0, launch.at));
    }
  }
  const used = new Map<string, number>();
  return {
    rests: new Map(draft.seen.rests.map((rest) => [rest.key, rest])),
    asked,
    usage(key) {
      const known = used.get(key) ?? usageUnder(draft.seen.machines, key);
      used.set(key, known);
      return known;
    },
  };
}

/** The places of a pool in one market, in the pool's order; before they are looked up, the one that its options name. */
export function placesIn({ places, spec, offering }: PoolDraft, market: Market): readonly Place[] {
  if (places !== null) return places.filter((place) => place.market === market);
  return [{ ...offering, market, subnetId: spec.launch.subnetId, vcpus: null }];
}

type Gated = { place: Place; gate: Gate };

/** A probe whose answer is still awaited keeps its gate shut. */
function isAsked(book: GateBook, gate: Gate): boolean {
  return gate.kind === 'probe' && gate.keys.some((key) => (book.asked.get(key) ?? 0) >= gate.rest.since);
}

/** What the lane takes of its market: free places first, those that lost no machine lately before the others. */
function pick(gated: readonly Gated[], book: GateBook): { taken: readonly Gated[]; gate: Gate } {
  const free = gated.filter(({ gate }) => gate.kind === 'free');
  const unmarked = free.filter(({ gate }) => gate.kind === 'free' && !gate.isMarked);
  const half = gated.filter(({ gate }) => gate.kind === 'probe' && !isAsked(book, gate));
  const first = unmarked.length > 0 ? unmarked : free;
  if (first[0] !== undefined) return { taken: [...first, ...half], gate: first[0].gate };
  if (half[0] !== undefined) return { taken: half, gate: half[0].gate };
  const awaited = gated.find(({ gate }) => gate.kind === 'probe')?.gate;
  if (awaited?.kind === 'probe') {
    const { rest } = awaited;
    return { taken: [], gate: { kind: 'closed', rest, until: rest.until } };
  }
  const soonest = gated
    .map(({ gate }) => gate)
    .filter((gate) => gate.kind === 'closed')
    .toSorted((a, b) => a.until - b.until)[0];
  return { taken: [], gate: soonest ?? { kind: 'free', isMarked: false } };
}

/** The lane of one market; null where the pool has no place in it. */
export function laneOf(
  draft: Draft,
  pool: PoolDraft,
  market: Market,
  { book, jobsWait }: { book: GateBook; jobsWait: boolean },
): Lane | null {
  const { launch, id } = pool.spec;
  const all = placesIn(pool, market);
  const [first] = all;
  if (first === undefined) return null;
  const at = { now: draft.now, jobsWait, usage: book.usage };
  const gated = all.map((place) => {
    const gate = gateOf(book.rests, restKeysFor(launch.site.key, id, place), at);
    return { place, gate };
  });
  const { taken, gate } = pick(gated, book);
  const isMany = wayFor(launch.way, taken.length, launch.template !== null) === 'fleet';
  const chosen = isMany ? taken : taken.slice(0, 1);
  const wanted = wayFor(launch.way, chosen.length, launch.template !== null);
  const way = wanted === 'spot-request' && market === 'on-demand' ? 'run-instances' : wanted;
  const lead = chosen[0]?.place ?? first;
  const keys = chosen.flatMap(({ place }) => restKeysFor(launch.site.key, id, place));
  return {
    market,
    way,
    places: pool.places === null ? null : chosen.map(({ place }) => place),
    offering: { type: lead.type, zone: lead.zone, market },
    gate,
    most: gate.kind === 'probe' ? 1 : Number.POSITIVE_INFINITY,
    batch: batchBound(draft.seen.rests, keys, draft.now),
    of: all.length,
    calls: 0,
    demand: 0,
    idle: 0,
  };
}

/**
 * Takes the lane's probe for the machine that is placed on it; false: another pool of this tick has sent it. Lanes without a
 * probe are free. Claimed when it is used and not before: a pool that wants it and cannot pay for it must leave it to others.
 */
export function claimProbe(book: GateBook, { gate }: Lane, now: EpochMs): boolean {
  if (gate.kind !== 'probe') return true;
  if (isAsked(book, gate)) return false;
  for (const key of gate.keys) book.asked.set(key, now);
  return true;
}

/** True when no market of the pool lets a machine come now. */
export function isShut(
  draft: Draft,
  pool: PoolDraft,
  at: { book: GateBook; jobsWait: boolean } = { book: openGates(draft), jobsWait: false },
): boolean {
  return pool.spec.launch.markets.every((market) => {
    const gate = laneOf(draft, pool, market, at)?.gate;
    return gate === undefined || gate.kind === 'closed';
  });
}

/** Requests that are, or may be, open: machines of unanswered spot requests that have no instance, and strays. */
export function openRequests({ launches, machines, strayRequests }: Observation): number {
  const strays = [...(strayRequests?.values() ?? [])].flatMap((byPool) => [...(byPool?.values() ?? [])]);
  const stray = strays.reduce((sum, count) => sum + count, 0);
  const asked = new Set(
    launches.flatMap(({ token, request }: Launch) => (request.way === 'spot-request' ? [token] : [])),
  );
  if (asked.size === 0) return stray;
  return stray + machines.filter(({ launch, instance }) => instance === null && asked.has(launch)).length;
}

/**
 * Launch calls that a pool may send now: those of the last minute that failed, and those whose answer is awaited, since
 * each may fail, stand against `failed_launches_per_minute`.
 */
export function triesLeft(draft: Draft, { spec }: PoolDraft): { left: number; nextAt: EpochMs } {
  const failed = (draft.seen.failedLaunches ?? []).filter(
    ({ pool, at }) => pool === spec.id && draft.now - at < FAILURE_WINDOW_MS,
  );
  // An open spot request has its answer: it waits, it did not fail.
  const awaited = draft.seen.launches.filter(
    ({ pool, at, requests }) =>
      pool === spec.id && requests === undefined && draft.now - at < FAILURE_WINDOW_MS,
  ).length;
  const oldest = Math.min(...failed.map(({ at }) => at), Number.POSITIVE_INFINITY);
  return {
    left: spec.failedLaunchesPerMinute - failed.length - awaited,
    nextAt: Number.isFinite(oldest) ? oldest + FAILURE_WINDOW_MS : draft.now + 1_000,
  };
}
