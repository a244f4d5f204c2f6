// Launches: the intent with its token goes to disk, then the call goes out once; settle-launch.ts stores the answer.
// Retry belongs to the planner, which sends the same token again until the answer is known.
// Trap: between `intended` and an answer the instances may exist. Nothing here may drop such an intent.
import { buildRequest } from '../../domain/build-request.ts';
import type { PoolSpec } from '../../domain/config.ts';
import { messageOf } from '../../domain/error.ts';
import { TAG } from '../../domain/instance.ts';
import type { Launch } from '../../domain/launch.ts';
import type { Machine } from '../../domain/machine.ts';
import { type Outcome, outcomeOf } from '../../domain/outcome.ts';
import type { Action } from '../../domain/plan.ts';
import { describeReason } from '../../domain/reason.ts';
import { type DurationMs, SECOND_MS } from '../../domain/units.ts';
import { composeUserData } from '../../provision/user-data.ts';
import { authorizedKey } from '../../provision/user-key.ts';
import type { ActDeps } from '../act-deps.ts';
import { rest, settle } from './settle-launch.ts';

/** EC2 answers RunInstances within seconds; after this the answer counts as lost and the token is asked again. */
const LAUNCH_LIMIT_MS: DurationMs = 60 * SECOND_MS;

/** Tokens whose call is on its way: neither resent nor forgotten meanwhile. */
export type LaunchesInFlight = Set<string>;

type LaunchAction = Extract<Action, { kind: 'launch' }>;

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
    life: spec,
  });
  const tags = {
    [TAG.owner]: deps.config.get().settings.owner,
    [TAG.manager]: deps.manager,
    [TAG.pool]: spec.id,
    [TAG.launch]: action.token,
    [TAG.spec]: hash,
  };
  const why = action.reason.detail?.['why'];
  const places = action.places ?? resolved.places.filter(({ market }) => market === action.offering.market);
  const at = deps.clock.now() + deps.cloud.clockAhead(spec.launch.site);
  const extra = { userData, tags, places, at };
  const request = buildRequest(spec.launch, resolved, extra);
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
    ...(typeof why === 'string' && { why }),
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
    rest(deps, { site: spec.launch.site.key, pool: spec.id, place: action.offering }, outcome);
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
