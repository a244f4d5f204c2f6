// Launches: the intent with its token goes to disk, then the call goes out once; its answer, or the lack of one, is
// stored. Retry belongs to the planner, which sends the same token again until the answer is known.
// Trap: between `intended` and an answer the instances may exist. Nothing here may drop such an intent.
import { buildRequest } from '../../domain/build-request.ts';
import type { PoolSpec } from '../../domain/config.ts';
import { messageOf } from '../../domain/error.ts';
import { type Instance, type Offering, TAG } from '../../domain/instance.ts';
import type { Launch } from '../../domain/launch.ts';
import { type Machine, moveMachine } from '../../domain/machine.ts';
import { type Outcome, outcomeOf } from '../../domain/outcome.ts';
import type { Action } from '../../domain/plan.ts';
import { describeReason } from '../../domain/reason.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import { restAfter, restKeyOf, restKeysFor } from '../../planner/rest.ts';
import type { LaunchAnswer } from '../../ports/cloud.ts';
import { composeUserData } from '../../provision/user-data.ts';
import { authorizedKey } from '../../provision/user-key.ts';
import type { ActDeps } from '../act-deps.ts';

/** EC2 answers RunInstances within seconds; after this the answer counts as lost and the token is asked again. */
const LAUNCH_LIMIT_MS: DurationMs = 60 * SECOND_MS;

/** Tokens whose call is on its way: neither resent nor forgotten meanwhile. */
export type LaunchesInFlight = Set<string>;

type LaunchAction = Extract<Action, { kind: 'launch' }>;

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

function newMachine(id: string, launch: Launch, spec: string): Machine {
  return {
    id,
    pool: launch.pool,
    phase: 'requested',
    since: launch.at,
    launch: launch.token,
    spec,
    site: launch.site,
    offering: launch.request.offering,
    instance: null,
    imageId: launch.request.imageId,
    address: null,
    createdAt: launch.at,
    readyAt: null,
    idleSince: null,
    builds: 0,
    lease: null,
    cleaning: false,
    hostKeys: [launch.bootstrapHostKey],
    failedPings: 0,
    endAskedAt: null,
    endAccepted: false,
    ending: null,
    failure: null,
  };
}

async function prepare(
  deps: ActDeps,
  spec: PoolSpec,
  action: LaunchAction,
): Promise<{ launch: Launch; hash: string }> {
  const { resolved, hash } = await deps.resolver.resolve(spec);
  const hostKey = await deps.keys.hostKey();
  const userData = composeUserData({
    own: spec.launch.userData,
    hostKey,
    authorizedKey: await authorizedKey(deps.keys, spec),
  });
  const tags = {
    [TAG.owner]: deps.config.get().settings.owner,
    [TAG.manager]: deps.manager,
    [TAG.pool]: spec.id,
    [TAG.launch]: action.token,
    [TAG.spec]: hash,
  };
  const request = { ...buildRequest(spec.launch, resolved, { userData, tags }), offering: action.offering };
  const launch: Launch = {
    token: action.token,
    pool: spec.id,
    site: spec.launch.site.key,
    count: action.machines.length,
    machines: action.machines,
    request,
    bootstrapHostKey: hostKey.publicKey,
    state: 'intended',
    at: deps.clock.now(),
    sends: 0,
  };
  return { launch, hash };
}

/** Stores the intent (awaited by the tick), then sends the call in the background. */
export async function launchMachines(
  deps: ActDeps,
  inFlight: LaunchesInFlight,
  action: LaunchAction,
): Promise<void> {
  const spec = deps.config.pool(action.pool);
  if (spec === null) return;
  let prepared: { launch: Launch; hash: string };
  try {
    prepared = await prepare(deps, spec, action);
  } catch (error) {
    const unknown: Outcome = {
      kind: 'invalid',
      scope: 'pool',
      code: 'launch-options',
      message: messageOf(error),
    };
    const outcome = outcomeOf(error) ?? unknown;
    rest(deps, { site: spec.launch.site.key, pool: spec.id, offering: action.offering }, outcome);
    deps.journal({
      code: 'launch-failed',
      pool: spec.id,
      level: 'warn',
      text: `${outcome.code}: ${outcome.message}`,
    });
    return;
  }
  const { launch, hash } = prepared;
  deps.store.transaction(() => {
    deps.store.putLaunch(launch);
    for (const id of launch.machines) deps.store.putMachine(newMachine(id, launch, hash));
  });
  deps.log.info('launching', {
    pool: launch.pool,
    count: launch.count,
    for: action.for,
    reason: describeReason(action.reason),
    image: launch.request.imageId,
  });
  send(deps, inFlight, launch);
}

/** Sends a stored intent once; its answer is settled in the background. */
export function send(deps: ActDeps, inFlight: LaunchesInFlight, launch: Launch): void {
  const site = deps.site(launch.site);
  if (inFlight.has(launch.token) || site === null) return;
  inFlight.add(launch.token);
  deps.store.putLaunch({ ...launch, sends: launch.sends + 1 });
  const order = { token: launch.token, count: launch.count, request: launch.request };
  deps.track(
    deps.cloud
      .launch(site, order, deps.clock.timeout(LAUNCH_LIMIT_MS, deps.stop))
      .then((answer) => settle(deps, launch.token, answer))
      .finally(() => {
        inFlight.delete(launch.token);
        deps.nudge();
      }),
  );
}

function settle(deps: ActDeps, token: string, answer: LaunchAnswer): void {
  const launch = deps.store.launch(token);
  if (launch === null || launch.state !== 'intended') return;
  const where = { site: launch.site, pool: launch.pool, offering: launch.request.offering };
  switch (answer.kind) {
    case 'launched':
      deps.sightings.add(launch.site, answer.instances);
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
      endMachines(deps, launch, 'refused', answer.outcome);
      rest(deps, where, answer.outcome);
      break;
    case 'unknown':
      deps.journal({
        code: 'launch-unknown',
        pool: launch.pool,
        level: 'warn',
        text: answer.outcome.message,
        detail: { token },
      });
      break;
  }
}

/** A launch that worked opens what had rested. */
function clearRests(deps: ActDeps, where: { site: string; pool: string; offering: Offering }): void {
  const keys = new Set(restKeysFor(where.site, where.pool, where.offering));
  for (const known of deps.store.rests()) if (keys.has(known.key)) deps.store.deleteRest(known.key);
}

/** Address by which manager and runner reach the instance, or null while EC2 has not given it yet. */
export function addressOf(spec: PoolSpec | null, instance: Instance): string | null {
  const usePrivate = spec === null || spec.launch.usePrivateAddress || spec.launch.privateAddressOnly;
  return usePrivate ? instance.privateAddress : instance.publicAddress;
}

/** Gives the launch's machines their instances; machines that got none are gone. */
export function settleLaunched(deps: ActDeps, launch: Launch, instances: readonly Instance[]): void {
  const { store, clock } = deps;
  const now = clock.now();
  const taken = new Set(
    store.machines().flatMap((machine) => (machine.instance === null ? [] : [machine.instance])),
  );
  const free = instances
    .filter((instance) => !taken.has(instance.id))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const spec = deps.config.pool(launch.pool);
  store.transaction(() => {
    store.putLaunch({ ...launch, state: 'launched', sends: launch.sends + 1 });
    for (const id of launch.machines) {
      const machine = store.machine(id);
      if (machine === null || machine.phase !== 'requested') continue;
      const instance = free.shift();
      if (instance === undefined) {
        store.putMachine({
          ...moveMachine(machine, 'gone', now),
          ending: 'launch-failed',
          failure: 'EC2 gave fewer instances than asked',
        });
        continue;
      }
      const offering = { ...machine.offering, zone: instance.zone ?? machine.offering.zone };
      store.putMachine({
        ...moveMachine(machine, 'booting', now),
        instance: instance.id,
        address: addressOf(spec, instance),
        offering,
      });
    }
  });
  deps.metrics.launched(launch.pool, launch.request.offering.market, instances.length);
  deps.journal({
    code: 'launched',
    pool: launch.pool,
    detail: {
      asked: launch.count,
      got: instances.length,
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
      if (machine === null || machine.phase !== 'requested') continue;
      store.putMachine({
        ...moveMachine(machine, 'gone', clock.now()),
        ending: code,
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
