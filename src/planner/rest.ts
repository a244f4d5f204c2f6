// Back-off after refused launches, as data: what rests, until when, and which rests close a given launch.
// Capacity comes back within minutes, quotas when usage falls, permissions when a person acts; each kind has its pace.
// Trap: a rest must never hold back launches for another pool's mistake: the key's scope says how far it reaches.
import { unreachable } from '../domain/assert.ts';
import type { PoolSpec } from '../domain/config.ts';
import { type Offering, offeringKey } from '../domain/instance.ts';
import { quotaClassOf } from '../domain/offering.ts';
import type { Outcome, OutcomeKind, Rest } from '../domain/outcome.ts';
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../domain/units.ts';

/** First rest, longest rest, and the longest while jobs wait; doubled from failure to failure, with jitter. */
type Pace = { first: DurationMs; longest: DurationMs; jobsWait: DurationMs };

const pace = (first: DurationMs, longest: DurationMs, jobsWait = longest): Pace => ({
  first,
  longest,
  jobsWait,
});

/**
 * Capacity: Karpenter closes an offering for 3 min (facts/ec2.md §4); idle machines can wait longer than jobs.
 * Throttled: EC2's RunInstances bucket fills by 2 a second, so seconds are enough.
 * Unsupported: what a zone does not offer today it will not offer within the hour.
 * Batch-too-big closes nothing: it is the memory of the halved batch (`batchBound`). Interrupted closes nothing either:
 * other places are taken first while it lasts.
 */
const paces: Record<OutcomeKind, Pace> = {
  'insufficient-capacity': pace(MINUTE_MS, 30 * MINUTE_MS, 3 * MINUTE_MS),
  price: pace(MINUTE_MS, 30 * MINUTE_MS, 3 * MINUTE_MS),
  quota: pace(MINUTE_MS, 10 * MINUTE_MS, 3 * MINUTE_MS),
  'subnet-full': pace(MINUTE_MS, 10 * MINUTE_MS, 3 * MINUTE_MS),
  throttled: pace(2 * SECOND_MS, MINUTE_MS),
  unsupported: pace(HOUR_MS, 6 * HOUR_MS),
  'batch-too-big': pace(10 * MINUTE_MS, 10 * MINUTE_MS),
  // EC2 takes machines of one offering back in waves; Karpenter avoids it for as long as after a capacity miss.
  interrupted: pace(3 * MINUTE_MS, 30 * MINUTE_MS),
  // Credentials: expired ones are renewed, and a blocked account is opened, without a word to us.
  denied: pace(MINUTE_MS, 30 * MINUTE_MS),
  invalid: pace(MINUTE_MS, 30 * MINUTE_MS),
  'not-found': pace(5 * SECOND_MS, MINUTE_MS),
  'token-mismatch': pace(5 * SECOND_MS, 10 * MINUTE_MS),
  // Most causes need a person (a disk's key, a quota of volumes), and each try costs a launch that looks well at first.
  'boot-ended': pace(MINUTE_MS, 30 * MINUTE_MS, 10 * MINUTE_MS),
  'token-ended': pace(SECOND_MS, MINUTE_MS),
  protected: pace(30 * SECOND_MS, 5 * MINUTE_MS),
  unknown: pace(2 * SECOND_MS, MINUTE_MS),
};

/**
 * A missing permission comes back by a person, who reloads then; this is for those who forget. The first denial rests as
 * `paces` says all the same: IAM's own changes take effect after seconds, and a new manager starts within them.
 */
const UNTIL_RELOAD_MS: DurationMs = 24 * HOUR_MS;
const untilReload = pace(MINUTE_MS, UNTIL_RELOAD_MS);

/** A right that a policy must give; what is denied to a whole account are its credentials. */
function isPermission({ kind, scope }: Outcome): boolean {
  return kind === 'denied' && scope !== 'account';
}

function paceOf(outcome: Outcome): Pace {
  return isPermission(outcome) ? untilReload : paces[outcome.kind];
}

/** Jitter never shortens a rest below this share of it: a rest of nothing would be a retry storm. */
const LEAST_SHARE = 0.25;

/** A row of failures is broken by this long without one, even if nothing was launched in between. */
const FORGOTTEN_AFTER_MS: DurationMs = 2 * HOUR_MS;

/** Doublings beyond this change nothing: every pace has reached its longest rest by then. */
const MOST_DOUBLINGS = 16;

/**
 * The rest after a failure. `random01` (0 ≤ x < 1) spreads the rest between a quarter of its length and all of it;
 * `jobsWait` shortens rests that idle machines could sit out. Another kind of failure begins a new row.
 */
export function restAfter(
  previous: Rest | null,
  failure: { key: string; outcome: Outcome },
  now: EpochMs,
  at: { random01: number; jobsWait: boolean },
): Rest {
  const inRow =
    previous !== null &&
    previous.outcome.kind === failure.outcome.kind &&
    now - previous.until < FORGOTTEN_AFTER_MS;
  const failures = inRow ? previous.failures + 1 : 1;
  const { first, longest, jobsWait } = paceOf(failure.outcome);
  const cap = at.jobsWait ? jobsWait : longest;
  const isForReload = isPermission(failure.outcome) && failures > 1;
  const full = isForReload ? cap : Math.min(cap, first * 2 ** Math.min(failures - 1, MOST_DOUBLINGS));
  const length = Math.round(full * (LEAST_SHARE + (1 - LEAST_SHARE) * at.random01));
  return { key: failure.key, outcome: failure.outcome, failures, since: now, until: now + length };
}

/** Key of a rest that closes a whole account and region. */
export function restKeyOfAccount(site: string): string {
  return `${site}/account`;
}

/** What a launch asks for, as far as rests reach: an offering and, where it is known, the subnet. */
export type RestPlace = Offering & { subnetId?: string | null };

/** What rests after this failure of a launch, by the failure's scope. A quota is the market's and the class's. */
export function restKeyOf(site: string, pool: string, place: RestPlace, outcome: Outcome): string {
  // Learned about one batch of one offering; a wider key would shrink other pools' batches.
  if (outcome.kind === 'batch-too-big') return `${site}/offering:${offeringKey(place)}`;
  switch (outcome.scope) {
    case 'offering':
      return `${site}/offering:${offeringKey(place)}`;
    case 'market':
      return outcome.quota === undefined
        ? `${site}/market:${place.market}`
        : `${site}/market:${outcome.quota.market}/${outcome.quota.class}`;
    case 'account':
      return restKeyOfAccount(site);
    case 'subnet':
      return place.subnetId == null ? `${site}/pool:${pool}` : `${site}/subnet:${place.subnetId}`;
    case 'pool':
    case 'call':
      return `${site}/pool:${pool}`;
    default:
      return unreachable(outcome.scope);
  }
}

/** Every key whose rest closes a launch of this pool at this place. A success clears the rests under them. */
export function restKeysFor(site: string, pool: string, place: RestPlace): string[] {
  return [
    `${site}/offering:${offeringKey(place)}`,
    `${site}/market:${place.market}`,
    `${site}/market:${place.market}/${quotaClassOf(place.type)}`,
    ...(place.subnetId == null ? [] : [`${site}/subnet:${place.subnetId}`]),
    `${site}/pool:${pool}`,
    restKeyOfAccount(site),
  ];
}

/** When this rest ends; jobs that began to wait meanwhile cut a long one short. */
function endOf(rest: Rest, jobsWait: boolean): EpochMs {
  return jobsWait ? Math.min(rest.until, rest.since + paceOf(rest.outcome).jobsWait) : rest.until;
}

/** Closes nothing: a memory of halved batches, or of machines that were taken back. */
export function isSoft({ outcome }: Pick<Rest, 'outcome'>): boolean {
  return outcome.kind === 'batch-too-big' || outcome.kind === 'interrupted';
}

/** The rest under one of these keys that ends last, with the time it ends; null = open. */
export function closingRest(
  rests: readonly Rest[],
  keys: readonly string[],
  now: EpochMs,
  jobsWait: boolean,
): { rest: Rest; until: EpochMs } | null {
  let closing: { rest: Rest; until: EpochMs } | null = null;
  for (const rest of rests) {
    if (isSoft(rest) || !keys.includes(rest.key)) continue;
    const until = endOf(rest, jobsWait);
    const isLater =
      closing === null || until > closing.until || (until === closing.until && rest.key < closing.rest.key);
    if (until > now && isLater) closing = { rest, until };
  }
  return closing;
}

/** Failures after which one machine is asked for before many: what refused one place may refuse it still. */
const probed: ReadonlySet<OutcomeKind> = new Set([
  'insufficient-capacity',
  'price',
  'quota',
  'subnet-full',
  'unsupported',
  'denied',
  'invalid',
]);

/** How a place stands: free, closed until then, or half-open: its rests are over, and one probe must come first. */
export type Gate =
  | { kind: 'free'; isMarked: boolean }
  | { kind: 'probe'; rest: Rest; keys: readonly string[] }
  | { kind: 'closed'; rest: Rest; until: EpochMs };

/** The key beside an offering's under which it is noted that EC2 took machines of it back. */
export function markOf(key: string): string {
  return `${key}/interrupted`;
}

/** Fewer machines stand under a quota than when it was met. */
function isRoomAgain({ key, usage: met }: Rest, usage: ((key: string) => number) | undefined): boolean {
  return met !== undefined && usage !== undefined && usage(key) < met;
}

/**
 * The gate under these keys. `usage`: machines that stand now under a key; a quota's rest is over as soon as fewer stand
 * than when it was met.
 */
export function gateOf(
  rests: ReadonlyMap<string, Rest>,
  keys: readonly string[],
  at: { now: EpochMs; jobsWait: boolean; usage?: (key: string) => number },
): Gate {
  let closed: { rest: Rest; until: EpochMs } | null = null;
  let half: Rest | null = null;
  const halfKeys: string[] = [];
  let isMarked = false;
  for (const key of keys) {
    isMarked ||= (rests.get(markOf(key))?.until ?? 0) > at.now;
    const rest = rests.get(key);
    if (rest === undefined || isSoft(rest)) continue;
    const until = isRoomAgain(rest, at.usage) ? at.now : endOf(rest, at.jobsWait);
    if (until > at.now) {
      if (closed === null || until > closed.until) closed = { rest, until };
    } else if (probed.has(rest.outcome.kind) && at.now - until < FORGOTTEN_AFTER_MS) {
      half ??= rest;
      halfKeys.push(key);
    }
  }
  if (closed !== null) return { kind: 'closed', ...closed };
  return half === null ? { kind: 'free', isMarked } : { kind: 'probe', rest: half, keys: halfKeys };
}

/** EC2's advice for quick launches: several requests of 100 rather than one of 500 (RunInstances reference). */
export const MAX_BATCH = 100;

/** Instances that one launch call may ask for: halved for each `batch-too-big` that is remembered. */
export function batchBound(rests: readonly Rest[], keys: readonly string[], now: EpochMs): number {
  let halvings = 0;
  for (const rest of rests) {
    if (rest.outcome.kind === 'batch-too-big' && rest.until > now && keys.includes(rest.key))
      halvings = Math.max(halvings, rest.failures);
  }
  return Math.max(1, Math.floor(MAX_BATCH / 2 ** halvings));
}

/** Whether a rest can touch launches of this pool, by what its options name. */
export function touchesPool({ id, launch }: PoolSpec, { key }: Rest): boolean {
  const site = `${launch.site.key}/`;
  if (!key.startsWith(site)) return false;
  const [what = '', name = ''] = splitOnce(key.slice(site.length), ':');
  if (what === 'pool') return name === id;
  if (what === 'market') return launch.markets.some((market) => (splitOnce(name, '/')[0] ?? '') === market);
  if (what === 'subnet') return launch.subnetIds.length === 0 || launch.subnetIds.includes(name);
  if (what !== 'offering') return true;
  const isOfMarket = launch.markets.some((market) => name.split('/')[0]?.endsWith(`:${market}`));
  const type = name.split(':')[0] ?? '';
  return isOfMarket && (launch.needs !== null || launch.instanceTypes.includes(type));
}

function splitOnce(text: string, by: string): string[] {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Rests that close something for this pool now, the soonest end first. */
export function closedFor(
  spec: PoolSpec,
  rests: readonly Rest[],
  now: EpochMs,
): { rest: Rest; until: EpochMs }[] {
  return rests
    .filter((rest) => !isSoft(rest) && touchesPool(spec, rest))
    .map((rest) => ({ rest, until: endOf(rest, true) }))
    .filter(({ until }) => until > now)
    .toSorted((a, b) => a.until - b.until);
}

/** How a rest stands for people: closed, half-open (the next launch is a probe), or a mark that closes nothing. */
export function stateOf(rest: Rest, now: EpochMs): 'closed' | 'half-open' | 'marked' | 'over' {
  if (isSoft(rest)) return rest.until > now ? 'marked' : 'over';
  if (rest.until > now) return 'closed';
  return probed.has(rest.outcome.kind) && now - rest.until < FORGOTTEN_AFTER_MS ? 'half-open' : 'over';
}

/** What a changed configuration can cure: keys, options, a price cap. */
const curedByChange: ReadonlySet<OutcomeKind> = new Set([
  'denied',
  'invalid',
  'unsupported',
  'price',
  'boot-ended',
]);

/** Rests that a person ends by changing the configuration: they are cleared on reload. */
export function isClearedByReload(rest: Rest): boolean {
  return curedByChange.has(rest.outcome.kind);
}
