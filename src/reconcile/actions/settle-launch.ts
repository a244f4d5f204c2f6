// What becomes of a launch: EC2's answer, or what a listing shows in its place, goes into the rows of its machines.
// Must not drop an intent whose instances may exist.
// Trap: the second answer to a token may speak of the second call only; a refusal then says nothing about the first.

import type { Instance } from '../../domain/instance.ts';
import type { Launch } from '../../domain/launch.ts';
import { type Machine, moveMachine } from '../../domain/machine.ts';
import type { Outcome, OutcomeKind, Refusal } from '../../domain/outcome.ts';
import type { EpochMs } from '../../domain/units.ts';
import { addressOf } from '../../planner/address.ts';
import { usageUnder } from '../../planner/lanes.ts';
import { type RestPlace, restAfter, restKeyOf, restKeysFor } from '../../planner/rest.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import type { ActDeps } from '../act-deps.ts';

/** EC2 refuses these before it looks at the token: an earlier call with it may have launched all the same. */
const BEFORE_THE_TOKEN: ReadonlySet<OutcomeKind> = new Set(['throttled', 'denied']);

type Where = { site: string; pool: string; place: RestPlace; askedAt?: EpochMs };

/** Remembers a failure so that the planner rests what failed. */
export function rest(deps: ActDeps, where: Where, outcome: Outcome): void {
  const { store, clock } = deps;
  const key = restKeyOf(where.site, where.pool, where.place, outcome);
  const previous = store.rests().find((known) => known.key === key) ?? null;
  deps.metrics.launchFailed(where.pool, outcome);
  // Calls that were under way together fail together: that is one failure, not a row of them.
  const isSame = previous !== null && previous.outcome.kind === outcome.kind;
  if (isSame && where.askedAt !== undefined && where.askedAt < previous.since && previous.until > clock.now())
    return;
  const jobsWait = store.leases().some((lease) => lease.pool === where.pool && lease.state === 'waiting');
  const next = restAfter(previous, { key, outcome }, clock.now(), {
    random01: deps.random.float(),
    jobsWait,
  });
  const isQuota = outcome.kind === 'quota' && outcome.quota !== undefined;
  if (!isQuota) return store.putRest(next);
  const usage = usageUnder(store.machines(), key);
  // Others in the account share the quota: what is ours of it tells whether they fill it.
  const message = `${outcome.message}; ${usage} of our machines stood under it`;
  store.putRest({ ...next, outcome: { ...outcome, message }, usage });
}

/** Where a launch might have gone. */
function placesOf({ request }: Launch): readonly RestPlace[] {
  return request.places ?? [{ ...request.offering, subnetId: request.subnetId }];
}

/** Rests each place that refused, by what it said; without such words the launch's places by the launch's outcome. */
function restPlaces(
  deps: ActDeps,
  launch: Launch,
  outcome: Outcome | null,
  refusals: readonly Refusal[],
): void {
  const [first] = placesOf(launch);
  if (first === undefined) return;
  const { site, pool, at: askedAt } = launch;
  const told = new Set<string>();
  const tell = (place: RestPlace, said: Outcome) => {
    const key = restKeyOf(site, pool, place, said);
    if (told.has(key)) return;
    told.add(key);
    rest(deps, { site, pool, place, askedAt }, said);
  };
  for (const { offering, subnetId, outcome: said } of refusals)
    tell(offering === null ? first : { ...offering, subnetId }, said);
  if (outcome !== null && told.size === 0) for (const place of placesOf(launch)) tell(place, outcome);
}

/** Stores what the call came to. An answer that came too late, after a listing or a person settled the launch, changes nothing. */
export function settle(deps: ActDeps, token: string, answer: LaunchAnswer): void {
  const launch = deps.store.launch(token);
  if (launch === null || launch.state !== 'intended') return;
  switch (answer.kind) {
    case 'launched': {
      deps.sightings.add(launch.site, answer.instances);
      const requests = answer.requests ?? [];
      // Open spot requests may bring machines yet: the intent stays, and with it the rows that wait for them.
      if (requests.length > 0) {
        deps.store.putLaunch({ ...launch, requests });
        break;
      }
      settleLaunched(deps, launch, answer.instances);
      clearRests(deps, launch, answer.instances);
      restPlaces(deps, launch, answer.short === 0 ? null : shortOf(launch, answer), answer.refusals ?? []);
      break;
    }
    case 'refused':
      restPlaces(deps, launch, answer.outcome, answer.refusals ?? []);
      if (launch.sends > 1 && BEFORE_THE_TOKEN.has(answer.outcome.kind))
        stayOpen(deps, launch, answer.outcome);
      else endMachines(deps, launch, 'refused', answer.outcome);
      break;
    case 'unknown':
      stayOpen(deps, launch, answer.outcome);
      break;
  }
}

function shortOf(launch: Launch, { instances }: { instances: readonly Instance[] }): Outcome {
  return {
    kind: 'insufficient-capacity',
    scope: 'offering',
    code: 'short',
    message: `EC2 gave ${instances.length} of ${launch.count}`,
  };
}

/** Nothing is known: the planner asks again with the same token, and listings may show the instances first. */
function stayOpen(deps: ActDeps, launch: Launch, outcome: Outcome): void {
  deps.journal({
    code: 'launch-unknown',
    pool: launch.pool,
    level: 'warn',
    text: `${outcome.code}: ${outcome.message}`,
    detail: { token: launch.token, sends: launch.sends },
  });
}

/** Machines that came open what had rested where they came from. */
function clearRests(deps: ActDeps, launch: Launch, instances: readonly Instance[]): void {
  const { site, pool } = launch;
  const asked = placesOf(launch);
  const keys = new Set<string>();
  for (const { type, zone, market } of instances) {
    // The place as the planner knows it, by the name under which it rests.
    const place =
      asked.find((one) => one.type === type && (one.zone === zone || one.zone === null)) ??
      (asked.length === 1 ? asked[0] : undefined);
    for (const key of restKeysFor(site, pool, place ?? { type, zone, market })) keys.add(key);
  }
  // That EC2 takes a launch says nothing about its start: `clearBootEnds` knows when one went well.
  for (const { key, outcome } of deps.store.rests())
    if (keys.has(key) && outcome.kind !== 'batch-too-big' && outcome.kind !== 'boot-ended')
      deps.store.deleteRest(key);
}

/** A machine became ready: what had rested because instances ended while they started is open again. */
export function clearBootEnds(deps: ActDeps, { site, pool, offering }: Machine): void {
  const keys = restKeysFor(site, pool, offering);
  for (const { key, outcome } of deps.store.rests())
    if (outcome.kind === 'boot-ended' && keys.includes(key)) deps.store.deleteRest(key);
}

/** The machine with its instance: booting, or on its way out still when its end was asked for meanwhile. */
export function withInstance(deps: ActDeps, machine: Machine, instance: Instance): Machine {
  const { type, zone, market } = instance;
  const { offering: asked } = machine;
  const offering = { type: type === '' ? asked.type : type, zone: zone ?? asked.zone, market };
  const pool = deps.config.pool(machine.pool);
  const shown = pool === null ? instance.privateAddress : addressOf(instance, pool.launch);
  const address = shown ?? machine.address;
  const known = { ...machine, instance: instance.id, imageId: instance.imageId, address, offering };
  return machine.phase === 'requested' ? moveMachine(known, 'booting', deps.clock.now()) : known;
}

/** Whether the launch still owes this machine its instance. */
function isOwed(machine: Machine): boolean {
  return machine.instance === null && (machine.phase === 'requested' || machine.phase === 'terminating');
}

/** EC2's whole answer: gives the launch's machines their instances; machines that got none are gone. */
function settleLaunched(deps: ActDeps, launch: Launch, instances: readonly Instance[]): void {
  const { store, clock } = deps;
  const taken = new Set(store.machines().map((machine) => machine.instance));
  const free = instances
    .filter((instance) => !taken.has(instance.id))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  store.transaction(() => {
    store.putLaunch({ ...launch, state: 'launched' });
    for (const id of launch.machines) {
      const machine = store.machine(id);
      if (machine === null || !isOwed(machine)) continue;
      const instance = free.shift();
      store.putMachine(
        instance === undefined
          ? {
              ...moveMachine(machine, 'gone', clock.now()),
              ending: machine.ending ?? 'launch-failed',
              failure: 'EC2 gave fewer instances than asked',
            }
          : withInstance(deps, machine, instance),
      );
    }
  });
  tellLaunched(deps, launch, instances.length, instances);
}

/** Listings have shown an instance for every machine of a launch whose answer never came. */
export function settleShown(deps: ActDeps, launch: Launch): void {
  deps.store.putLaunch({ ...launch, state: 'launched' });
  tellLaunched(deps, launch, launch.count);
}

/** `3 m6i.large in eu-central-1b`, the most first; empty where no answer named them. */
function placesInWords(instances: readonly Instance[]): string {
  const byPlace = Map.groupBy(instances, ({ type, zone }) => (zone === null ? type : `${type} in ${zone}`));
  return [...byPlace]
    .toSorted(([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1))
    .map(([place, some]) => `${some.length} ${place}`)
    .join(', ');
}

function tellLaunched(deps: ActDeps, launch: Launch, got: number, instances: readonly Instance[] = []): void {
  const { type, market } = launch.request.offering;
  deps.metrics.launched(launch.pool, market, got);
  const where = instances.length === 0 ? '' : `: ${placesInWords(instances)}`;
  const why = launch.why === undefined ? '' : ` (${launch.why})`;
  deps.journal({
    code: 'launched',
    pool: launch.pool,
    text: `EC2 gave ${got} of ${launch.count} ${market} machines${where}${why}`,
    detail: { asked: launch.count, got, type, market, why: launch.why ?? null },
  });
}

/** The launch came to nothing: its machines without an instance are gone. */
export function endMachines(
  deps: ActDeps,
  launch: Launch,
  state: 'refused' | 'lost',
  outcome: Outcome,
): void {
  const { store, clock } = deps;
  const code = state === 'refused' ? 'launch-failed' : 'launch-lost';
  store.transaction(() => {
    store.putLaunch({ ...launch, state });
    for (const id of launch.machines) {
      const machine = store.machine(id);
      if (machine === null || !isOwed(machine)) continue;
      store.putMachine({
        ...moveMachine(machine, 'gone', clock.now()),
        ending: machine.ending ?? code,
        failure: `${outcome.code}: ${outcome.message}`,
      });
    }
  });
  const { type, market } = launch.request.offering;
  deps.journal({
    code,
    pool: launch.pool,
    level: 'warn',
    text: `${outcome.code}: ${outcome.message}`,
    detail: { kind: outcome.kind, count: launch.count, type, market },
  });
}
