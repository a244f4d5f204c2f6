// What becomes of a launch: EC2's answer, or what a listing shows in its place, goes into the rows of its machines.
// Must not drop an intent whose instances may exist.
// Trap: the second answer to a token may speak of the second call only; a refusal then says nothing about the first.

import type { Instance, Offering } from '../../domain/instance.ts';
import type { Launch } from '../../domain/launch.ts';
import { type Machine, moveMachine } from '../../domain/machine.ts';
import type { Outcome, OutcomeKind } from '../../domain/outcome.ts';
import { addressOf } from '../../planner/address.ts';
import { restAfter, restKeyOf, restKeysFor } from '../../planner/rest.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import type { ActDeps } from '../act-deps.ts';

/** EC2 refuses these before it looks at the token: an earlier call with it may have launched all the same. */
const BEFORE_THE_TOKEN: ReadonlySet<OutcomeKind> = new Set(['throttled', 'denied']);

/** Remembers a failure so that the planner rests what failed. */
export function rest(
  deps: ActDeps,
  where: { site: string; pool: string; offering: Offering },
  outcome: Outcome,
): void {
  const key = restKeyOf(where.site, where.pool, where.offering, outcome);
  const previous = deps.store.rests().find((known) => known.key === key) ?? null;
  const jobsWait = deps.store
    .leases()
    .some((lease) => lease.pool === where.pool && lease.state === 'waiting');
  deps.store.putRest(
    restAfter(previous, { key, outcome }, deps.clock.now(), { random01: deps.random.float(), jobsWait }),
  );
  deps.metrics.launchFailed(where.pool, outcome);
}

/** Stores what the call came to. An answer that came too late, after a listing or a person settled the launch, changes nothing. */
export function settle(deps: ActDeps, token: string, answer: LaunchAnswer): void {
  const launch = deps.store.launch(token);
  if (launch === null || launch.state !== 'intended') return;
  const where = { site: launch.site, pool: launch.pool, offering: launch.request.offering };
  switch (answer.kind) {
    case 'launched':
      deps.sightings.add(launch.site, answer.instances);
      // Open spot requests may bring machines yet: the intent stays, and with it the rows that wait for them.
      if ((answer.requests ?? []).length > 0) break;
      settleLaunched(deps, launch, answer.instances);
      if (answer.short === 0) clearRests(deps, where);
      else
        rest(deps, where, {
          kind: 'insufficient-capacity',
          scope: 'offering',
          code: 'short',
          message: `EC2 gave ${answer.instances.length} of ${launch.count}`,
        });
      break;
    case 'refused':
      rest(deps, where, answer.outcome);
      if (launch.sends > 1 && BEFORE_THE_TOKEN.has(answer.outcome.kind))
        stayOpen(deps, launch, answer.outcome);
      else endMachines(deps, launch, 'refused', answer.outcome);
      break;
    case 'unknown':
      stayOpen(deps, launch, answer.outcome);
      break;
  }
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

/** A launch that worked opens what had rested. */
function clearRests(deps: ActDeps, where: { site: string; pool: string; offering: Offering }): void {
  const keys = new Set(restKeysFor(where.site, where.pool, where.offering));
  for (const known of deps.store.rests()) if (keys.has(known.key)) deps.store.deleteRest(known.key);
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
  tellLaunched(deps, launch, instances.length);
}

/** Listings have shown an instance for every machine of a launch whose answer never came. */
export function settleShown(deps: ActDeps, launch: Launch): void {
  deps.store.putLaunch({ ...launch, state: 'launched' });
  tellLaunched(deps, launch, launch.count);
}

function tellLaunched(deps: ActDeps, launch: Launch, got: number): void {
  deps.metrics.launched(launch.pool, launch.request.offering.market, got);
  deps.journal({
    code: 'launched',
    pool: launch.pool,
    detail: {
      asked: launch.count,
      got,
      type: launch.request.offering.type,
      market: launch.request.offering.market,
    },
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
