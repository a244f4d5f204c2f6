// Open spot requests until they are over: their instances get the tags that EC2 leaves out, what nobody waits for any more
// is cancelled, and a launch whose requests are all over is settled. Also requests without a launch of ours on record.
// Must not cancel what another manager asked for.
// Trap: a request may be filled while it is cancelled; its instance is tagged all the same, and then adopted or ended.
import { SPOT_REQUEST_VALID_MS } from '../domain/build-request.ts';
import type { CloudSite } from '../domain/config.ts';
import { messageOf } from '../domain/error.ts';
import { TAG } from '../domain/instance.ts';
import type { Launch } from '../domain/launch.ts';
import type { Outcome } from '../domain/outcome.ts';
import { isOpenRequest, type SpotRequest } from '../domain/spot-request.ts';
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../domain/units.ts';
import type { ActDeps } from './act-deps.ts';
import { settle } from './actions/settle-launch.ts';

/** Cancelling and tagging answer within seconds. */
const CALL_LIMIT_MS: DurationMs = 20 * SECOND_MS;

/** A listing must be this much younger than a request's last change to prove that its instance is not known. */
const LISTING_LAG_MS: DurationMs = 10 * SECOND_MS;

/** A launch call may be under way that opened it a moment ago; fleets do not name it in their requests. */
const STRAY_AFTER_MS: DurationMs = 2 * MINUTE_MS;

function isOld(deps: ActDeps, { createdAt }: SpotRequest): boolean {
  return deps.clock.now() - createdAt >= STRAY_AFTER_MS;
}

/** Why a request that is over brought nothing, in the words that rests are made of. */
function outcomeOf({ status }: SpotRequest): Outcome {
  const message = `the spot request ended as ${status}`;
  if (status === 'bad-parameters') return { kind: 'invalid', scope: 'pool', code: status, message };
  if (status === 'price-too-low') return { kind: 'price', scope: 'offering', code: status, message };
  return { kind: 'insufficient-capacity', scope: 'offering', code: status, message };
}

async function cancel(deps: ActDeps, site: CloudSite, ids: readonly string[], why: string): Promise<void> {
  if (ids.length === 0) return;
  const answers = await deps.cloud.cancelSpotRequests(
    site,
    ids,
    deps.clock.timeout(CALL_LIMIT_MS, deps.stop),
  );
  const done = answers.filter(({ kind }) => kind === 'done').length;
  const text = `${done} of ${ids.length} open spot requests cancelled: ${why}`;
  deps.journal({ code: 'request-cancelled', text, detail: { requests: ids.length, done } });
}

/** Why the open requests of a launch are not to be waited for any longer; null = they are. */
function whyOver(deps: ActDeps, launch: Launch): string | null {
  const spec = deps.config.pool(launch.pool);
  if (spec === null) return 'their pool is not configured any more';
  const memory = deps.store.memory(launch.pool);
  if (memory?.draining === true) return 'their pool is being drained';
  const wanted = launch.machines.some((id) => deps.store.machine(id)?.phase === 'requested');
  if (!wanted) return 'nobody waits for their machines';
  const now = deps.clock.now();
  // By its age: `validUntil` is of EC2's clock, which ends the request by itself.
  const isTimed = launch.request.validUntil !== undefined;
  if (isTimed && now - launch.at > SPOT_REQUEST_VALID_MS) return 'their time is over';
  if (spec.onDemand.kind === 'when-short' && now - launch.at > spec.fallbackAfterMs)
    return 'machines come on demand after fallback_after';
  return null;
}

/** Settles a launch whose requests are all over and whose instances are all known. */
function settleOver(deps: ActDeps, launch: Launch, own: readonly SpotRequest[]): void {
  const known = new Set(deps.store.machines().map(({ instance }) => instance));
  const filled = own.filter(({ instance, state }) => instance !== null && state === 'active');
  if (filled.some(({ instance }) => !known.has(instance))) return;
  const failed = own.find(({ instance }) => instance === null);
  const isAny = launch.machines.some((id) => (deps.store.machine(id)?.instance ?? null) !== null);
  const { requests: _, ...bare } = launch;
  deps.store.putLaunch(bare);
  if (isAny) {
    const short = own.filter(({ instance }) => instance === null).length;
    settle(deps, launch.token, { kind: 'launched', instances: [], short });
  } else if (failed !== undefined) {
    const { offering, subnetId } = launch.request;
    const outcome = outcomeOf(failed);
    settle(deps, launch.token, { kind: 'refused', outcome, refusals: [{ offering, subnetId, outcome }] });
  }
}

async function tagFilled(deps: ActDeps, site: CloudSite, requests: readonly SpotRequest[]): Promise<void> {
  const byTags = Map.groupBy(requests, ({ tags }) => tags[TAG.launch] ?? '');
  for (const group of byTags.values()) {
    const ids = group.flatMap(({ instance }) => instance ?? []);
    const tags = group[0]?.tags ?? {};
    await deps.cloud.tagInstances(site, ids, tags, deps.clock.timeout(CALL_LIMIT_MS, deps.stop));
  }
}

/** Instances that came of requests and that no listing shows: EC2 left them without tags. */
function untagged(deps: ActDeps, site: CloudSite, requests: readonly SpotRequest[]): SpotRequest[] {
  const view = deps.sightings.view(site.key);
  if (view.kind !== 'fresh') return [];
  const shown = new Set(view.value.map(({ id }) => id));
  return requests.filter(({ instance, state, statusAt, tags }) => {
    if (instance === null || state !== 'active' || shown.has(instance)) return false;
    const launch = deps.store.launch(tags[TAG.launch] ?? '');
    if (launch?.state === 'intended') return launch.request.way === 'spot-request';
    return view.at - statusAt > LISTING_LAG_MS;
  });
}

/** One look at all spot requests of a site. Never throws. */
export async function followRequests(
  deps: ActDeps,
  site: CloudSite,
  requests: readonly SpotRequest[],
): Promise<void> {
  const { store, manager } = deps;
  const ours = requests.filter(({ tags }) => tags[TAG.manager] === manager);
  try {
    await tagFilled(deps, site, untagged(deps, site, ours));
    const byLaunch = Map.groupBy(ours, ({ tags }) => tags[TAG.launch] ?? '');
    for (const [token, own] of byLaunch) {
      const launch = store.launch(token);
      const open = own.filter(isOpenRequest).map(({ id }) => id);
      if (launch === null || launch.state !== 'intended') {
        const old = own.filter((request) => isOpenRequest(request) && isOld(deps, request));
        await cancel(
          deps,
          site,
          old.map(({ id }) => id),
          'no launch of ours waits for them',
        );
        continue;
      }
      if (launch.request.way !== 'spot-request') continue;
      // The answer may have been lost: the listing is as good.
      const status = own.find(isOpenRequest)?.status;
      const noted = {
        ...launch,
        requests: own.map(({ id }) => id),
        ...(status !== undefined && { requestStatus: status }),
      };
      if (launch.requests?.length !== own.length || launch.requestStatus !== noted.requestStatus)
        store.putLaunch(noted);
      const why = open.length === 0 ? null : whyOver(deps, launch);
      if (why !== null) await cancel(deps, site, open, why);
      else if (open.length === 0) settleOver(deps, noted, own);
    }
  } catch (error) {
    deps.log.warn('spot requests could not be followed', { site: site.key, error: messageOf(error) });
  }
}
